/* SPDX-License-Identifier: Apache-2.0 */
/* How long a service is told of, and that however many come and go few are kept. */
#include "unit.h"

#include <stdio.h>

#include "trace/services.h"

enum { FORGET = 300 };

static struct services *make(void)
{
	struct services *s;

	assert_int_equal(services_new(FORGET, &s), 0);
	return s;
}

static void labels_are_one_service_as_long_as_it_stays(void **state)
{
	struct services *s = make();
	uint32_t a = services_add(s, "{a}"), b = services_add(s, "{b}");

	assert_true(a && b && a != b);
	assert_int_equal(services_add(s, "{a}"), a);
	assert_string_equal(services_labels(s, a), "{a}");
	assert_string_equal(services_labels(s, b), "{b}");
	assert_null(services_labels(s, 0));
	assert_null(services_labels(s, b + 1));
	services_free(s);
}

static void it_goes_a_while_after_its_last_process(void **state)
{
	struct services *s = make();
	uint32_t a = services_add(s, "{a}"), b = services_add(s, "{b}");

	for (uint64_t now = 1000; now < 1000 + FORGET; now += 100) {
		services_begin(s);
		services_alive(s, b);
		assert_int_equal(services_end(s, now), 0);
		assert_string_equal(services_labels(s, a), "{a}");
	}
	services_begin(s);
	services_alive(s, b);
	assert_int_equal(services_end(s, 1000 + FORGET), 1);
	assert_null(services_labels(s, a));
	assert_string_equal(services_labels(s, b), "{b}");
	assert_int_equal(services_add(s, "{b}"), b);
	assert_true(services_add(s, "{a}") > b); /* a number is never used again */
	services_free(s);
}

static void one_that_comes_back_in_time_stays(void **state)
{
	struct services *s = make();
	uint32_t a = services_add(s, "{a}");

	services_begin(s);
	services_end(s, 1000);
	services_begin(s);
	assert_int_equal(services_add(s, "{a}"), a);
	services_end(s, 1000 + FORGET);
	services_begin(s);
	assert_int_equal(services_end(s, 1001 + FORGET), 0);
	assert_int_equal(services_add(s, "{a}"), a);
	services_free(s);
}

/* A service a second, each of one process that lives as long. */
static void of_many_that_come_and_go_few_are_kept(void **state)
{
	struct services *s = make();
	uint32_t ids[5000];
	char labels[32];

	for (uint32_t i = 0; i < 5000; i++) {
		snprintf(labels, sizeof(labels), "{%u}", i);
		services_begin(s);
		ids[i] = services_add(s, labels);
		services_end(s, 1000 + i / 10); /* ten at each time: more than are kept */
	}
	for (uint32_t i = 0, kept = 0; i < 5000; i++) {
		kept += services_labels(s, ids[i]) != NULL;
		if (i >= 5000 - SERVICES_GONE + 10)
			assert_non_null(services_labels(s, ids[i]));
		if (i == 4999)
			assert_in_range(kept, SERVICES_GONE - 10, SERVICES_GONE + 1);
	}
	services_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_are_one_service_as_long_as_it_stays),
		cmocka_unit_test(it_goes_a_while_after_its_last_process),
		cmocka_unit_test(one_that_comes_back_in_time_stays),
		cmocka_unit_test(of_many_that_come_and_go_few_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
