/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * bench - one number with a unit, and its price in allocations.
 *
 *	BENCH(pprof_encode, "stack", 20000)     20000 stacks a round; time is told per stack
 *	{
 *		...prepare...
 *		BENCH_LOOP(b) { ...one round... }
 *		bench_metric(b, "bytes_per_stack", ...);
 *	}
 *
 * Prints one JSON line per bench: the fastest of the rounds of one second, since noise only adds; none when
 * it returns without a round. Units that are known only at run time are set before the loop (b->units).
 */
#include <stdbool.h>
#include <stdint.h>

struct bench {
	const char *name, *unit;
	uint64_t units;
	void (*run)(struct bench *b);
	struct bench *next;

	uint64_t begin_ns, round_ns, best_ns, rounds, allocs;
	char metrics[256];
};

void bench_register(struct bench *b);
bool bench_again(struct bench *b);
void bench_metric(struct bench *b, const char *name, double value);

#define BENCH(id, unit_name, n)                                                                    \
	static void bench_run_##id(struct bench *b);                                               \
	static struct bench bench_##id = { .name = #id, .unit = unit_name, .units = n, .run = bench_run_##id }; \
	__attribute__((constructor)) static void bench_register_##id(void)                        \
	{                                                                                          \
		bench_register(&bench_##id);                                                       \
	}                                                                                          \
	static void bench_run_##id(struct bench *b)

#define BENCH_LOOP(b) while (bench_again(b))
