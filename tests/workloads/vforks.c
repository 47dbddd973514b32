/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vforks RATE SECONDS: starts RATE children a second for so long, each by vfork and exec of this static program,
 * that burns 0.3 ms in vfork_child() and ends. Prints "vfork_child N", how many there were.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "burn.h"

BURN(vfork_child)

extern char **environ;

static void sleep_until(struct timespec *at, long step_ns)
{
	at->tv_nsec += step_ns;
	if (at->tv_nsec >= 1000000000) {
		at->tv_nsec -= 1000000000;
		at->tv_sec++;
	}
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, at, NULL);
}

int main(int argc, char **argv)
{
	char *child[] = { argv[0], (char *)"--child", NULL };
	struct timespec at;
	long rate, count;
	pid_t pid;

	if (argc == 2 && !strcmp(argv[1], "--child"))
		return vfork_child(300000) == 0;
	rate = argc == 3 ? atol(argv[1]) : 0;
	if (rate < 1)
		return 2;
	count = rate * atol(argv[2]);
	clock_gettime(CLOCK_MONOTONIC, &at);
	for (long i = 0; i < count; i++) {
		if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, child, environ))
			return 1;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		sleep_until(&at, 1000000000 / rate);
	}
	while (wait(NULL) > 0)
		;
	printf("vfork_child %ld\n", count);
	return 0;
}
