/* SPDX-License-Identifier: Apache-2.0 */
/* DWARF that is odd, damaged or a lie: what can be read is there, the rest is counted, nothing hangs. */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "fixture_dwarf.h"
#include "symbolize/dwarf/dwarf_scan.h"
#include "symbolize/dwarf/dwarf_wants.h"
#include "symbolize/symcache.h"
#include "symbolize/symcache_build.h"

static const struct build_id key = { .kind = BUILD_ID_GNU, .len = 4 };

struct scanned {
	struct dwarf_scan_stats stats;
	struct symcache *cache;
	int result;
};

static struct scanned scan_files(const struct dwarf_files *files)
{
	struct scanned s = { 0 };
	struct symcache_build *b;
	int fd = memfd_create("symcache", MFD_CLOEXEC);

	assert_int_equal(symcache_build_new(&b), 0);
	s.result = dwarf_scan(files, b, &s.stats);
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(symcache_build_write(b, fd, &key), 0);
	assert_int_equal(symcache_open(fd, &key, &s.cache), 0);
	symcache_build_free(b);
	close(fd);
	return s;
}

static struct scanned scan(const struct fix *f)
{
	int fd = fix_file(f, false);
	struct scanned s = scan_files(&(struct dwarf_files){
		.image = fd, .debug = -1, .alt = -1, .dwp = -1, .scratch = -1, .exact = true });

	close(fd);
	return s;
}

/* "inner:line<outer:line", by linkage name or name. */
static const char *at(const struct scanned *s, uint64_t address)
{
	static char text[4096];
	struct symcache_frame f[256];
	int n = symcache_find(s->cache, address, f, ARRAY_SIZE(f));
	size_t len = 0;

	text[0] = 0;
	for (int i = 0; i < n && len < sizeof(text) - 256; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s:%u", i ? "<" : "",
					symcache_string(s->cache, f[i].linkage ? f[i].linkage : f[i].name), f[i].line);
	return text;
}

static uint32_t start_line(const struct scanned *s, uint64_t address)
{
	struct symcache_frame f[256];

	return symcache_find(s->cache, address, f, ARRAY_SIZE(f)) > 0 ? f[0].start_line : 0;
}

static void done(struct scanned *s, struct fix *f)
{
	symcache_free(s->cache);
	fix_fini(f);
}

static void an_inlined_call_is_named_by_an_entry_that_comes_later(void **state)
{
	struct fix f = { 0 };
	struct scanned s;
	uint32_t patch[2];

	fix_abbrevs(&f);
	fix_unit(&f, "u", 0);
	fix_function(&f, "outer", 0x2000, 0x100);
	fix_uleb(&f.s[DWARF_INFO], FIX_BLOCK);
	patch[0] = fix_inlined(&f, 0, 0x2010, 0x20, 11);
	fix_uleb(&f.s[DWARF_INFO], FIX_BLOCK);
	patch[1] = fix_inlined(&f, 0, 0x2014, 4, 12);
	for (int i = 0; i < 5; i++)
		fix_null(&f);
	fix_patch32(&f.s[DWARF_INFO], patch[0], fix_abstract(&f, "middle", 3));
	fix_patch32(&f.s[DWARF_INFO], patch[1], fix_abstract(&f, "inner", 4));
	fix_unit_end(&f);
	s = scan(&f);
	assert_int_equal(s.result, 0);
	assert_string_equal(at(&s, 0x2000), "outer:0");
	assert_string_equal(at(&s, 0x2010), "_Zmiddle:0<outer:11");
	assert_string_equal(at(&s, 0x2015), "_Zinner:0<_Zmiddle:12<outer:11");
	assert_int_equal(start_line(&s, 0x2015), 4);
	assert_int_equal(start_line(&s, 0x2000), 7);
	assert_string_equal(at(&s, 0x2030), "outer:0");
	assert_string_equal(at(&s, 0x2100), "");
	done(&s, &f);
}

