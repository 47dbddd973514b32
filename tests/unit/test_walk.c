/* SPDX-License-Identifier: Apache-2.0 */
/* The BPF walker, compiled for the host and run on stacks drawn by hand. */
#include "unit.h"

#include "bpf/bpf_host.h"

#include "bpf/walk.h"

enum { STACK = 0x7000, CODE = 0x401000 };

/* Code without rows, everywhere: frame pointers are the only way. */
static const struct space_code no_rows = { .end = UINT64_MAX, .how = SPACE_NO_ROWS };

/* Runs the sampler's loop; returns the number of frames. */
static uint32_t walk_all(struct walk *w, uint64_t *pc, uint32_t max)
{
	w->n = 0;
	w->status = EV_CUT_DEPTH;
	while (walk_locate(w) == WALK_ON && w->n < max) {
		pc[w->n++] = w->pc;
		if (walk_step(w) != WALK_ON)
			break;
	}
	return w->n;
}

static uint32_t walk_by_fp(struct walk *w, uint64_t *pc, uint32_t max)
{
	w->here = no_rows;
	w->flags = WALK_CHAIN;
	return walk_all(w, pc, max);
}

static void a_chain_of_frame_pointers_reaches_its_root(void **state)
{
	const uint64_t stack[] = { STACK + 32, CODE + 1, 0, 0, STACK + 48, CODE + 2, 0, CODE + 3 };
	struct walk w = { .pc = CODE, .sp = STACK, .fp = STACK };
	uint64_t pc[8];

	host_stack(STACK, stack, sizeof(stack));
	assert_int_equal(walk_by_fp(&w, pc, 8), 4);
	assert_int_equal(w.status, EV_CUT_ROOT);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(pc[i], CODE + i);
	assert_int_equal(host_memory.faults, 0);
}

static void a_frame_pointer_that_does_not_rise_ends_the_walk(void **state)
{
	const uint64_t stack[] = { STACK, CODE + 1 }; /* the saved fp points at itself */
	struct walk w = { .pc = CODE, .sp = STACK, .fp = STACK };
	uint64_t pc[8];

	host_stack(STACK, stack, sizeof(stack));
	assert_int_equal(walk_by_fp(&w, pc, 8), 2);
	assert_int_equal(w.status, EV_CUT_FP_NOT_RISING);
}

/* The whole point of the checks: garbage in rbp must not cost a faulting read. */
static void a_register_that_is_no_frame_pointer_is_never_read(void **state)
{
	const struct {
		uint64_t fp;
		uint32_t why;
	} cases[] = { { 0, EV_CUT_FP_NONE },
		      { 1, EV_CUT_FP_NONE },
		      { STACK - 8, EV_CUT_FP_NONE },
		      { STACK + 4, EV_CUT_FP_NONE },
		      { 0xffffffffffffffff, EV_CUT_FP_NONE },
		      { STACK + (9ull << 20), EV_CUT_FP_NONE },
		      { 0x555500000000, EV_CUT_FP_NONE } };
	const uint64_t stack[] = { 0, 0 };
	uint64_t pc[8];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct walk w = { .pc = CODE, .sp = STACK, .fp = cases[i].fp };

		host_stack(STACK, stack, sizeof(stack));
		w.here = no_rows;
		assert_int_equal(walk_all(&w, pc, 8), 1);
		assert_int_equal(w.status, cases[i].why);
		assert_int_equal(host_memory.reads, 0);
	}
}

static void each_way_a_chain_breaks_has_its_own_name(void **state)
{
	const struct {
		uint64_t next_fp, ret;
		uint32_t why, frames;
	} cases[] = {
		{ STACK + 3, CODE + 1, EV_CUT_FP_UNALIGNED, 2 },
		{ STACK + 16 + (9ull << 20), CODE + 1, EV_CUT_FP_FAR, 2 },
		{ STACK + 4096, CODE + 1, EV_CUT_UNREADABLE, 2 },
		{ STACK + 32, 12, EV_CUT_RETURN_BAD, 1 },
		{ STACK + 32, 0xffffffff81000000, EV_CUT_RETURN_BAD, 1 },
		{ 0, CODE + 1, EV_CUT_ROOT, 2 },
		{ STACK + 32, 0, EV_CUT_ROOT, 1 },
	};
	uint64_t pc[8];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const uint64_t stack[] = { cases[i].next_fp, cases[i].ret };
		struct walk w = { .pc = CODE, .sp = STACK, .fp = STACK };

		host_stack(STACK, stack, sizeof(stack));
		assert_int_equal(walk_by_fp(&w, pc, 8), cases[i].frames);
		assert_int_equal(w.status, cases[i].why);
	}
}

static void a_chain_longer_than_the_record_says_depth(void **state)
{
	uint64_t stack[2 * (EV_USER_FRAMES + 88)], pc[EV_USER_FRAMES];
	struct walk w = { .pc = CODE, .sp = STACK, .fp = STACK };

	for (int i = 0; i < EV_USER_FRAMES + 88; i++) {
		stack[2 * i] = STACK + 16u * (unsigned int)(i + 1);
		stack[2 * i + 1] = CODE + (unsigned int)i;
	}
	host_stack(STACK, stack, sizeof(stack));
	assert_int_equal(walk_by_fp(&w, pc, EV_USER_FRAMES), EV_USER_FRAMES);
	assert_int_equal(w.status, EV_CUT_DEPTH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chain_of_frame_pointers_reaches_its_root),
		cmocka_unit_test(a_frame_pointer_that_does_not_rise_ends_the_walk),
		cmocka_unit_test(a_register_that_is_no_frame_pointer_is_never_read),
		cmocka_unit_test(each_way_a_chain_breaks_has_its_own_name),
		cmocka_unit_test(a_chain_longer_than_the_record_says_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
