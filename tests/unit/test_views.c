/* SPDX-License-Identifier: Apache-2.0 */
/* What commands print: columns, amounts, trees, nearest names. */
#include "unit.h"

#include "base/buf.h"
#include "cmd/amount.h"
#include "cmd/columns.h"
#include "cmd/nearest.h"
#include "cmd/treelist.h"
#include "pprof/calltree.h"
#include "pprof/folded.h"
#include "pprof/profile.h"
#include "pprof/top.h"

static struct profile *of(const char *folded)
{
	struct profile *p = NULL;
	char err[256];

	if (folded_decode(folded, strlen(folded), &p, err, sizeof(err)) < 0)
		fail_msg("%s", err);
	return p;
}

static const char *text(struct buf *b)
{
	buf_putc(b, '\0');
	b->len = 0;
	return (char *)b->data;
}

static void names_are_cut_at_characters_and_cannot_steer_a_terminal(void **state)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	columns_put(&b, "abc", 5);
	assert_string_equal(text(&b), "abc  ");
	columns_put(&b, "\xc3\xa4\xc3\xb6\xc3\xbc", 2);
	assert_string_equal(text(&b), "\xc3\xa4\xc3\xb6");
	columns_put_last(&b, "abcdef", 6);
	assert_string_equal(text(&b), "abcdef");
	columns_put_last(&b, "abcdefg", 6);
	assert_string_equal(text(&b), "abc...");
	columns_put_last(&b, "\033[2Jx\x7f\xc2\x9b", 20);
	assert_string_equal(text(&b), "?[2Jx??");
	columns_put_last(&b, "x\xc3", 20); /* ends inside a character */
	assert_string_equal(text(&b), "x\xc3");
}

static void amounts_are_shown_in_units_people_use(void **state)
{
	static const struct {
		const char *type, *unit, *head, *text;
		int64_t value;
	} known[] = { { "cpu", "nanoseconds", "CPU s", "1.50 CPU s", 1500000000 },
		      { "wall", "milliseconds", "wall s", "0.25 wall s", 250 },
		      { "alloc_space", "bytes", "alloc_space MiB", "2.00 alloc_space MiB", 2 << 20 },
		      { "samples", "count", "samples", "42 samples", 42 },
		      { "x\033", "y", "x?", "-1 x?", -1 } };
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	struct amount a;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		_cleanup_(profile_freep) struct profile *p = profile_new();

		profile_add_type(p, known[i].type, known[i].unit);
		amount_of(p, known[i].value, &a);
		assert_string_equal(a.head, known[i].head);
		amount_text(&a, known[i].value, &b);
		assert_string_equal(text(&b), known[i].text);
	}
}

static const char *tree_text(const char *folded, double min_percent, struct buf *b)
{
	_cleanup_(profile_freep) struct profile *p = of(folded);
	struct calltree t;
	struct amount a;
	struct treelist l = { .tree = &t, .amount = &a, .min_percent = min_percent, .root = "all", .head = "call tree" };

	assert_int_equal(calltree_build(p, 0, &t), 0);
	l.whole = t.nodes.v[0].total;
	amount_of(p, l.whole, &a);
	assert_int_equal(treelist_text(&l, b), 0);
	calltree_fini(&t);
	return text(b);
}

static void a_tree_branches_where_it_must_and_is_pruned(void **state)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	assert_string_equal(tree_text("main;a;b;c 50\nmain;a;b;d_[k] 30\nmain;e 19\nmain;tiny 1\n", 2, &b),
			    "   total      self  samples  call tree\n"
			    "  100.0 %    0.0 %      100  main\n"
			    "   80.0 %    0.0 %       80  |- a\n"
			    "   80.0 %    0.0 %       80  |  b\n"
			    "   50.0 %   50.0 %       50  |  |- c\n"
			    "   30.0 %   30.0 %       30  |  `- d [k]\n"
			    "   19.0 %   19.0 %       19  `- e\n"
			    "\n1 node below 2 % is left out: --min-percent shows more\n");
	assert_string_equal(tree_text("a 3\nb 1\n", 0, &b), "   total      self  samples  call tree\n"
							 "  100.0 %    0.0 %        4  all\n"
							 "   75.0 %   75.0 %        3  |- a\n"
							 "   25.0 %   25.0 %        1  `- b\n");
}

/* A branch at every level: the names stay on the screen. */
static void a_tree_of_any_depth_keeps_its_width(void **state)
{
	_cleanup_(buf_fini) struct buf folded = BUF_INIT, b = BUF_INIT;
	char *line, *rest;
	int n = 0;

	for (int depth = 1; depth < 60; depth++) {
		for (int i = 0; i < depth; i++)
			buf_printf(&folded, "a_function_with_a_long_name_of_number_%d;", i);
		buf_puts(&folded, "leaf 1\n");
	}
	rest = (char *)tree_text(text(&folded), 0, &b);
	while ((line = strsep(&rest, "\n"))) {
		assert_true(strlen(line) <= 100);
		n++;
	}
	assert_true(n > 110);
}

static void an_empty_profile_has_an_empty_tree(void **state)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	assert_string_equal(tree_text("# nothing\n", 1, &b), "   total      self  samples  call tree\n"
							  "    0.0 %    0.0 %        0  all\n");
}

static const char *near(const char *name, struct buf *b)
{
	_cleanup_(profile_freep) struct profile *p = of("main;spin_half 3\nmain;Spin_third 2\nmain;memcpy(void*) 1\nq 1\n");
	struct top t;

	assert_int_equal(top_build(p, PROFILE_FUNCTIONS, &t), 0);
	b->len = 0;
	nearest_list(&t, name, b);
	top_fini(&t);
	return text(b);
}

static void a_wrong_name_finds_its_neighbours(void **state)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	assert_string_equal(near("spin", &b), "spin_half, Spin_third");
	assert_string_equal(near("spin_haf", &b), "spin_half");
	assert_string_equal(near("mmecpy", &b), "memcpy(void*)");
	assert_string_equal(near("nothing_like_it", &b), "");
	assert_string_equal(near("x", &b), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_cut_at_characters_and_cannot_steer_a_terminal),
		cmocka_unit_test(amounts_are_shown_in_units_people_use),
		cmocka_unit_test(a_tree_branches_where_it_must_and_is_pruned),
		cmocka_unit_test(a_tree_of_any_depth_keeps_its_width),
		cmocka_unit_test(an_empty_profile_has_an_empty_tree),
		cmocka_unit_test(a_wrong_name_finds_its_neighbours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
