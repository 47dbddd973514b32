/* SPDX-License-Identifier: Apache-2.0 */
/*
 * young COPY...: runs each copy of itself for 40 ms. A copy computes in ms_0(), ms_1(), ... ms_39(): the function says
 * how many milliseconds ago its exec() was called. None has a frame pointer.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t born_ns;
static volatile uint64_t sink;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* As long as it is that millisecond; gone by already: not at all. */
#define MS(n)                                                                                      \
	__attribute__((noinline)) static void ms_##n(void)                                         \
	{                                                                                          \
		while ((now_ns() - born_ns) / 1000000 <= n)                                        \
			for (int i = 0; i < 2000; i++)                                             \
				sink = sink * 6364136223846793005ull + 1442695040888963407ull;     \
	}
#define ALL(X)                                                                                     \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) \
	X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32) X(33) X(34) X(35) X(36) X(37) X(38) X(39)

ALL(MS)
#define NAME(n) ms_##n,
static void (*const volatile each[])(void) = { ALL(NAME) };

static void run_copy(char *path)
{
	char text[32];
	pid_t pid = fork();

	if (pid == 0) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)now_ns());
		setenv("BORN_NS", text, 1);
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	const char *born = getenv("BORN_NS");

	for (int i = 1; i < argc; i++)
		run_copy(argv[i]);
	born_ns = born ? strtoull(born, NULL, 10) : 0;
	for (size_t i = 0; born && i < sizeof(each) / sizeof(*each); i++)
		each[i]();
	return 0;
}