static void references_reach_into_units_before_and_behind(void **state)
{
	struct fix f = { 0 };
	struct scanned s;
	uint32_t first, second;
	size_t patch;

	fix_abbrevs(&f);
	fix_unit(&f, "one", 0);
	first = (uint32_t)f.unit + fix_abstract(&f, "early", 1);
	fix_function(&f, "a", 0x2000, 0x100);
	fix_uleb(&f.s[DWARF_INFO], FIX_FAR);
	patch = f.s[DWARF_INFO].len;
	fix_u32(&f.s[DWARF_INFO], 0);
	fix_u64(&f.s[DWARF_INFO], 0x2000);
	fix_u64(&f.s[DWARF_INFO], 0x10);
	fix_null(&f);
	fix_unit_end(&f);
	fix_unit(&f, "two", 0);
	second = (uint32_t)f.unit + fix_abstract(&f, "late", 2);
	fix_function(&f, "b", 0x3000, 0x100);
	fix_uleb(&f.s[DWARF_INFO], FIX_FAR);
	fix_u32(&f.s[DWARF_INFO], first);
	fix_u64(&f.s[DWARF_INFO], 0x3000);
	fix_u64(&f.s[DWARF_INFO], 0x10);
	fix_null(&f);
	fix_unit_end(&f);
	fix_patch32(&f.s[DWARF_INFO], patch, second);
	s = scan(&f);
	assert_int_equal(s.stats.units, 2);
	assert_string_equal(at(&s, 0x2001), "_Zlate:0<a:0");
	assert_string_equal(at(&s, 0x3001), "_Zearly:0<b:0");
	done(&s, &f);
}

static void origins_that_lead_in_a_circle_name_nothing(void **state)
{
	struct fix f = { 0 };
	struct scanned s;
	uint32_t a, b, self;
	struct buf *info = &f.s[DWARF_INFO];

	fix_abbrevs(&f);
	fix_unit(&f, "u", 0);
	a = fix_here(&f);
	fix_uleb(info, FIX_ORIGIN);
	fix_u32(info, a + 5);
	b = fix_here(&f);
	fix_uleb(info, FIX_ORIGIN);
	fix_u32(info, a);
	self = fix_here(&f);
	fix_uleb(info, FIX_ORIGIN);
	fix_u32(info, self);
	fix_function(&f, "outer", 0x2000, 0x100);
	fix_inlined(&f, a, 0x2000, 0x10, 1);
	fix_null(&f);
	fix_inlined(&f, b, 0x2010, 0x10, 2);
	fix_null(&f);
	fix_inlined(&f, self, 0x2020, 0x10, 3);
	fix_null(&f);
	fix_inlined(&f, 0xffffff, 0x2030, 0x10, 4); /* beyond the unit */
	fix_null(&f);
	fix_null(&f);
	fix_unit_end(&f);
	s = scan(&f);
	assert_int_equal(s.result, 0);
	assert_string_equal(at(&s, 0x2000), ":0<outer:1");
	assert_string_equal(at(&s, 0x2010), ":0<outer:2");
	assert_string_equal(at(&s, 0x2020), ":0<outer:3");
	assert_string_equal(at(&s, 0x2030), ":0<outer:4");
	done(&s, &f);
}

static void a_call_without_ranges_stays_in_the_chain(void **state)
{
	struct fix f = { 0 };
	struct scanned s;
	uint32_t one, two;

	fix_abbrevs(&f);
	fix_unit(&f, "u", 0);
	one = fix_abstract(&f, "one", 1);
	two = fix_abstract(&f, "two", 2);
	fix_function(&f, "outer", 0x2000, 0x100);
	fix_uleb(&f.s[DWARF_INFO], FIX_NO_RANGES);
	fix_u32(&f.s[DWARF_INFO], one);
	buf_putc(&f.s[DWARF_INFO], 9);
	fix_inlined(&f, two, 0x2010, 0x10, 10);
	for (int i = 0; i < 3; i++)
		fix_null(&f);
	fix_unit_end(&f);
	s = scan(&f);
	assert_string_equal(at(&s, 0x2010), "_Ztwo:0<_Zone:10<outer:9");
	done(&s, &f);
}

static void a_definition_takes_what_its_declaration_says(void **state)
{
	struct fix f = { 0 };
	struct scanned s;
	uint32_t decl;

	fix_abbrevs(&f);
	fix_unit(&f, "u", 0);
	decl = fix_abstract(&f, "method", 77);
	fix_uleb(&f.s[DWARF_INFO], FIX_SPEC);
	fix_u32(&f.s[DWARF_INFO], decl);
	fix_u64(&f.s[DWARF_INFO], 0x2000);
	fix_u64(&f.s[DWARF_INFO], 0x10);
	fix_unit_end(&f);
	s = scan(&f);
	assert_string_equal(at(&s, 0x2000), "_Zmethod:0");
	assert_int_equal(start_line(&s, 0x2000), 77);
	done(&s, &f);
}

