/* SPDX-License-Identifier: Apache-2.0 */
/* Inlined calls and source lines, through every view: innermost first, self time is the innermost line's. */
#include "unit.h"

#include "base/buf.h"
#include "cmd/amount.h"
#include "cmd/columns.h"
#include "cmd/top_model.h"
#include "cmd/top_print.h"
#include "cmd/top_rows.h"
#include "cmd/toplist.h"
#include "cmd/treelist.h"
#include "pprof/calltree.h"
#include "pprof/diff.h"
#include "pprof/filter.h"
#include "pprof/folded.h"
#include "pprof/merge.h"
#include "pprof/profile.h"
#include "pprof/slice.h"
#include "pprof/speedscope.h"
#include "pprof/svg.h"
#include "pprof/top.h"

static uint32_t function(struct profile *p, const char *name, int64_t start)
{
	struct profile_function f = { .name = strpool_add(&p->strings, name), .start_line = start,
				      .file = strpool_add(&p->strings, start ? "/src/list.c" : "") };

	return profile_add_function(p, &f);
}

/*
 * 10: leaf (12) inlined into walk (at 31) inlined into work (at 55); 20: work itself (57); 30: main (90), which
 * calls work; 40: a function without lines.
 */
static struct profile *chain(void)
{
	struct profile *p = profile_new();
	uint32_t leaf = function(p, "leaf", 10), walk = function(p, "walk", 30), work = function(p, "work", 50),
		 main_ = function(p, "main", 80), bare = function(p, "bare", 0);
	struct profile_mapping m = { .limit = 4096, .file = strpool_add(&p->strings, "/bin/app"), .has_functions = true,
				     .has_inline_frames = true };
	struct profile_location l = { .mapping = profile_add_mapping(p, &m), .kind = FRAME_NATIVE, .address = 0x10 };
	struct profile_line inlined[] = { { leaf, 12, 0 }, { walk, 31, 0 }, { work, 55, 0 } };
	uint32_t at[4];
	static const uint32_t stacks[][2] = { { 0, 2 }, { 1, 2 }, { 3, 2 } };

	at[0] = profile_add_location(p, &l, inlined, 3);
	l.address = 0x20;
	at[1] = profile_add_location(p, &l, &(struct profile_line){ work, 57, 0 }, 1);
	l.address = 0x30;
	at[2] = profile_add_location(p, &l, &(struct profile_line){ main_, 90, 0 }, 1);
	l.address = 0x40;
	at[3] = profile_add_location(p, &l, &(struct profile_line){ bare, 0, 0 }, 1);
	profile_set_cpu(p, 1);
	for (uint32_t i = 0; i < ARRAY_SIZE(stacks); i++) {
		uint32_t frames[] = { at[stacks[i][0]], at[stacks[i][1]] };
		struct profile_sample s = { .first_frame = profile_add_frames(p, frames, 2), .n_frames = 2 };

		profile_add_sample(p, &s, (int64_t[]){ 3 - i, 3 - i });
	}
	return p;
}

static const char *text(struct buf *b)
{
	buf_putc(b, '\0');
	b->len = 0;
	return (char *)b->data;
}

static const char *top_of(struct profile *p, enum profile_unit unit, struct buf *b)
{
	struct amount a;
	struct top t;

	assert_int_equal(top_build(p, unit, &t), 0);
	amount_of(p, t.whole, &a);
	toplist_text(&t, unit, 20, &a, b);
	top_fini(&t);
	return text(b);
}

static const char *tree_of(const struct profile *p, bool by_line, struct buf *b)
{
	struct calltree t;
	struct amount a;
	struct treelist l = { .tree = &t, .amount = &a, .root = "all", .head = "call tree", .by_line = by_line };

	assert_int_equal(calltree_build(p, by_line ? CALLTREE_BY_LINE : 0, &t), 0);
	l.whole = t.nodes.v[0].total;
	amount_of(p, l.whole, &a);
	assert_int_equal(treelist_text(&l, b), 0);
	calltree_fini(&t);
	return text(b);
}

static void self_time_is_the_innermost_functions(void **state)
{
	_cleanup_(profile_freep) struct profile *p = chain();
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	assert_string_equal(top_of(p, PROFILE_FUNCTIONS, &b),
			    "    self     total   CPU s  image               function\n"
			    "   50.0 %   50.0 %    0.00  app                 leaf (inlined)\n"
			    "   33.3 %   83.3 %    0.00  app                 work\n"
			    "   16.7 %   16.7 %    0.00  app                 bare\n"
			    "    0.0 %  100.0 %    0.00  app                 main\n"
			    "    0.0 %   50.0 %    0.00  app                 walk (inlined)\n");
	assert_string_equal(tree_of(p, false, &b), "   total      self   CPU s  call tree\n"
						   "  100.0 %    0.0 %    0.00  main\n"
						   "   83.3 %   33.3 %    0.00  |- work\n"
						   "   50.0 %    0.0 %    0.00  |  walk [i]\n"
						   "   50.0 %   50.0 %    0.00  |  leaf [i]\n"
						   "   16.7 %   16.7 %    0.00  `- bare\n");
}

