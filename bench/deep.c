/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deep SECONDS DEPTH SWEEP_MIB: computes below DEPTH calls of as many functions (at most 64), none with a frame
 * pointer, each with a frame of its own size. With a sweep, memory is read between the calls' samples, so that
 * whoever walks the stack finds nothing of it or of his tables in a cache.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double end;
static size_t sweep_bytes;
static const volatile uint8_t *sweep;
static volatile uint64_t sink;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

__attribute__((noinline)) static uint64_t leaf(int depth)
{
	uint64_t x = (uint64_t)depth, rounds = 0;

	while (now() < end) {
		for (int i = 0; i < 20000; i++)
			x = x * 6364136223846793005ull + 1442695040888963407ull;
		for (size_t i = 0; i < sweep_bytes; i += 64)
			x += sweep[i];
		sink = x;
		rounds++;
	}
	return rounds;
}

static uint64_t (*const volatile levels[])(int);

#define LEVEL(n)                                                                                   \
	__attribute__((noinline)) static uint64_t level_##n(int depth)                             \
	{                                                                                          \
		volatile uint64_t frame[1 + n % 13] = { 0 };                                       \
		uint64_t r = depth > n ? levels[n + 1](depth) : leaf(depth);                       \
                                                                                                   \
		return r + frame[n % 13];                                                          \
	}
#define LEVELS(X)                                                                                  \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16)   \
	X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32) \
	X(33) X(34) X(35) X(36) X(37) X(38) X(39) X(40) X(41) X(42) X(43) X(44) X(45) X(46) X(47) X(48) \
	X(49) X(50) X(51) X(52) X(53) X(54) X(55) X(56) X(57) X(58) X(59) X(60) X(61) X(62) X(63)

LEVELS(LEVEL)
#define NAME(n) level_##n,
static uint64_t (*const volatile levels[])(int) = { LEVELS(NAME) };

int main(int argc, char **argv)
{
	int depth = argc > 2 ? atoi(argv[2]) : 60;

	end = now() + (argc > 1 ? atof(argv[1]) : 1);
	sweep_bytes = (argc > 3 ? strtoul(argv[3], NULL, 10) : 0) << 20;
	sweep = calloc(1, sweep_bytes + 1);
	if (!sweep || depth < 1 || depth > 64)
		return 2;
	for (size_t i = 0; i < sweep_bytes; i += 4096)
		((volatile uint8_t *)sweep)[i] = 1;
	printf("%llu\n", (unsigned long long)levels[0](depth - 1));
	return 0;
}
