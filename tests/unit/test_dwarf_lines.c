/* SPDX-License-Identifier: Apache-2.0 */
/* Line programs written by hand: each version, and instructions in bundles. */
#include "unit.h"

#include "fixture_scan.h"

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
		scanned_done(&s, &f);
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
	scanned_done(&s, &f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_programs_of_every_version_run),
		cmocka_unit_test(bundles_of_instructions_advance_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