static void what_the_linker_dropped_is_left_out(void **state)
{
	static const uint64_t dead[] = { 0, 1, 0x10, UINT64_MAX, UINT64_MAX - 1, FIX_TEXT_END, FIX_TEXT - 1 };
	struct fix f = { 0 };
	struct scanned s;
	struct buf *ranges = &f.s[DWARF_RANGES];

	fix_abbrevs(&f);
	fix_unit(&f, "u", 0x2000);
	for (size_t i = 0; i < ARRAY_SIZE(dead); i++) {
		fix_function(&f, "dead", dead[i], 0x10);
		fix_null(&f);
	}
	fix_uleb(&f.s[DWARF_INFO], FIX_RANGES);
	fix_text(&f.s[DWARF_INFO], "parts");
	fix_u32(&f.s[DWARF_INFO], 0);
	fix_uleb(&f.s[DWARF_INFO], FIX_RANGES);
	fix_text(&f.s[DWARF_INFO], "nowhere");
	fix_u32(&f.s[DWARF_INFO], 0xffff);
	fix_unit_end(&f);
	fix_u64(ranges, 0x10); /* from the unit's base */
	fix_u64(ranges, 0x20);
	fix_u64(ranges, 5);
	fix_u64(ranges, 5);
	fix_u64(ranges, UINT64_MAX - 1); /* lld's mark */
	fix_u64(ranges, UINT64_MAX - 1);
	fix_u64(ranges, UINT64_MAX); /* another base */
	fix_u64(ranges, 0x4000);
	fix_u64(ranges, 0);
	fix_u64(ranges, 8);
	fix_u64(ranges, FIX_TEXT_END - 0x4000 - 4); /* cut at the segment's end */
	fix_u64(ranges, FIX_TEXT_END);
	s = scan(&f); /* the list has no end */
	assert_int_equal(s.stats.dead_ranges, ARRAY_SIZE(dead));
	assert_int_equal(s.stats.ranges, 3);
	assert_string_equal(at(&s, 0x2010), "parts:0");
	assert_string_equal(at(&s, 0x2005), "");
	assert_string_equal(at(&s, 0x4007), "parts:0");
	assert_string_equal(at(&s, FIX_TEXT_END - 1), "parts:0");
	assert_string_equal(at(&s, FIX_TEXT_END), "");
	done(&s, &f);
}

static void entries_that_run_over_their_unit_cost_only_the_rest_of_it(void **state)
{
	struct fix f = { 0 };
	struct scanned s;

	fix_abbrevs(&f);
	fix_unit(&f, "lie", 0);
	fix_function(&f, "good", 0x2000, 0x10);
	fix_null(&f);
	fix_function(&f, "cut", 0x3000, 0x10);
	fix_unit_end(&f);
	/* The unit ends in the middle of its second function: what follows is no unit. */
	fix_patch32(&f.s[DWARF_INFO], f.unit, (uint32_t)(f.s[DWARF_INFO].len - f.unit - 4 - 20));
	s = scan(&f);
	assert_int_equal(s.result, 0);
	assert_string_equal(at(&s, 0x2000), "good:0");
	assert_string_equal(at(&s, 0x3000), "");
	assert_true(s.stats.damaged_units >= 1);
	done(&s, &f);
}

static void units_that_overlap_are_read_as_they_say(void **state)
{
	struct fix f = { 0 };
	struct scanned s;
	size_t outer;

	fix_abbrevs(&f);
	fix_unit(&f, "outer", 0);
	outer = f.unit;
	fix_function(&f, "one", 0x2000, 0x10);
	fix_null(&f);
	fix_unit_end(&f);
	fix_unit(&f, "inner", 0);
	fix_function(&f, "two", 0x3000, 0x10);
	fix_null(&f);
	fix_unit_end(&f);
	/* The first claims to reach to the end of the second: it is one unit with strange entries. */
	fix_patch32(&f.s[DWARF_INFO], outer, (uint32_t)(f.s[DWARF_INFO].len - outer - 4));
	s = scan(&f);
	assert_int_equal(s.stats.units, 1);
	assert_string_equal(at(&s, 0x2000), "one:0");
	done(&s, &f);
}

