/* SPDX-License-Identifier: Apache-2.0 */
/* The budget against simulated loads: a sample costs so much, the rate is what it says. */
#include "unit.h"

#include "agent/budget.h"
#include "base/units.h"

enum { CPUS = 2 };

struct load {
	double sample_s; /* CPU of one sample, agent and program */
	double fixed_s;  /* each second, whatever the rate */
	uint64_t memory;
};

struct simulation {
	struct budget b;
	struct budget_used used;
	double samples_s; /* CPU time the samples stand for */
};

static struct simulation begin(double percent, uint64_t memory, uint32_t hz)
{
	struct simulation s = { .used = { .cpus = CPUS } };

	budget_init(&s.b, &(struct budget_limits){ .cpu_percent = percent, .memory_bytes = memory, .frequency_hz = hz });
	return s;
}

/* Both CPUs are busy for a second. */
static bool second(struct simulation *s, const struct load *l)
{
	double samples = s->b.frequency_hz * (double)CPUS;

	s->used.wall_ns += NSEC_PER_SEC;
	s->used.cpu_ns += (uint64_t)((samples * l->sample_s + l->fixed_s) * 1e9);
	s->used.memory_bytes = l->memory;
	s->samples_s += samples / s->b.frequency_hz;
	return budget_step(&s->b, &s->used);
}

static double cpu_s(const struct simulation *s)
{
	return (double)s->used.cpu_ns / 1e9;
}

static void a_load_that_fits_keeps_its_rate(void **state)
{
	struct simulation s = begin(1, 0, 99);
	struct load l = { .sample_s = 50e-6 }; /* 0.5 % of the host */

	for (int i = 0; i < 1000; i++) {
		assert_false(second(&s, &l));
		assert_int_equal(s.b.frequency_hz, 99);
		assert_int_equal(s.b.limit, BUDGET_FREE);
	}
	assert_true(s.b.used_percent > 0.49 && s.b.used_percent < 0.5);
}

static void no_limit_is_no_limit(void **state)
{
	struct simulation s = begin(0, 0, 999);
	struct load l = { .sample_s = 500e-6, .memory = 1ull << 40 };

	for (int i = 0; i < 100; i++) {
		assert_false(second(&s, &l));
		assert_int_equal(s.b.frequency_hz, 999);
	}
}

/* Whatever is used in T is at most the share of T + 30 s; and it is used, not wasted. */
static void cost_over_any_time_is_bounded(void **state)
{
	for (double factor = 1.1; factor < 200; factor *= 1.7) {
		struct simulation s = begin(1, 0, 199);
		struct load l = { .sample_s = factor * 0.01 / 199 };

		for (int t = 1; t <= 600; t++) {
			second(&s, &l);
			/* A second is begun before its cost is known. */
			assert_true(cpu_s(&s) <= CPUS * 0.01 * (t + 30 + factor));
		}
		assert_int_equal(s.b.limit, BUDGET_CPU);
		assert_true(cpu_s(&s) >= CPUS * 0.01 * 600 * 0.8);
		assert_true(s.samples_s > CPUS * 599.0 && s.samples_s < CPUS * 601.0);
		assert_true(s.b.limited_ns[BUDGET_CPU] > 400 * NSEC_PER_SEC);
	}
}

static void the_rate_settles(void **state)
{
	struct simulation s = begin(1, 0, 99);
	struct load l = { .sample_s = 303e-6 }; /* three times too much */
	int changes = 0;

	for (int i = 0; i < 200; i++)
		second(&s, &l);
	for (int i = 0; i < 200; i++) {
		uint32_t hz = s.b.frequency_hz;

		second(&s, &l);
		changes += hz != s.b.frequency_hz;
		assert_in_range(s.b.frequency_hz, 25, 42);
	}
	assert_true(changes < 20);
}

/* What is sampled in a second is named and sent in the next: half of the cost comes late. */
static void a_rate_far_too_high_settles_without_a_stop(void **state)
{
	for (double factor = 2; factor <= 12; factor *= 1.5) {
		struct simulation s = begin(1, 0, 4999);
		struct load now = { .sample_s = factor * 0.01 / 4999 / 2 };
		uint32_t before = 4999;

		for (int t = 1; t <= 300; t++) {
			uint32_t hz = s.b.frequency_hz;

			now.fixed_s = before * (double)CPUS * now.sample_s;
			second(&s, &now);
			before = hz;
			assert_true(s.b.frequency_hz > 4999 / factor / 3);
			if (t > 100)
				assert_in_range(s.b.frequency_hz, (uint32_t)(4999 / factor * 0.8), (uint32_t)(4999 / factor * 1.2));
		}
		assert_true(s.b.level > 12 && s.b.level < 18);
	}
}

