/* SPDX-License-Identifier: Apache-2.0 */
/* Frames become locations: inline chains, what is known of an image, paths moved, addresses left for others. */
#include "unit.h"

#include <errno.h>

#include "agent/locate.h"
#include "agent/path_map.h"
#include "base/buf.h"
#include "base/strmap.h"
#include "pprof/profile.h"
#include "proc/image.h"
#include "symbolize/symbolizer.h"

/* In the symbolizer's place (--wrap): offset 0x10 is leaf inlined into work, 0x20 work alone, 0x30 a name without lines. */
int __wrap_sym_image_resolve(struct sym_image *img, uint64_t offset, struct sym_frame *ret, size_t max);
int __wrap_sym_image_segment(const struct sym_image *img, uint64_t offset, struct sym_segment *ret);

int __wrap_sym_image_resolve(struct sym_image *img, uint64_t offset, struct sym_frame *ret, size_t max)
{
	static const struct sym_frame leaf = { "leaf(int)", "_Z4leafi", "/build/src/leaf.h", 12, 10, 0, NULL };
	static const struct sym_frame work = { "work()", "_Z4workv", "/build/src/work.cc", 55, 50, 0, NULL };
	static const struct sym_frame bare = { "bare", "bare", NULL, 0, 0, 0, NULL };

	if (offset == 0x10) {
		ret[0] = leaf;
		ret[1] = work;
		return 2;
	}
	ret[0] = offset == 0x20 ? work : bare;
	return offset == 0x20 || offset == 0x30 ? 1 : -ENOENT;
}

int __wrap_sym_image_segment(const struct sym_image *img, uint64_t offset, struct sym_segment *ret)
{
	*ret = (struct sym_segment){ .vaddr = 0x401000, .size = 0x1000, .offset = 0 };
	return 0;
}

static struct image image(bool with_id)
{
	struct image i = { .kind = IMAGE_FILE, .path = "/bin/app", .fd = -1, .root_fd = -1 };

	if (with_id)
		i.id = (struct build_id){ .kind = BUILD_ID_GNU, .len = 4, .bytes = { 0xde, 0xad, 0xbe, 0xef } };
	return i;
}

struct made {
	struct profile *p;
	uint8_t known;
	uint32_t at;
};

static struct made make(const struct name_opts *opts, bool with_id, const uint64_t *offsets, uint32_t n)
{
	struct locator l = { .opts = *opts };
	struct image i = image(with_id);
	struct made m = { .p = profile_new() };

	locator_begin(&l, m.p);
	for (uint32_t k = 0; k < n; k++)
		m.at = locator_add(&l, &i, NULL, offsets[k], &m.known);
	locator_end(&l);
	locator_fini(&l);
	return m;
}

static const struct profile_function *function_of(const struct profile *p, uint32_t location, uint32_t line)
{
	return &p->functions.v[p->lines.v[p->locations.v[location].first_line + line].function];
}

static void a_chain_is_innermost_first_with_the_lines_of_calls(void **state)
{
	struct made m = make(&(struct name_opts){ 0 }, true, (uint64_t[]){ 0x10 }, 1);
	const struct profile_location *l = &m.p->locations.v[m.at];

	assert_int_equal(m.known, LOCATED_NAME | LOCATED_LINE);
	assert_int_equal(l->n_lines, 2);
	assert_int_equal(l->address, 0x401010);
	assert_string_equal(profile_str(m.p, function_of(m.p, m.at, 0)->name), "leaf(int)");
	assert_string_equal(profile_str(m.p, function_of(m.p, m.at, 0)->system_name), "_Z4leafi");
	assert_int_equal(function_of(m.p, m.at, 0)->start_line, 10);
	assert_int_equal(m.p->lines.v[l->first_line].line, 12);
	assert_string_equal(profile_str(m.p, function_of(m.p, m.at, 1)->name), "work()");
	assert_string_equal(profile_str(m.p, function_of(m.p, m.at, 1)->file), "/build/src/work.cc");
	assert_int_equal(m.p->lines.v[l->first_line + 1].line, 55);
	profile_free(m.p);
}

