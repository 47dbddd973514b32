/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load SECONDS DEPTH: one thread per CPU computes below DEPTH calls, with frame pointers, for so long.
 * Prints how many rounds of work all of them did: what a profiler costs is what is missing from it.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double seconds;
static int depth;
static volatile uint64_t sink;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

__attribute__((noinline)) static uint64_t compute(double end)
{
	uint64_t x = 1, rounds = 0;

	while (now() < end) {
		for (int i = 0; i < 20000; i++)
			x = x * 6364136223846793005ull + 1442695040888963407ull;
		sink = x;
		rounds++;
	}
	return rounds;
}

__attribute__((noinline)) static uint64_t descend(int left, double end)
{
	uint64_t rounds = left > 0 ? descend(left - 1, end) : compute(end);

	return rounds + (sink == 1);
}

static void *run(void *arg)
{
	*(uint64_t *)arg = descend(depth, now() + seconds);
	return NULL;
}

int main(int argc, char **argv)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t *threads = calloc((size_t)n, sizeof(*threads));
	uint64_t *rounds = calloc((size_t)n, sizeof(*rounds)), sum = 0;

	seconds = argc > 1 ? atof(argv[1]) : 1;
	depth = argc > 2 ? atoi(argv[2]) : 20;
	for (long i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, run, &rounds[i]))
			return 1;
	for (long i = 0; i < n; i++) {
		pthread_join(threads[i], NULL);
		sum += rounds[i];
	}
	printf("%llu\n", (unsigned long long)sum);
	return 0;
}