static void a_code_without_an_abbreviation_ends_its_unit(void **state)
{
	struct fix f = { 0 };
	struct scanned s;

	fix_abbrevs(&f);
	for (int i = 0; i < 2; i++) {
		fix_unit(&f, "u", 0);
		fix_function(&f, i ? "second" : "first", 0x2000 + 0x1000 * (uint64_t)i, 0x10);
		fix_null(&f);
		fix_uleb(&f.s[DWARF_INFO], 4711);
		fix_function(&f, "lost", 0x8000, 0x10);
		fix_unit_end(&f);
	}
	s = scan(&f);
	assert_int_equal(s.stats.damaged_units, 2);
	assert_string_equal(at(&s, 0x2000), "first:0");
	assert_string_equal(at(&s, 0x3000), "second:0");
	assert_string_equal(at(&s, 0x8000), "");
	done(&s, &f);
}

static void abbreviations_that_lie_are_refused(void **state)
{
	static const uint16_t huge[] = { DW_AT_name, 0x7777 }, zero[] = { DW_AT_name, 0 },
			      twice[] = { DW_AT_name, DW_FORM_string, DW_AT_name, DW_FORM_string };
	static const struct {
		const uint16_t *pairs;
		size_t n;
	} lies[] = { { huge, 1 }, { zero, 1 }, { twice, 2 } };

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct fix f = { 0 };
		struct scanned s;

		fix_abbrevs(&f);
		fix_abbrev(&f, FIX_ODD, DW_TAG_subprogram, false, lies[i].pairs, lies[i].n);
		fix_unit(&f, "u", 0);
		fix_function(&f, "before", 0x2000, 0x10);
		fix_null(&f);
		fix_uleb(&f.s[DWARF_INFO], FIX_ODD);
		fix_text(&f.s[DWARF_INFO], "x");
		fix_text(&f.s[DWARF_INFO], "y");
		fix_function(&f, "behind", 0x3000, 0x10);
		fix_null(&f);
		fix_unit_end(&f);
		s = scan(&f);
		assert_string_equal(at(&s, 0x2000), "before:0");
		/* Two names are odd, but their sizes are known. */
		assert_string_equal(at(&s, 0x3000), lies[i].n == 2 ? "behind:0" : "");
		done(&s, &f);
	}
}

static void nesting_has_a_bound(void **state)
{
	struct fix f = { 0 };
	struct scanned s;
	const int deep = 200000;

	fix_abbrevs(&f);
	fix_unit(&f, "u", 0);
	fix_function(&f, "outer", 0x2000, 0x100);
	for (int i = 0; i < deep; i++)
		fix_uleb(&f.s[DWARF_INFO], FIX_BLOCK);
	fix_function(&f, "in the deep", 0x3000, 0x10);
	for (int i = 0; i < deep + 2; i++)
		fix_null(&f);
	fix_function(&f, "behind", 0x4000, 0x10);
	fix_null(&f);
	fix_unit_end(&f);
	s = scan(&f);
	assert_string_equal(at(&s, 0x2000), "outer:0");
	assert_string_equal(at(&s, 0x3000), "in the deep:0");
	assert_string_equal(at(&s, 0x4000), "behind:0");
	done(&s, &f);
}

static void calls_nest_deeper_than_any_chain(void **state)
{
	struct fix f = { 0 };
	struct scanned s;
	uint32_t origin;

	fix_abbrevs(&f);
	fix_unit(&f, "u", 0);
	origin = fix_abstract(&f, "again", 1);
	fix_function(&f, "outer", 0x2000, 0x1000);
	for (int i = 0; i < 1000; i++)
		fix_inlined(&f, origin, 0x2000, 0x1000 - (uint64_t)i, 5);
	for (int i = 0; i < 1001; i++)
		fix_null(&f);
	fix_unit_end(&f);
	s = scan(&f);
	assert_int_equal(s.result, 0);
	assert_true(strlen(at(&s, 0x2000)) > 1000);
	done(&s, &f);
}

