/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storm COUNT MS PARALLEL: COUNT processes, each a fork and exec of this program that burns MS
 * milliseconds of its own CPU in storm_child() and ends; PARALLEL at a time.
 * Prints "storm_child NS", the sum of the CPU time the children burnt there by their own clocks.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "burn.h"

BURN(storm_child)

extern char **environ;

static int child(uint64_t ms, const char *out_fd)
{
	uint64_t burnt = storm_child(ms * 1000000ull);

	return write(atoi(out_fd), &burnt, sizeof(burnt)) == sizeof(burnt) ? 0 : 1;
}

static int start(const char *self, const char *ms, const char *out_fd)
{
	char *argv[] = { (char *)self, (char *)"--child", (char *)ms, (char *)out_fd, NULL };
	pid_t pid;

	return posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ);
}

int main(int argc, char **argv)
{
	uint64_t sum = 0, one;
	char fd[16];
	int pipes[2], count, parallel, running = 0;

	if (argc == 4 && !strcmp(argv[1], "--child"))
		return child(strtoull(argv[2], NULL, 10), argv[3]);
	if (argc != 4 || pipe(pipes))
		return 2;
	count = atoi(argv[1]);
	parallel = atoi(argv[3]);
	snprintf(fd, sizeof(fd), "%d", pipes[1]);
	for (int i = 0; i < count || running;) {
		if (i < count && running < parallel) {
			if (start(argv[0], argv[2], fd))
				return 1;
			i++;
			running++;
			continue;
		}
		if (read(pipes[0], &one, sizeof(one)) != sizeof(one) || wait(NULL) < 0)
			return 1;
		sum += one;
		running--;
	}
	printf("storm_child %llu\n", (unsigned long long)sum);
	return 0;
}
