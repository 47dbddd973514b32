/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * burn - spend CPU time by the clock of the thread itself, so that the answer is known.
 *
 * BURN(name) defines a function that burns at least so many ns and returns what it really burnt.
 * The clock is asked once per ~100 us of work: its own share stays below 1 %.
 */
#include <stdint.h>
#include <time.h>

static inline uint64_t thread_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static volatile uint64_t burn_sink;

#define BURN(name)                                                                                 \
	__attribute__((noinline)) uint64_t name(uint64_t ns);                                      \
	__attribute__((noinline)) uint64_t name(uint64_t ns)                                       \
	{                                                                                          \
		uint64_t begin = thread_cpu_ns(), now = begin, x = begin | 1;                      \
                                                                                                   \
		while (now - begin < ns) {                                                         \
			for (int i = 0; i < 100000; i++)                                           \
				x = x * 6364136223846793005ull + 1442695040888963407ull;           \
			burn_sink = x;                                                             \
			now = thread_cpu_ns();                                                     \
		}                                                                                  \
		return now - begin;                                                                \
	}
