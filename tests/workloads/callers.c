/* SPDX-License-Identifier: Apache-2.0 */
/*
 * callers SECONDS: two functions have the same libc functions and one of our own work for them, one of them three times as much.
 * Prints what each had from each by the thread's own clock: "often_sort 503000000".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "burn.h"

enum { SORT, PRINT, ALLOCATE, MIX, N_WORKS, N = 2000 };

static const char *const names[N_WORKS] = { "sort", "print", "allocate", "mix" };
static int values[N];
static char text[64];
static void *kept[16];

__attribute__((noinline)) static int compare(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

__attribute__((noinline)) static uint64_t mix(uint64_t x, int times)
{
	for (int i = 0; i < times * 500; i++)
		x = (x ^ x >> 29) * 6364136223846793005ull + 1442695040888963407ull;
	return x;
}

static uint64_t lap(uint64_t *begin)
{
	uint64_t now = thread_cpu_ns(), spent = now - *begin;

	*begin = now;
	return spent;
}

/* Each calls libc itself: whoever is found above libc's frames must be the one it says. */
#define CALLER(name)                                                                 \
	__attribute__((noinline)) static void name(int times, uint64_t *spent)       \
	{                                                                            \
		uint64_t begin = thread_cpu_ns();                                    \
                                                                                     \
		for (int i = 0; i < times; i++) {                                    \
			for (int j = 0; j < N; j++)                                  \
				values[j] = (j + i) * 7919 % 10007;                  \
			lap(&begin);                                                 \
			qsort(values, N, sizeof(*values), compare);                  \
			spent[SORT] += lap(&begin);                                  \
			for (int j = 0; j < N; j++)                                  \
				snprintf(text, sizeof(text), "%d:%.3f", j, j / 7.0); \
			spent[PRINT] += lap(&begin);                                 \
			for (int j = 0; j < 4 * N; j++) {                            \
				free(kept[j % 16]);                                  \
				kept[j % 16] = malloc((size_t)(j * 37 % 900));       \
			}                                                            \
			spent[ALLOCATE] += lap(&begin);                              \
			for (int j = 0; j < N; j++)                                  \
				burn_sink = mix(burn_sink, 1);                       \
			spent[MIX] += lap(&begin);                                   \
		}                                                                    \
	}
CALLER(often)
CALLER(seldom)

int main(int argc, char **argv)
{
	uint64_t of_often[N_WORKS] = { 0 }, of_seldom[N_WORKS] = { 0 };
	uint64_t end = thread_cpu_ns() + (uint64_t)((argc > 1 ? atof(argv[1]) : 1) * 1e9);

	while (thread_cpu_ns() < end) {
		often(3, of_often);
		seldom(1, of_seldom);
	}
	for (int i = 0; i < N_WORKS; i++)
		printf("often_%s %llu\nseldom_%s %llu\n", names[i], (unsigned long long)of_often[i],
		       names[i], (unsigned long long)of_seldom[i]);
	return 0;
}