static void by_line_a_caller_counts_at_the_line_of_its_call(void **state)
{
	_cleanup_(profile_freep) struct profile *p = chain();
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	assert_string_equal(top_of(p, PROFILE_LINES, &b),
			    "    self     total   CPU s  image               function\n"
			    "   50.0 %   50.0 %    0.00  app                 leaf list.c:12 (inlined)\n"
			    "   33.3 %   33.3 %    0.00  app                 work list.c:57\n"
			    "   16.7 %   16.7 %    0.00  app                 bare\n"
			    "    0.0 %  100.0 %    0.00  app                 main list.c:90\n"
			    "    0.0 %   50.0 %    0.00  app                 walk list.c:31 (inlined)\n"
			    "    0.0 %   50.0 %    0.00  app                 work list.c:55\n");
	assert_string_equal(tree_of(p, true, &b), "   total      self   CPU s  call tree\n"
						  "  100.0 %    0.0 %    0.00  main list.c:90\n"
						  "   50.0 %    0.0 %    0.00  |- work list.c:55\n"
						  "   50.0 %    0.0 %    0.00  |  walk list.c:31 [i]\n"
						  "   50.0 %   50.0 %    0.00  |  leaf list.c:12 [i]\n"
						  "   33.3 %   33.3 %    0.00  |- work list.c:57\n"
						  "   16.7 %   16.7 %    0.00  `- bare\n");
}

static void without_inlined_calls_the_function_they_stand_in_has_their_time(void **state)
{
	_cleanup_(profile_freep) struct profile *p = chain();
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	filter_inlined(p);
	assert_false(p->mappings.v[0].has_inline_frames);
	assert_string_equal(tree_of(p, true, &b), "   total      self   CPU s  call tree\n"
						  "  100.0 %    0.0 %    0.00  main list.c:90\n"
						  "   50.0 %   50.0 %    0.00  |- work list.c:55\n"
						  "   33.3 %   33.3 %    0.00  |- work list.c:57\n"
						  "   16.7 %   16.7 %    0.00  `- bare\n");
	assert_int_equal(folded_encode(p, &b), 0);
	assert_string_equal(text(&b), "main;work 5\nmain;bare 1\n");
}

static void a_node_knows_the_lines_its_time_went_through(void **state)
{
	static const struct {
		const char *name;
		uint32_t line;
		int64_t self, total;
	} want[] = { { "main", 90, 0, 6 }, { "work", 55, 0, 3 }, { "walk", 31, 0, 3 }, { "leaf", 12, 3, 3 }, { "work", 57, 2, 2 } };
	_cleanup_(profile_freep) struct profile *p = chain();
	struct calltree t;

	assert_int_equal(calltree_build(p, CALLTREE_WITH_LINES, &t), 0);
	assert_int_equal(t.lines.n, ARRAY_SIZE(want));
	for (uint32_t i = 0; i < t.lines.n; i++) {
		const struct calltree_line *l = &t.lines.v[i];

		assert_string_equal(strpool_str(&t.strings, t.frames.v[t.nodes.v[l->node].frame].name), want[i].name);
		assert_int_equal(l->line, want[i].line);
		assert_int_equal(l->self, want[i].self);
		assert_int_equal(l->total, want[i].total);
	}
	calltree_fini(&t);
	assert_int_equal(calltree_build(p, 0, &t), 0);
	assert_int_equal(t.lines.n, 0);
	calltree_fini(&t);
}

static void merging_keeps_chains_and_lines(void **state)
{
	_cleanup_(profile_freep) struct profile *p = chain(), *q = chain(), *sum = NULL, *callers = NULL;
	const struct merge_part parts[] = { { .p = p }, { .p = q } };
	_cleanup_(buf_fini) struct buf b = BUF_INIT, c = BUF_INIT;

	assert_int_equal(profile_merge(parts, 2, &sum), 0);
	assert_int_equal(sum->locations.n, p->locations.n);
	assert_int_equal(sum->lines.n, p->lines.n);
	assert_string_equal(top_of(sum, PROFILE_LINES, &b), top_of(p, PROFILE_LINES, &c));
	assert_int_equal(slice_callers(p, "walk", &callers), 0);
	assert_string_equal(tree_of(callers, true, &b), "   total      self   CPU s  call tree\n"
							"  100.0 %    0.0 %    0.00  walk list.c:31\n"
							"  100.0 %    0.0 %    0.00  work list.c:55\n"
							"  100.0 %  100.0 %    0.00  main list.c:90\n");
}

