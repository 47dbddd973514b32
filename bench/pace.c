/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace - a client of HTTP/1.1 that wrk is not.
 *
 *	bench_pace PORT RATE SECONDS       so many requests a second over one connection: one JSON line, latencies in ns
 *	bench_pace PORT hold CONNECTIONS   one request on each of them, then none, until standard input ends
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char request[] = "GET /answer HTTP/1.1\r\nHost: localhost\r\n\r\n";

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int dial(const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd >= 0 && !connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return fd;
	perror("pace");
	exit(1);
}

/* The answer is one small segment. */
static void ask(int fd)
{
	char answer[4096];

	if (write(fd, request, sizeof(request) - 1) < 0 || read(fd, answer, sizeof(answer)) <= 0 || strncmp(answer, "HTTP/1.1 200", 12)) {
		fprintf(stderr, "pace: no answer\n");
		exit(1);
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int pace(const char *port, uint64_t rate, uint64_t seconds)
{
	uint64_t n = rate * seconds, begin, sum = 0;
	uint32_t *ns = calloc(n, sizeof(*ns));
	int fd = dial(port);

	if (!ns || !n)
		return 1;
	begin = now_ns();
	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = begin + i * 1000000000 / rate, sent;
		struct timespec until = { .tv_sec = (time_t)(at / 1000000000), .tv_nsec = (long)(at % 1000000000) };

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		sent = now_ns();
		ask(fd);
		sum += ns[i] = (uint32_t)(now_ns() - sent);
	}
	qsort(ns, n, sizeof(*ns), compare);
	printf("{\"requests\": %lu, \"mean_ns\": %lu, \"p50_ns\": %u, \"p99_ns\": %u}\n", n, sum / n, ns[n / 2], ns[n * 99 / 100]);
	free(ns);
	return 0;
}

static int hold(const char *port, int n)
{
	char end;

	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ (rlim_t)n + 64, (rlim_t)n + 64 });
	for (int i = 0; i < n; i++)
		ask(dial(port));
	puts("held");
	fflush(stdout);
	return read(0, &end, 1) < 0;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	return strcmp(argv[2], "hold") ? pace(argv[1], strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10)) : hold(argv[1], atoi(argv[3]));
}
