/* SPDX-License-Identifier: Apache-2.0 */
/* A step by each kind of rule: tables made by hand, in slabs as the program reads them. */
#include "unit.h"

#include "fixture_walk.h"

static void the_cfa_counts_from_each_of_its_bases(void **state)
{
	const struct {
		struct unwind_rule rule;
		uint32_t words;
	} cases[] = {
		{ rule(UNWIND_SP, 8, 0, 0), 1 },      { rule(UNWIND_SP, 40, 0, 0), 5 },
		{ rule(UNWIND_FP, 16, 0, 0), 34 },    { rule(UNWIND_FP, -8, 0, 0), 31 },
		{ rule(UNWIND_FRAME, 16, 0, 0), 34 }, { rule(UNWIND_REG | 10 << 4, 8, 0, 0), 11 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct walk w = leaf(cases[i].rule, CODE + 5);

		expect_caller(&w, cases[i].words);
		assert_int_equal(w.fp, STACK + 256);
		assert_int_equal(host_memory.faults, 0);
	}
}

static void the_cfa_may_be_read_from_memory(void **state)
{
	const uint32_t bases[] = { UNWIND_DEREF_SP, UNWIND_DEREF_FP, UNWIND_DEREF_REG | 3 << 4 };
	const uint32_t words[] = { 2, 30, 5 };

	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		int16_t a = i == 1 ? -16 : 16;
		struct walk w = leaf(rule(bases[i], deref(a, 8), 0, 0), CODE + 5);

		all.stack[words[i]] = STACK + 72;
		expect_caller(&w, 10);
	}
}

static void a_plt_entry_has_pushed_from_its_border_on(void **state)
{
	const uint64_t pcs[] = { CODE + 0x20, CODE + 0x2a, CODE + 0x2b, CODE + 0x2f };
	const uint32_t words[] = { 1, 1, 2, 2 };

	for (size_t i = 0; i < ARRAY_SIZE(pcs); i++) {
		struct walk w = leaf(rule(UNWIND_PLT, 11, 0, 0), pcs[i]);

		expect_caller(&w, words[i]);
	}
}

static void the_frame_pointer_is_found_where_the_rule_says(void **state)
{
	const struct {
		uint32_t how;
		int16_t offset;
		uint64_t fp;
	} cases[] = {
		{ UNWIND_FP_SAME, 0, STACK + 256 },
		{ UNWIND_FP_AT_CFA, -16, WORD + 2 }, /* read together with the return address */
		{ UNWIND_FP_AT_CFA, -24, WORD + 1 },
		{ UNWIND_FP_AT_FP, -8, WORD + 31 },
		{ UNWIND_FP_UNDEFINED, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct walk w = leaf(rule(UNWIND_SP, 32, cases[i].how, cases[i].offset), CODE + 5);

		expect_caller(&w, 4);
		assert_int_equal(w.fp, cases[i].fp);
		assert_int_equal(host_memory.reads, i == 0 || i == 1 || i == 4 ? 1 : 2);
	}
}

static void the_return_address_may_lie_deeper_or_in_a_register(void **state)
{
	struct walk w = leaf(rule(UNWIND_SP, 32, 2 << 4, 0), CODE + 5);

	assert_int_equal(step(&w), WALK_ON);
	assert_int_equal(w.pc, WORD + 1); /* CFA - 24 */
	/* vfork: nothing on the stack, the CFA is sp itself. */
	w = leaf(rule(UNWIND_SP, 0, UNWIND_RA_REG << 2 | 5 << 4, 0), CODE + 5);
	w.regs[5] = CODE + 0x77;
	assert_int_equal(step(&w), WALK_ON);
	assert_int_equal(w.pc, CODE + 0x77);
	assert_int_equal(w.sp, STACK);
	assert_int_equal(host_memory.reads, 0);
}

static void registers_are_the_leafs_alone(void **state)
{
	const struct unwind_rule rules[] = { rule(UNWIND_REG | 10 << 4, 8, 0, 0),
					     rule(UNWIND_DEREF_REG | 10 << 4, deref(0, 8), 0, 0),
					     rule(UNWIND_SP, 8, UNWIND_RA_REG << 2 | 5 << 4, 0) };

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		struct walk w = leaf(rules[i], CODE + 5);

		w.flags = WALK_RETURN;
		expect_end(&w, EV_CUT_REG_LOST);
	}
}