static void a_difference_by_line_tells_lines_apart(void **state)
{
	_cleanup_(profile_freep) struct profile *base = chain(), *now = chain();
	struct diff d;

	now->values.v[1] = 1; /* the first sample's nanoseconds: leaf got faster */
	assert_int_equal(diff_build(base, now, PROFILE_LINES, &d), 0);
	assert_int_equal(d.rows.n, 6);
	assert_string_equal(d.rows.v[0].name, "leaf");
	assert_int_equal(d.rows.v[0].line, 12);
	assert_int_equal(d.rows.v[0].inlined, TOP_INLINED);
	diff_fini(&d);
}

static void a_long_name_is_cut_before_its_source(void **state)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	columns_put_function(&b, "a_function_of_a_long_name", "/src/x.c", 7, " [i]", 20);
	assert_string_equal(text(&b), "a_funct... x.c:7 [i]");
	columns_put_function(&b, "f", NULL, 7, "", 20);
	assert_string_equal(text(&b), "f");
	columns_put_function(&b, "f", "x\033.c", 0, "", 20);
	assert_string_equal(text(&b), "f x?.c");
}

static void pictures_say_where_and_what_is_inlined(void **state)
{
	_cleanup_(profile_freep) struct profile *p = chain();
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	const char *s;

	assert_int_equal(svg_encode(p, &b), 0);
	s = text(&b);
	assert_non_null(strstr(s, "<title>leaf (inlined) /src/list.c:10 ("));
	assert_non_null(strstr(s, "<title>work /src/list.c:50 ("));
	assert_non_null(strstr(s, "<title>bare ("));
	assert_int_equal(speedscope_encode(p, &b), 0);
	s = text(&b);
	assert_non_null(strstr(s, "{\"name\":\"work\",\"file\":\"/src/list.c\",\"line\":50}"));
	assert_null(strstr(s, "\"line\":55")); /* one box for a function, not one for each line */
}

static const struct top_function *row_of(const struct top_rows *t, const char *name, uint32_t line)
{
	for (uint32_t i = 0; i < t->functions.n; i++)
		if (!strcmp(t->functions.v[i].name, name) && t->functions.v[i].line == line)
			return &t->functions.v[i];
	return NULL;
}

static void top_tells_lines_apart(void **state)
{
	_cleanup_(profile_freep) struct profile *p = chain();
	_cleanup_(top_rows_fini) struct top_rows rows = { 0 };
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	struct top_query q = { .sort = TOP_SORT_SELF };
	struct top_model_opts opts = { .by_line = true };
	struct top_model *m;

	vec_foreach(v, &p->values)
		*v *= 1000000;
	assert_int_equal(top_model_new(&opts, &m), 0);
	assert_int_equal(top_model_add(m, p, 1000000000), 0);
	assert_int_equal(top_rows_functions(&rows, m, &q), 0);
	assert_non_null(row_of(&rows, "work", 55));
	assert_non_null(row_of(&rows, "work", 57));
	assert_null(row_of(&rows, "work", 0));
	assert_string_equal(row_of(&rows, "leaf", 12)->file, "/src/list.c");
	assert_true(row_of(&rows, "work", 55)->self_ns == 0 && row_of(&rows, "work", 57)->self_ns > 0);
	assert_non_null(row_of(&rows, "bare", 0));
	top_print_function(row_of(&rows, "leaf", 12), &rows, 80, &b);
	assert_non_null(strstr(text(&b), "leaf list.c:12"));
	top_model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(self_time_is_the_innermost_functions),
		cmocka_unit_test(by_line_a_caller_counts_at_the_line_of_its_call),
		cmocka_unit_test(without_inlined_calls_the_function_they_stand_in_has_their_time),
		cmocka_unit_test(a_node_knows_the_lines_its_time_went_through),
		cmocka_unit_test(merging_keeps_chains_and_lines),
		cmocka_unit_test(a_difference_by_line_tells_lines_apart),
		cmocka_unit_test(a_long_name_is_cut_before_its_source),
		cmocka_unit_test(top_tells_lines_apart),
		cmocka_unit_test(pictures_say_where_and_what_is_inlined),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
