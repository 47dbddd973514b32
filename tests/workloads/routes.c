/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes PORT: an HTTP server of known cost, a thread for each connection: /dear/N takes 20 ms in dear(), /cheap/N 1 ms in
 * cheap(), /fail/N 1 ms in cheap() and ends in 503; a thread of its own burns 10 ms each 100 ms in housekeeping(), for no request.
 * At the end of its input it prints what each took by the threads' own clocks, from the head's last byte read to the
 * response's written, and what the process did: "dear 60 1200456000", ..., "process 1700000000".
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "burn.h"

BURN(dear)
BURN(cheap)
BURN(housekeeping)

enum { DEAR, CHEAP, FAIL, KINDS };

static const struct {
	const char *path;
	uint64_t (*work)(uint64_t ns);
	uint64_t ns;
	const char *answer;
} kinds[KINDS] = { { "GET /dear/", dear, 20000000, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" },
		   { "GET /cheap/", cheap, 1000000, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" },
		   { "GET /fail/", cheap, 1000000, "HTTP/1.1 503 Not now\r\nContent-Length: 2\r\n\r\nno" } };

static uint64_t count[KINDS], spent[KINDS];
static int answering; /* so many threads */

static void answer(int fd, const char *head)
{
	uint64_t begin = thread_cpu_ns();

	for (int k = 0; k < KINDS; k++) {
		if (strncmp(head, kinds[k].path, strlen(kinds[k].path)))
			continue;
		kinds[k].work(kinds[k].ns);
		if (write(fd, kinds[k].answer, strlen(kinds[k].answer)) < 0)
			return;
		__atomic_add_fetch(&count[k], 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&spent[k], thread_cpu_ns() - begin, __ATOMIC_RELAXED);
	}
}

/* Clients wait for an answer before they ask again: a read ends with a head. */
static void *serve(void *arg)
{
	char head[4096];
	size_t n = 0;
	ssize_t r;
	int fd = (int)(intptr_t)arg;

	while (n < sizeof(head) - 1 && (r = read(fd, head + n, sizeof(head) - 1 - n)) > 0) {
		n += (size_t)r;
		head[n] = '\0';
		if (n < 4 || strcmp(head + n - 4, "\r\n\r\n"))
			continue;
		__atomic_add_fetch(&answering, 1, __ATOMIC_SEQ_CST);
		answer(fd, head);
		__atomic_sub_fetch(&answering, 1, __ATOMIC_SEQ_CST);
		n = 0;
	}
	close(fd);
	return NULL;
}

static void *keep_house(void *arg)
{
	(void)arg;
	for (;;) {
		housekeeping(10000000);
		usleep(100000);
	}
	return NULL;
}

static void *accept_all(void *arg)
{
	pthread_t thread;
	int fd, yes = 1;

	while ((fd = accept((int)(intptr_t)arg, NULL, NULL)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
		if (!pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd))
			pthread_detach(thread);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "0")),
				 .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
	struct timespec all;
	pthread_t thread;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 64) < 0 ||
	    pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)fd) || pthread_create(&thread, NULL, keep_house, NULL))
		return 1;
	while (getchar() != EOF)
		;
	while (__atomic_load_n(&answering, __ATOMIC_SEQ_CST))
		usleep(1000);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &all);
	for (int k = 0; k < KINDS; k++)
		printf("%.*s %llu %llu\n", (int)strcspn(kinds[k].path + 5, "/"), kinds[k].path + 5, (unsigned long long)count[k],
		       (unsigned long long)spent[k]);
	printf("process %llu\n", (unsigned long long)all.tv_sec * 1000000000ull + (unsigned long long)all.tv_nsec);
	return 0;
}
