/* SPDX-License-Identifier: Apache-2.0 */
/* Whose request a thread's time belongs to. */
#include "unit.h"

#include "bpf/flight.h"

static void time_is_a_requests_when_nothing_else_is_possible(void **state)
{
	const struct {
		struct flight f;
		enum ev_join join;
	} cases[] = {
		{ { .open = 0 }, EV_JOIN_NONE },
		{ { .open = 0, .span_id = 7 }, EV_JOIN_NONE }, /* it is being filled */
		{ { .open = 1, .span_id = 7 }, EV_JOIN_REQUEST },
		{ { .open = 1, .span_id = 7, .flags = FLIGHT_SAMPLED | FLIGHT_EXACT }, EV_JOIN_REQUEST },
		{ { .open = 2, .span_id = 7 }, EV_JOIN_SEVERAL },
		{ { .open = 1, .span_id = 7, .flags = FLIGHT_SHARED }, EV_JOIN_SEVERAL }, /* the other has ended, and may go on */
		{ { .open = 1 }, EV_JOIN_SEVERAL }, /* the one that was known has ended */
		{ { .open = 1, .span_id = 7, .hands_over = 1 }, EV_JOIN_HANDED_OVER },
		{ { .open = 0, .hands_over = 1 }, EV_JOIN_NONE },
	};

	assert_int_equal(flight_join(NULL), EV_JOIN_NONE);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(flight_join(&cases[i].f), cases[i].join);
		assert_int_equal(flight_is_sure(&cases[i].f), cases[i].join == EV_JOIN_REQUEST);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(time_is_a_requests_when_nothing_else_is_possible) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