static void a_signals_registers_are_a_leafs_again(void **state)
{
	struct walk w = leaf(rule(UNWIND_SIGNAL, 160, 0, 0), CODE + 5);

	assert_int_equal(step(&w), WALK_ON);
	assert_int_equal(w.flags, WALK_REGS);
	/* The sigcontext begins at word 5: r8..r15 di si bp bx dx ax cx sp ip; sp at 160. */
	assert_int_equal(w.sp, WORD + 20);
	assert_int_equal(w.pc, WORD + 21);
	assert_int_equal(w.fp, WORD + 15);
	assert_int_equal(w.regs[8], WORD + 5);
	assert_int_equal(w.regs[15], WORD + 12);
	assert_int_equal(w.regs[5], WORD + 13);
	assert_int_equal(w.regs[0], WORD + 18);
	assert_int_equal(w.regs[2], WORD + 19);
}

static void the_root_ends_a_walk(void **state)
{
	struct walk w = leaf(rule(UNWIND_STOP, 0, 0, 0), CODE + 5);

	expect_end(&w, EV_CUT_ROOT);
	w = leaf(rule(UNWIND_SP, 8, 0, 0), CODE + 5);
	all.stack[0] = 0;
	expect_end(&w, EV_CUT_ROOT);
}

static void a_step_that_does_not_climb_ends_the_walk(void **state)
{
	const struct unwind_rule rules[] = { rule(UNWIND_SP, 0, 0, 0), rule(UNWIND_SP, -8, 0, 0),
					     rule(UNWIND_SP, 12, 0, 0), rule(UNWIND_FP, -264, 0, 0),
					     rule(UNWIND_SP, -8, UNWIND_RA_REG << 2 | 5 << 4, 0) };

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		struct walk w = leaf(rules[i], CODE + 5);

		expect_end(&w, EV_CUT_CFA_BAD);
		assert_int_equal(host_memory.reads, 0);
	}
}

static void a_switched_stack_may_lie_lower(void **state)
{
	struct walk w = leaf(rule(UNWIND_FRAME, 16, 0, 0), CODE + 5);

	w.sp = STACK + 400;
	assert_int_equal(step(&w), WALK_ON);
	w.sp = STACK + 400;
	w.fp = STACK;
	w.pc = CODE + 5;
	assert_int_equal(step(&w), WALK_ON);
	assert_int_equal(w.sp, STACK + 16);
}

static void what_cannot_be_read_ends_the_walk(void **state)
{
	const struct unwind_rule rules[] = { rule(UNWIND_SP, 4096, 0, 0),
					     rule(UNWIND_SP, 4096, UNWIND_FP_AT_CFA, -16),
					     rule(UNWIND_SP, 8, UNWIND_FP_AT_FP, 4096),
					     rule(UNWIND_SIGNAL, 4096, 0, 0),
					     rule(UNWIND_DEREF_SP, deref(4096, 8), 0, 0) };

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		struct walk w = leaf(rules[i], CODE + 5);

		expect_end(&w, EV_CUT_UNREADABLE);
		assert_int_equal(host_memory.faults, 1);
	}
}

static void a_return_address_must_be_one(void **state)
{
	const uint64_t bad[] = { 1, 4095, 1ull << 56, UINT64_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct walk w = leaf(rule(UNWIND_SP, 8, 0, 0), CODE + 5);

		all.stack[0] = bad[i];
		expect_end(&w, EV_CUT_RETURN_BAD);
	}
}

