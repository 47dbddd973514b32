/* SPDX-License-Identifier: Apache-2.0 */
/*
 * services RATE SECONDS US: so many processes a second, each an exec of this program that burns US microseconds in the
 * function of its service and ends. They begin at random, each within its period: not in step with a timer that samples.
 * The service is what OTEL_SERVICE_NAME says, "PREFIX-0" to "PREFIX-3" with PREFIX from the variable of that name here: a
 * stack contradicts a wrong label.
 * Prints what the children of each burnt by their own clocks: "service_0 5003000000".
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "burn.h"

BURN(service_0)
BURN(service_1)
BURN(service_2)
BURN(service_3)

extern char **environ;

enum { SERVICES = 4 };

struct burnt {
	uint64_t service, ns;
};

static int child(const char *which, const char *us, const char *out_fd)
{
	static uint64_t (*const functions[SERVICES])(uint64_t) = { service_0, service_1, service_2, service_3 };
	struct burnt b = { .service = strtoull(which, NULL, 10) };

	b.ns = functions[b.service % SERVICES](strtoull(us, NULL, 10) * 1000);
	return write(atoi(out_fd), &b, sizeof(b)) == sizeof(b) ? 0 : 1;
}

static int start(const char *prefix, unsigned int service, const char *us, const char *out_fd)
{
	char which[2] = { (char)('0' + service), 0 }, name[128];
	char *argv[] = { "w_services", (char *)"--child", which, (char *)us, (char *)out_fd, NULL };
	pid_t pid;

	snprintf(name, sizeof(name), "%s-%u", prefix, service);
	setenv("OTEL_SERVICE_NAME", name, 1);
	return posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* Waits for one child and adds what it burnt. */
static int take(int fd, uint64_t sums[SERVICES])
{
	struct burnt b;

	if (read(fd, &b, sizeof(b)) != sizeof(b) || wait(NULL) < 0)
		return 1;
	sums[b.service % SERVICES] += b.ns;
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t sums[SERVICES] = { 0 }, begin = now_ns(), rate, total;
	const char *prefix = getenv("PREFIX");
	int pipes[2], running = 0;
	char fd[16];

	if (argc == 5 && !strcmp(argv[1], "--child"))
		return child(argv[2], argv[3], argv[4]);
	if (argc != 4 || !prefix || pipe(pipes))
		return 2;
	rate = strtoull(argv[1], NULL, 10);
	total = rate * strtoull(argv[2], NULL, 10);
	snprintf(fd, sizeof(fd), "%d", pipes[1]);
	for (uint64_t i = 0; i < total; i++) {
		uint64_t at = begin + (i * 1000000000ull + (uint64_t)rand() * 1000000000ull / RAND_MAX) / rate;

		while (now_ns() < at)
			usleep(100);
		if (running == 8 && take(pipes[0], sums))
			return 1;
		running -= running == 8;
		if (start(prefix, (unsigned int)(i % SERVICES), argv[3], fd))
			return 1;
		running++;
	}
	for (; running; running--)
		if (take(pipes[0], sums))
			return 1;
	for (int i = 0; i < SERVICES; i++)
		printf("service_%d %llu\n", i, (unsigned long long)sums[i]);
	return 0;
}
