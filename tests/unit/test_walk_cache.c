/* SPDX-License-Identifier: Apache-2.0 */
/* What a walk remembers, and what it must not: other mappings, other rows, rows that have gone. */
#include "fixture_walk.h"

static struct walk_cache cache;

/* Rows and mappings with ids: what a walk finds stays in the cache. */
static struct walk known_leaf(uint64_t pc)
{
	struct walk w = leaf(rule(UNWIND_SP, 16, 0, 0), pc);

	((struct space_image *)(all.bytes + IMAGE))->id = 7;
	w.space.id = 3;
	host_cache = &cache;
	return w;
}

static void what_was_found_is_found_again_without_tables(void **state)
{
	struct walk w = known_leaf(CODE + 5);

	expect_caller(&w, 2);
	w = known_leaf(CODE + 5);
	memset(all.bytes, 0, sizeof(all.bytes));
	expect_caller(&w, 2);
	w = known_leaf(CODE + 6); /* its mapping is known, its rule is not */
	memset(all.bytes + MAPS, 0, 64);
	expect_caller(&w, 2);
}

static void other_mappings_are_not_the_ones_found_before(void **state)
{
	struct walk w = known_leaf(CODE + 5);

	expect_caller(&w, 2);
	w = known_leaf(CODE + 5);
	w.space.id = 4;
	memset(all.bytes + MAPS, 0, 64);
	expect_end(&w, EV_CUT_NO_TABLES);
}

static void other_rows_are_not_the_ones_found_before(void **state)
{
	struct walk w = known_leaf(CODE + 5);

	expect_caller(&w, 2);
	w = known_leaf(CODE + 5);
	((struct space_image *)(all.bytes + IMAGE))->id = 8;
	((struct unwind_rule *)(all.bytes + RULES))[1].cfa = 24;
	w.space.id = 4;
	expect_caller(&w, 3);
}

/* Evicted: what is cached still holds, what is not is asked of user space, and found once it is there again. */
static void rows_that_have_gone_are_missed(void **state)
{
	struct space_image *image = (void *)(all.bytes + IMAGE);
	struct walk w = known_leaf(CODE + 5);

	expect_caller(&w, 2);
	w = known_leaf(CODE + 5);
	image->how = SPACE_UNKNOWN;
	expect_caller(&w, 2);
	w = known_leaf(CODE + 9);
	image->how = SPACE_UNKNOWN;
	assert_int_equal(walk_locate(&w), WALK_ON);
	assert_int_equal(walk_step(&w), WALK_MISS);
	w = known_leaf(CODE + 9);
	image->id = 9;
	expect_caller(&w, 2);
}

static int forget(void **state)
{
	memset(&cache, 0, sizeof(cache));
	host_cache = NULL;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_found_is_found_again_without_tables, forget, forget),
		cmocka_unit_test_setup_teardown(other_mappings_are_not_the_ones_found_before, forget, forget),
		cmocka_unit_test_setup_teardown(other_rows_are_not_the_ones_found_before, forget, forget),
		cmocka_unit_test_setup_teardown(rows_that_have_gone_are_missed, forget, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