/* A call as a function's last instruction: the address behind it is another function's, or nobody's. */
static void a_return_address_is_looked_up_at_its_call(void **state)
{
	struct walk w = leaf(rule(UNWIND_SP, 8, 0, 0), CODE + 0x18000);

	expect_caller(&w, 1);
	w = leaf(rule(UNWIND_SP, 8, 0, 0), CODE + 0x18000);
	w.flags = WALK_RETURN; /* the byte before has no rule, nor a frame pointer */
	w.fp = 0;
	expect_end(&w, EV_CUT_FP_NONE);
	w = leaf(rule(UNWIND_SP, 8, 0, 0), CODE + CODE_BYTES);
	w.flags = WALK_RETURN; /* behind the mapping, the call before it in its last page */
	w.fp = 0;
	expect_end(&w, EV_CUT_FP_NONE);
	w = leaf(rule(UNWIND_SP, 8, 0, 0), CODE + CODE_BYTES);
	expect_end(&w, EV_CUT_NO_TABLES);
}

static void code_without_a_rule_goes_by_frame_pointer(void **state)
{
	const uint64_t pcs[] = { CODE + 0x17fff, CODE + 0x20000, OTHER };

	for (size_t i = 0; i < ARRAY_SIZE(pcs); i++) {
		struct walk w = leaf(rule(UNWIND_SP, 8, 0, 0), pcs[i]);

		all.stack[0] = 1; /* no return address */
		assert_int_equal(step(&w), WALK_ON);
		assert_int_equal(w.pc, WORD + 33);
		assert_int_equal(w.sp, STACK + 272);
		assert_int_equal(w.flags, WALK_RETURN | WALK_CHAIN);
	}
}

static void a_leaf_without_a_rule_or_frame_returns_behind_a_call(void **state)
{
	/* The stack doubles as the code that is looked at: the caller's is "mapped" where it lies. */
	static const uint8_t calls[][8] = { { 0, 0, 0, 0xe8, 1, 2, 3, 4 },
					    { 0, 0, 0, 0, 0, 0, 0xff, 0xd0 },
					    { 0, 0, 0, 0, 0, 0xff, 0x50, 8 },
					    { 0, 0, 0xff, 0x15, 0, 0, 0, 0 },
					    { 0, 0, 0, 0, 0, 0, 0xff, 0xe0 } /* a jump */ };

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct walk w = leaf(rule(UNWIND_SP, 8, 0, 0), OTHER);
		const uint64_t here[] = { STACK, CODE, OTHER };

		put(MAPS, here, sizeof(here)); /* three mappings: the first one is the stack */
		put(MAPS + sizeof(here),
		    (const struct space_mapping[]){ { STACK + 4096, STACK, BARE, 0 },
						    { CODE, CODE, BARE, 0 },
						    { OTHER + OTHER_BYTES, OTHER, BARE, 0 } },
		    3 * sizeof(struct space_mapping));
		w.space.n_maps = 3;
		w.fp = 0;
		memcpy(&all.stack[4], calls[i], 8);
		all.stack[0] = STACK + 40;
		if (i == ARRAY_SIZE(calls) - 1) {
			expect_end(&w, EV_CUT_FP_NONE);
			continue;
		}
		assert_int_equal(step(&w), WALK_ON);
		assert_int_equal(w.pc, STACK + 40);
		assert_int_equal(w.sp, STACK + 8);
		assert_int_equal(w.flags, WALK_RETURN);
	}
}