static void a_sibling_leads_forward_or_nowhere(void **state)
{
	for (int backward = 0; backward < 2; backward++) {
		struct fix f = { 0 };
		struct scanned s;
		size_t patch;

		fix_abbrevs(&f);
		fix_unit(&f, "u", 0);
		fix_uleb(&f.s[DWARF_INFO], FIX_ENUM);
		patch = f.s[DWARF_INFO].len;
		fix_u32(&f.s[DWARF_INFO], 11);
		fix_abstract(&f, "enumerator", 1);
		fix_null(&f);
		if (!backward)
			fix_patch32(&f.s[DWARF_INFO], patch, fix_here(&f));
		fix_function(&f, "behind", 0x2000, 0x10);
		fix_null(&f);
		fix_unit_end(&f);
		s = scan(&f);
		assert_int_equal(s.stats.damaged_units, 0);
		assert_string_equal(at(&s, 0x2000), "behind:0");
		done(&s, &f);
	}
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* 40,000 entries that share one list of 100,000 ranges would be 4 billion of them. */
static void what_is_shared_too_often_is_left_out(void **state)
{
	struct fix f = { 0 };
	struct scanned s;
	double begin = seconds();

	fix_abbrevs(&f);
	fix_unit(&f, "u", 0);
	for (int i = 0; i < 40000; i++) {
		fix_uleb(&f.s[DWARF_INFO], FIX_RANGES);
		fix_text(&f.s[DWARF_INFO], "f");
		fix_u32(&f.s[DWARF_INFO], 0);
	}
	fix_unit_end(&f);
	for (int i = 0; i < 100000; i++) {
		fix_u64(&f.s[DWARF_RANGES], 1); /* dead: the builder does not fill */
		fix_u64(&f.s[DWARF_RANGES], 2);
	}
	s = scan(&f);
	assert_true(s.stats.budget_spent);
	assert_true(seconds() - begin < 5);
	done(&s, &f);
}

/* Header of a line program: one directory, one file; then its opcodes. */
static size_t line_header(struct buf *b, uint8_t version, uint8_t min_inst, uint8_t max_ops)
{
	size_t begin = b->len, header;

	fix_u32(b, 0);
	fix_u16(b, version);
	if (version >= 5)
		fix_u16(b, 8); /* addresses; no selectors */
	header = b->len;
	fix_u32(b, 0);
	buf_putc(b, (char)min_inst);
	if (version >= 4)
		buf_putc(b, (char)max_ops);
	buf_putc(b, 1);
	buf_putc(b, -5);
	buf_putc(b, 14);
	buf_putc(b, 14);
	buf_append(b, "\0\1\1\1\1\0\0\0\1\0\0\1\2", 13); /* opcode 13 is nobody's, and has two operands */
	if (version >= 5) {
		buf_append(b, "\1\1\10\1/dir\0", 9); /* one format: path, string; one directory */
		buf_append(b, "\2\1\10\2\13\1file.c\0\0", 14);
	} else {
		fix_text(b, "inc");
		buf_putc(b, 0);
		fix_text(b, "file.c");
		buf_append(b, "\1\0\0\0", 4);
	}
	fix_patch32(b, header, (uint32_t)(b->len - header - 4));
	return begin;
}

static void set_address(struct buf *b, uint64_t address)
{
	buf_append(b, "\0\11\2", 3);
	fix_u64(b, address);
}

static void line_program(struct fix *f, uint8_t version, uint8_t min_inst, uint8_t max_ops)
{
	struct buf *b = &f->s[DWARF_LINE];
	size_t begin = line_header(b, version, min_inst, max_ops);

	if (version >= 5)
		buf_append(b, "\4\0", 2); /* file 0 */
	set_address(b, 0x2000);
	buf_append(b, "\3\11\1", 3);	   /* line 10: row */
	buf_append(b, "\15\5\6", 3);	   /* the unknown one */
	buf_putc(b, 14 + 14 * 1 + 5 + 1);  /* address + 1, line + 1: row 11 */
	buf_append(b, "\10", 1);	   /* const_add_pc: (255 - 14) / 14 = 17 */
	buf_append(b, "\3\1\1", 3);	   /* line 12: row */
	buf_append(b, "\11\100\0\3\1\1", 6); /* fixed_advance_pc 64, line 13: row */
	buf_append(b, "\3\1\1", 3);	   /* line 14 at the same place: it counts */
	buf_append(b, "\2\4\0\1\1", 5);	   /* advance_pc 4; end */
	set_address(b, 0);		   /* a dead sequence */
	buf_append(b, "\1\2\10\0\1\1", 6);
	set_address(b, 0x3000);		   /* one without an end */
	buf_append(b, "\1", 1);
	fix_patch32(b, begin, (uint32_t)(b->len - begin - 4));
}

static const char *line_at(const struct scanned *s, uint64_t address)
{
	static char text[256];
	struct symcache_frame f[4];

	text[0] = 0;
	if (symcache_find(s->cache, address, f, 4) > 0)
		snprintf(text, sizeof(text), "%s:%u", symcache_string(s->cache, f[0].file), f[0].line);
	return text;
}

static void line_programs_of_every_version_run(void **state)
{
	static const uint16_t unit[] = { DW_AT_name, DW_FORM_string, DW_AT_comp_dir, DW_FORM_string, DW_AT_stmt_list, DW_FORM_sec_offset };

	for (uint8_t version = 2; version <= 5; version++) {
		struct fix f = { .version = version };
		const char *path = version == 5 ? "/dir/file.c" : "/work/inc/file.c";
		char want[64];
		struct scanned s;
		struct buf *info = &f.s[DWARF_INFO];

		fix_abbrev(&f, 1, DW_TAG_compile_unit, false, unit, 3);
		fix_unit(&f, "", 0);
		info->len = f.unit + (version == 5 ? 12 : 11); /* its own first entry */
		fix_uleb(info, 1);
		fix_text(info, "u");
		fix_text(info, "/work");
		fix_u32(info, 0);
		fix_unit_end(&f);
		line_program(&f, version, 1, 1);
		s = scan(&f);
		assert_int_equal(s.result, 0);
		assert_int_equal(s.stats.sequences, 1);
		assert_int_equal(s.stats.dead_sequences, 1);
		assert_int_equal(s.stats.damaged_lines, 1);
		for (int i = 0; i < 4; i++) {
			static const uint64_t places[] = { 0x2000, 0x2001, 0x2012, 0x2052 };
			static const int lines[] = { 10, 11, 12, 14 };

			snprintf(want, sizeof(want), "%s:%d", path, lines[i]);
			assert_string_equal(line_at(&s, places[i]), want);
		}
		assert_string_equal(line_at(&s, 0x2056), "");
		assert_string_equal(line_at(&s, 0x3000), "");
		done(&s, &f);
	}
}

static void bundles_of_instructions_advance_together(void **state)
{
	static const uint16_t unit[] = { DW_AT_name, DW_FORM_string, DW_AT_stmt_list, DW_FORM_sec_offset };
	struct fix f = { 0 };
	struct scanned s;
	struct buf *b = &f.s[DWARF_LINE], *info = &f.s[DWARF_INFO];
	size_t begin;

	fix_abbrev(&f, 1, DW_TAG_compile_unit, false, unit, 2);
	fix_unit(&f, "", 0);
	info->len = f.unit + 11;
	fix_uleb(info, 1);
	fix_text(info, "u");
	fix_u32(info, 0);
	fix_unit_end(&f);
	begin = line_header(b, 4, 16, 3); /* three operations in 16 bytes */
	set_address(b, 0x2000);
	buf_append(b, "\1", 1);		       /* line 1 */
	buf_append(b, "\2\4\3\1\1", 5);	       /* 4 operations: one bundle and one; line 2 */
	buf_append(b, "\2\2\3\1\1", 5);	       /* 2 more: the next bundle; line 3 */
	buf_append(b, "\2\3\0\1\1", 5);	       /* a bundle; end */
	fix_patch32(b, begin, (uint32_t)(b->len - begin - 4));
	s = scan(&f);
	assert_string_equal(line_at(&s, 0x2000), "inc/file.c:1");
	assert_string_equal(line_at(&s, 0x2010), "inc/file.c:2");
	assert_string_equal(line_at(&s, 0x2020), "inc/file.c:3");
	assert_string_equal(line_at(&s, 0x2030), "");
	done(&s, &f);
}

static void files_without_dwarf_are_told(void **state)
{
	struct fix f = { 0 };
	struct scanned s = scan(&f);
	int fd;

	assert_int_equal(s.result, -ENODATA);
	symcache_free(s.cache);
	fix_abbrevs(&f);
	buf_append(&f.s[DWARF_INFO], "\x10\0\0\0\4\0", 6); /* longer than the section */
	s = scan(&f);
	assert_int_equal(s.result, -EBADMSG);
	symcache_free(s.cache);
	fd = memfd_create("empty", MFD_CLOEXEC);
	s = scan_files(&(struct dwarf_files){ .image = fd, .debug = -1, .alt = -1, .dwp = -1, .scratch = -1 });
	assert_int_equal(s.result, -EBADMSG);
	close(fd);
	done(&s, &f);
}

static void load_seed(int fd, enum dwarf_object_kind kind, struct fix *ret)
{
	struct dwarf_store store = { .scratch = -1, .inflated_max = 1 << 24 };
	struct dwarf_object o = { 0 };

	if (!dwarf_object_open(&store, fd, kind, DWARF_ALL, &o))
		for (unsigned int i = 0; i < DWARF_SECTIONS; i++)
			buf_append(&ret->s[i], o.s[i].data, o.s[i].len);
	dwarf_store_fini(&store);
}

/* What was linked beside what was split from it. */
static struct scanned scan_pair(const struct fix *linked, const struct fix *split)
{
	int fd = fix_file(linked, false), dwo = fix_file(split, true);
	struct dwarf_files files = { .image = fd, .debug = -1, .alt = -1, .dwp = dwo, .dwos = &dwo, .n_dwos = 1,
				     .scratch = -1, .exact = true };
	struct scanned s;

	/* The id of a package's unit is in the index too: what lies in the .dwo is found first. */
	if (split->s[DWARF_CU_INDEX].len)
		files.n_dwos = 0;
	s = scan_files(&files);
	close(fd);
	close(dwo);
	return s;
}

static unsigned int cut_everywhere(struct fix *linked, struct fix *split)
{
	unsigned int scans = 0;

	for (unsigned int i = 0; i < 2 * DWARF_SECTIONS; i++) {
		struct buf *b = i < DWARF_SECTIONS ? &linked->s[i] : &split->s[i - DWARF_SECTIONS];
		size_t whole = b->len, step = whole > 300 ? 5 : 1;

		for (size_t n = 0; n < whole; n += step, scans++) {
			struct scanned s;

			b->len = n;
			s = scan_pair(linked, split);
			symcache_free(s.cache);
		}
		b->len = whole;
	}
	return scans;
}

/* Every section of every seed, cut at every length: ASan sees what is read beyond. */
static void a_section_may_end_anywhere(void **state)
{
	DIR *dir = opendir(TESTS_DIR "/fuzz/corpus/dwarf");
	unsigned int files = 0, splits = 0, scans = 0;

	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		int fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_CLOEXEC);
		struct fix linked = { 0 }, split = { 0 };
		struct scanned s;

		if (e->d_name[0] != '.') {
			load_seed(fd, DWARF_LINKED, &linked);
			load_seed(fd, DWARF_SPLIT, &split);
			s = scan_pair(&linked, &split);
			files++;
			splits += s.stats.dwo_units > 0;
			symcache_free(s.cache);
			scans += cut_everywhere(&linked, &split);
		}
		fix_fini(&linked);
		fix_fini(&split);
		close(fd);
	}
	closedir(dir);
	assert_true(files >= 25 && splits >= 6);
	print_message("%u scans of %u files\n", scans, files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_inlined_call_is_named_by_an_entry_that_comes_later),
		cmocka_unit_test(references_reach_into_units_before_and_behind),
		cmocka_unit_test(origins_that_lead_in_a_circle_name_nothing),
		cmocka_unit_test(a_call_without_ranges_stays_in_the_chain),
		cmocka_unit_test(a_definition_takes_what_its_declaration_says),
		cmocka_unit_test(what_the_linker_dropped_is_left_out),
		cmocka_unit_test(entries_that_run_over_their_unit_cost_only_the_rest_of_it),
		cmocka_unit_test(units_that_overlap_are_read_as_they_say),
		cmocka_unit_test(a_code_without_an_abbreviation_ends_its_unit),
		cmocka_unit_test(abbreviations_that_lie_are_refused),
		cmocka_unit_test(nesting_has_a_bound),
		cmocka_unit_test(calls_nest_deeper_than_any_chain),
		cmocka_unit_test(a_sibling_leads_forward_or_nowhere),
		cmocka_unit_test(what_is_shared_too_often_is_left_out),
		cmocka_unit_test(line_programs_of_every_version_run),
		cmocka_unit_test(bundles_of_instructions_advance_together),
		cmocka_unit_test(files_without_dwarf_are_told),
		cmocka_unit_test(a_section_may_end_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