/* What an image's flags say, by the offsets that were looked up in it. */
static void flags_say_what_was_found_and_nothing_while_a_name_is_missing(void **state)
{
	static const struct {
		uint64_t offsets[3];
		uint32_t n;
		bool no_inline, functions, files, lines, inlines;
	} cases[] = {
		{ { 0x10, 0x20 }, 2, false, true, true, true, true },
		{ { 0x20 }, 1, false, true, true, true, true }, /* none was inlined, but it was looked for */
		{ { 0x10 }, 1, true, true, true, true, false },
		{ { 0x30 }, 1, false, true, false, false, false },
		{ { 0x10, 0x30 }, 2, false, true, true, true, true },
		{ { 0x10, 0x99 }, 2, false, false, false, false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct made m = make(&(struct name_opts){ .no_inline = cases[i].no_inline }, true, cases[i].offsets, cases[i].n);
		const struct profile_mapping *map = &m.p->mappings.v[0];

		assert_int_equal(m.p->mappings.n, 1);
		assert_int_equal(map->has_functions, cases[i].functions);
		assert_int_equal(map->has_filenames, cases[i].files);
		assert_int_equal(map->has_line_numbers, cases[i].lines);
		assert_int_equal(map->has_inline_frames, cases[i].inlines);
		profile_free(m.p);
	}
}

static void inlined_calls_fold_into_the_function_they_stand_in(void **state)
{
	struct made m = make(&(struct name_opts){ .no_inline = true }, true, (uint64_t[]){ 0x10 }, 1);

	assert_int_equal(m.p->locations.v[m.at].n_lines, 1);
	assert_string_equal(profile_str(m.p, function_of(m.p, m.at, 0)->name), "work()");
	assert_int_equal(m.p->lines.v[m.p->locations.v[m.at].first_line].line, 55);
	profile_free(m.p);
}

static void what_has_a_build_id_is_left_for_others_to_name(void **state)
{
	const struct name_opts opts = { .no_symbols = true, .name_unnamed = true };
	struct made with = make(&opts, true, (uint64_t[]){ 0x10, 0x99 }, 2), without = make(&opts, false, (uint64_t[]){ 0x10 }, 1);

	assert_int_equal(with.known, 0);
	assert_int_equal(with.p->locations.v[0].n_lines, 0);
	assert_int_equal(with.p->locations.v[1].n_lines, 0); /* no made-up name either */
	assert_int_equal(with.p->locations.v[0].address, 0x401010);
	assert_false(with.p->mappings.v[0].has_functions);
	assert_string_equal(profile_str(with.p, with.p->mappings.v[0].build_id), "deadbeef");
	assert_int_equal(with.p->mappings.v[0].start, 0x401000);
	assert_int_equal(without.known & LOCATED_NAME, LOCATED_NAME);
	assert_true(without.p->mappings.v[0].has_functions);
	profile_free(with.p);
	profile_free(without.p);
}

static void source_files_move_with_the_map(void **state)
{
	struct strmap map = { 0 };
	struct name_opts opts = { .path_map = &map };
	struct made m;

	assert_int_equal(strmap_set(&map, "/build", "/home/me"), 0);
	m = make(&opts, true, (uint64_t[]){ 0x10 }, 1);
	assert_string_equal(profile_str(m.p, function_of(m.p, m.at, 0)->file), "/home/me/src/leaf.h");
	assert_string_equal(profile_str(m.p, function_of(m.p, m.at, 1)->file), "/home/me/src/work.cc");
	profile_free(m.p);
	strmap_fini(&map);
}

static void the_longest_whole_prefix_of_a_path_is_replaced(void **state)
{
	static const struct {
		const char *path, *want; /* NULL: none fits */
	} cases[] = {
		{ "/build/src/a.c", "/app/a.c" },    { "/build/src", "/app" },      { "/build/src2/a.c", "/b/src2/a.c" },
		{ "/build/a.c", "/b/a.c" },          { "/builds/a.c", NULL },       { "/usr/a.c", NULL },
		{ "/strip/me/a.c", "me/a.c" },       { "/strip", NULL },            { "", NULL },
		{ "../x/build/src/a.c", NULL },      { "./rel/a.c", "/abs/a.c" },
	};
	struct strmap map = { 0 };

	strmap_set(&map, "/build", "/b");
	strmap_set(&map, "/build/src", "/app");
	strmap_set(&map, "/strip/", "");
	strmap_set(&map, "./rel", "/abs");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_fini) struct buf b = BUF_INIT;

		assert_int_equal(path_map_apply(&map, cases[i].path, &b), cases[i].want != NULL);
		buf_putc(&b, '\0');
		assert_string_equal((char *)b.data, cases[i].want ? cases[i].want : "");
	}
	strmap_fini(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chain_is_innermost_first_with_the_lines_of_calls),
		cmocka_unit_test(flags_say_what_was_found_and_nothing_while_a_name_is_missing),
		cmocka_unit_test(inlined_calls_fold_into_the_function_they_stand_in),
		cmocka_unit_test(what_has_a_build_id_is_left_for_others_to_name),
		cmocka_unit_test(source_files_move_with_the_map),
		cmocka_unit_test(the_longest_whole_prefix_of_a_path_is_replaced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