static void what_user_space_may_know_is_a_miss(void **state)
{
	struct walk w = leaf(rule(UNWIND_SP, 8, 0, 0), CODE + 5);

	memset(all.bytes + IMAGE, 0,
	       sizeof(struct space_image)); /* an image nobody has looked at */
	assert_int_equal(walk_locate(&w), WALK_ON);
	assert_int_equal(walk_step(&w), WALK_MISS);
	assert_int_equal(w.status, EV_CUT_NO_TABLES);
	assert_int_equal(w.pc, CODE + 5);
	w = leaf(rule(UNWIND_SP, 8, 0, 0), OTHER + OTHER_BYTES);
	expect_end(&w, EV_CUT_NO_TABLES);
	w = leaf(rule(UNWIND_SP, 8, 0, 0), CODE - 1);
	expect_end(&w, EV_CUT_NO_TABLES);
	w = leaf(rule(UNWIND_SP, 8, 0, 0), CODE - 1);
	w.flags = WALK_RETURN | WALK_CHAIN; /* a frame pointer may lead anywhere */
	expect_end(&w, EV_CUT_RETURN_NO_CODE);
	w = leaf(rule(UNWIND_SP, 8, 0, 0), CODE + 5);
	w.space.n_maps = 0;
	expect_end(&w, EV_CUT_NO_TABLES);
}

static void a_mapping_is_kept_from_frame_to_frame_and_left(void **state)
{
	struct walk w = leaf(rule(UNWIND_SP, 8, 0, 0), CODE + 5);

	all.stack[0] = CODE + 0x10;
	all.stack[1] = OTHER + 1;
	w.fp = 0;
	assert_int_equal(step(&w), WALK_ON);
	assert_int_equal(w.here.start, CODE);
	assert_int_equal(step(&w), WALK_ON);
	expect_end(&w, EV_CUT_FP_NONE);
	assert_int_equal(w.here.start, OTHER);
}

/* Whatever number a table says: there is no rule behind its rules, no page behind its pages, no slab behind the slabs. */
static void a_table_that_lies_has_no_rule(void **state)
{
	const struct space_image lies[] = {
		{ .how = SPACE_ROWS, .pages = PAGES, .n_pages = 3, .rules = RULES, .n_rules = 1 },
		{ .how = SPACE_ROWS, .pages = PAGES, .n_pages = 0, .rules = RULES, .n_rules = 2 },
		{ .how = SPACE_ROWS,
		  .pages = 9u << SLAB_BITS,
		  .n_pages = 3,
		  .rules = RULES,
		  .n_rules = 2 },
		{ .how = SPACE_ROWS,
		  .pages = PAGES,
		  .n_pages = 3,
		  .rules = 9u << SLAB_BITS,
		  .n_rules = 2 },
		{ .how = 77, .pages = PAGES, .n_pages = 3, .rules = RULES, .n_rules = 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct walk w = leaf(rule(UNWIND_SP, 8, 0, 0), CODE + 5);

		put(IMAGE, &lies[i], sizeof(lies[i]));
		all.stack[0] = 1;
		w.fp = 0;
		expect_end(&w, EV_CUT_FP_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cfa_counts_from_each_of_its_bases),
		cmocka_unit_test(the_cfa_may_be_read_from_memory),
		cmocka_unit_test(a_plt_entry_has_pushed_from_its_border_on),
		cmocka_unit_test(the_frame_pointer_is_found_where_the_rule_says),
		cmocka_unit_test(the_return_address_may_lie_deeper_or_in_a_register),
		cmocka_unit_test(registers_are_the_leafs_alone),
		cmocka_unit_test(a_signals_registers_are_a_leafs_again),
		cmocka_unit_test(the_root_ends_a_walk),
		cmocka_unit_test(a_step_that_does_not_climb_ends_the_walk),
		cmocka_unit_test(a_switched_stack_may_lie_lower),
		cmocka_unit_test(what_cannot_be_read_ends_the_walk),
		cmocka_unit_test(a_return_address_must_be_one),
		cmocka_unit_test(a_return_address_is_looked_up_at_its_call),
		cmocka_unit_test(code_without_a_rule_goes_by_frame_pointer),
		cmocka_unit_test(a_leaf_without_a_rule_or_frame_returns_behind_a_call),
		cmocka_unit_test(what_user_space_may_know_is_a_miss),
		cmocka_unit_test(a_mapping_is_kept_from_frame_to_frame_and_left),
		cmocka_unit_test(a_table_that_lies_has_no_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
