/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crowd PROCESSES CGROUPS FOLDER: so many processes of this program, spread over so many cgroups below FOLDER that are
 * named as containers are; each computes for a millisecond some three times a minute. Says "up" when all are there;
 * ends when its standard input does, and takes the cgroups away.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile uint64_t sink;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

__attribute__((noinline)) static void crowd_work(void)
{
	uint64_t end = now_ns() + 1000000;

	while (now_ns() < end)
		for (int i = 0; i < 1000; i++)
			sink += (uint64_t)i;
}

static int member(unsigned int seed)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	srand(seed);
	for (;;) {
		usleep((useconds_t)(rand() % 40000000));
		crowd_work();
	}
}

static char *cgroup(char *out, size_t len, const char *folder, int i, const char *file)
{
	snprintf(out, len, "%s/docker-%064x.scope%s", folder, i, file);
	return out;
}

static void join(const char *program, int i, const char *procs)
{
	char seed[16];
	int fd = open(procs, O_WRONLY);

	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(1);
	close(fd);
	snprintf(seed, sizeof(seed), "%d", i);
	execl(program, program, seed, (char *)NULL);
	_exit(1);
}

static void take_away(const char *folder, int cgroups)
{
	char path[512];

	kill(0, SIGTERM);
	while (wait(NULL) > 0)
		;
	for (int i = 0; i < cgroups; i++)
		rmdir(cgroup(path, sizeof(path), folder, i, ""));
}

int main(int argc, char **argv)
{
	int processes = argc == 4 ? atoi(argv[1]) : 0, cgroups = argc == 4 ? atoi(argv[2]) : 0;
	char path[512];

	if (argc == 2)
		return member((unsigned int)atoi(argv[1]));
	if (processes < 1 || cgroups < 1)
		return 2;
	setpgid(0, 0);
	for (int i = 0; i < cgroups; i++)
		mkdir(cgroup(path, sizeof(path), argv[3], i, ""), 0755);
	for (int i = 0; i < processes; i++)
		if (fork() == 0)
			join(argv[0], i, cgroup(path, sizeof(path), argv[3], i % cgroups, "/cgroup.procs"));
	signal(SIGTERM, SIG_IGN);
	puts("up");
	fflush(stdout);
	while (read(0, path, sizeof(path)) > 0)
		;
	take_away(argv[3], cgroups);
	return 0;
}