static void a_burst_costs_no_samples(void **state)
{
	struct simulation s = begin(1, 0, 99);
	struct load quiet = { .sample_s = 20e-6 }, naming = { .sample_s = 20e-6, .fixed_s = 0.2 };

	for (int i = 0; i < 150; i++) {
		second(&s, i % 15 ? &quiet : &naming);
		assert_int_equal(s.b.frequency_hz, 99);
	}
}

static void it_comes_back_when_the_load_goes(void **state)
{
	struct simulation s = begin(1, 0, 99);
	struct load heavy = { .sample_s = 2e-3 }, light = { .sample_s = 20e-6 };
	int back = 0;

	for (int i = 0; i < 100; i++)
		second(&s, &heavy);
	assert_in_range(s.b.frequency_hz, 1, 10);
	for (; s.b.limit != BUDGET_FREE; back++) {
		second(&s, &light);
		assert_true(back < 60);
	}
	assert_int_equal(s.b.frequency_hz, 99);
}

static void memory_halves_the_rate_and_asks_to_save(void **state)
{
	struct simulation s = begin(0, 100 * MIB, 99);
	struct load over = { .memory = 101 * MIB }, near = { .memory = 95 * MIB }, below = { .memory = 80 * MIB };
	uint32_t halves[] = { 49, 24, 12, 6, 3, 1, 1 }, saves = 0;

	assert_true(second(&s, &over));
	for (uint32_t i = 0; i < ARRAY_SIZE(halves); i++) {
		assert_int_equal(s.b.frequency_hz, halves[i]);
		assert_int_equal(s.b.limit, BUDGET_MEMORY);
		saves += second(&s, &over);
	}
	for (int i = 0; i < 30; i++)
		saves += second(&s, &over);
	assert_int_equal(saves, 3); /* in 37 s, each ten */
	second(&s, &near);
	assert_int_equal(s.b.frequency_hz, 1); /* neither way: no swinging around the limit */
	for (int i = 0; i < 8; i++)
		second(&s, &below);
	assert_int_equal(s.b.frequency_hz, 99);
	assert_int_equal(s.b.limit, BUDGET_FREE);
	assert_true(second(&s, &over)); /* short again: at once */
}

static void the_tighter_of_two_limits_is_named(void **state)
{
	struct simulation s = begin(1, 100 * MIB, 99);
	struct load both = { .sample_s = 100e-6, .memory = 101 * MIB };

	second(&s, &both);
	assert_int_equal(s.b.limit, BUDGET_MEMORY);
	both = (struct load){ .sample_s = 2e-3, .memory = 10 * MIB };
	for (int i = 0; i < 60; i++)
		second(&s, &both);
	assert_int_equal(s.b.limit, BUDGET_CPU);
	assert_string_equal(budget_limit_name(s.b.limit), "max_cpu_percent");
}

static void new_limits_apply_at_once(void **state)
{
	struct simulation s = begin(0.1, 0, 99);
	struct load l = { .sample_s = 303e-6 };

	for (int i = 0; i < 60; i++)
		second(&s, &l);
	assert_int_equal(s.b.limit, BUDGET_CPU);
	budget_set(&s.b, &(struct budget_limits){ .frequency_hz = 199 });
	assert_int_equal(s.b.frequency_hz, 199);
	assert_int_equal(s.b.limit, BUDGET_FREE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_load_that_fits_keeps_its_rate),
		cmocka_unit_test(no_limit_is_no_limit),
		cmocka_unit_test(cost_over_any_time_is_bounded),
		cmocka_unit_test(the_rate_settles),
		cmocka_unit_test(a_rate_far_too_high_settles_without_a_stop),
		cmocka_unit_test(a_burst_costs_no_samples),
		cmocka_unit_test(it_comes_back_when_the_load_goes),
		cmocka_unit_test(memory_halves_the_rate_and_asks_to_save),
		cmocka_unit_test(the_tighter_of_two_limits_is_named),
		cmocka_unit_test(new_limits_apply_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
