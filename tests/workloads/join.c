/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join serve PORT: HTTP/1.1, a thread a connection. Each route's work is a function of its own: /dear burns 20 ms, /cheap 1 ms,
 * /asleep sleeps 5 ms, /mixed burns 4 ms around a request of its own for /cheap; behind the response each but the sleeper
 * goes on for 0.2 ms. At each line on its input it prints what each route used by its threads' clocks, from the head read
 * to the response written, and how many requests that were: "dear 20003000 1 cheap ...".
 * join relay PORT: the same, but one thread reads all requests, and works 1 ms after each, while others answer.
 * join ask PORT PATH,... SECONDS [N]: one request after the other over one connection, N of them in one write.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "burn.h"

enum { MS = 1000000, TAIL = MS / 5, HEAD_BYTES = 4096, CONNECTIONS = 64 };

static int port;

static int connect_to(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (void *)&to, sizeof(to)))
		exit(1);
	return fd;
}

/* n of them in one write, which take turns among the paths; how many answers came. */
static int ask(int fd, const char *paths, int n)
{
	char request[HEAD_BYTES], answer[HEAD_BYTES];
	const char *path = paths;
	int len = 0, left = n;

	for (int i = 0; i < n; i++) {
		int bytes = (int)strcspn(path, ",");

		len += snprintf(request + len, sizeof(request) - (size_t)len, "GET %.*s HTTP/1.1\r\nHost: x\r\n\r\n", bytes, path);
		path = path[bytes] ? path + bytes + 1 : paths;
	}
	if (write(fd, request, (size_t)len) != len)
		return 0;
	for (ssize_t got; left > 0 && (got = read(fd, answer, sizeof(answer))) > 0;)
		for (ssize_t i = 0; i < got; i++)
			left -= answer[i] == '!';
	return n - left;
}

/* ---- routes ---- */

BURN(work_of_dear)
BURN(work_of_cheap)
BURN(work_of_mixed)

/* A request that is being worked on. */
struct work {
	int fd;
	int *backend;
	uint64_t begin;
};

static struct account {
	const char *name;
	uint64_t ns, requests;
} accounts[] = { { "dear", 0, 0 }, { "cheap", 0, 0 }, { "asleep", 0, 0 }, { "mixed", 0, 0 } };

static void answer(const struct work *w, struct account *a)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!";

	if (write(w->fd, ok, sizeof(ok) - 1) < 0)
		return;
	__atomic_fetch_add(&a->ns, thread_cpu_ns() - w->begin, __ATOMIC_RELAXED);
	__atomic_fetch_add(&a->requests, 1, __ATOMIC_RELAXED);
}

__attribute__((noinline)) static void serve_dear(const struct work *w)
{
	work_of_dear(20 * MS);
	answer(w, &accounts[0]);
	work_of_dear(TAIL);
}

__attribute__((noinline)) static void serve_cheap(const struct work *w)
{
	work_of_cheap(1 * MS);
	answer(w, &accounts[1]);
	work_of_cheap(TAIL);
}

__attribute__((noinline)) static void serve_asleep(const struct work *w)
{
	usleep(5000);
	answer(w, &accounts[2]);
}

__attribute__((noinline)) static void serve_mixed(const struct work *w)
{
	work_of_mixed(2 * MS);
	if (!*w->backend)
		*w->backend = connect_to();
	ask(*w->backend, "/cheap", 1);
	work_of_mixed(2 * MS);
	answer(w, &accounts[3]);
	work_of_mixed(TAIL);
}

static void serve_one(const char *head, const struct work *w)
{
	static void (*const serve[])(const struct work *w) = { serve_dear, serve_cheap, serve_asleep, serve_mixed };

	for (size_t i = 0; i < sizeof(serve) / sizeof(serve[0]); i++)
		if (!strncmp(head + strlen("GET /"), accounts[i].name, strlen(accounts[i].name)))
			serve[i](w);
}

/* ---- a thread a connection ---- */

static void *connection(void *arg)
{
	int fd = (int)(intptr_t)arg, backend = 0;
	char heads[HEAD_BYTES];
	ssize_t got;

	while ((got = read(fd, heads, sizeof(heads) - 1)) > 0) {
		uint64_t begin = thread_cpu_ns();

		heads[got] = '\0';
		for (const char *head = heads, *end; (end = strstr(head, "\r\n\r\n")); head = end + 4, begin = thread_cpu_ns())
			serve_one(head, &(struct work){ fd, &backend, begin });
	}
	if (backend)
		close(backend);
	close(fd);
	return NULL;
}

/* ---- a thread that reads, others that answer ---- */

static int relay_pipe[2];

struct job {
	int fd;
	char head[64];
};

static void *worker(void *arg)
{
	struct job j;
	int backend = 0;

	(void)arg;
	while (read(relay_pipe[0], &j, sizeof(j)) == sizeof(j))
		serve_one(j.head, &(struct work){ j.fd, &backend, thread_cpu_ns() });
	return NULL;
}

BURN(work_of_reader)

/* What it works after it has handed a request on is no request's. */
static void *reader(void *arg)
{
	struct pollfd fds[CONNECTIONS + 1] = { { .fd = (int)(intptr_t)arg, .events = POLLIN } };
	char head[HEAD_BYTES];
	int n = 1;

	while (poll(fds, (nfds_t)n, -1) > 0) {
		if (fds[0].revents && n <= CONNECTIONS)
			fds[n++] = (struct pollfd){ .fd = accept(fds[0].fd, NULL, NULL), .events = POLLIN };
		for (int i = 1; i < n; i++) {
			struct job j = { .fd = fds[i].fd };
			ssize_t got = fds[i].revents ? read(fds[i].fd, head, sizeof(head)) : 0;

			if (fds[i].revents && got <= 0)
				fds[i].fd = -1;
			if (got <= 0)
				continue;
			memcpy(j.head, head, sizeof(j.head) - 1);
			if (write(relay_pipe[1], &j, sizeof(j)) < 0)
				return NULL;
			work_of_reader(1 * MS);
		}
	}
	return NULL;
}

static void *acceptor(void *arg)
{
	int listener = (int)(intptr_t)arg, fd;
	pthread_t thread;

	while ((fd = accept(listener, NULL, NULL)) >= 0)
		if (pthread_create(&thread, NULL, connection, (void *)(intptr_t)fd) || pthread_detach(thread))
			return NULL;
	return NULL;
}

static int listen_on(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 || bind(fd, (void *)&at, sizeof(at)) || listen(fd, CONNECTIONS) ? -1 : fd;
}

static int serve(int relays)
{
	int listener = listen_on();
	pthread_t thread;
	char line[16];

	if (listener < 0 || pipe(relay_pipe))
		return 1;
	for (int i = 0; i < 2 * relays; i++)
		if (pthread_create(&thread, NULL, worker, NULL))
			return 1;
	if (pthread_create(&thread, NULL, relays ? reader : acceptor, (void *)(intptr_t)listener))
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		for (size_t i = 0; i < sizeof(accounts) / sizeof(accounts[0]); i++)
			printf("%s %llu %llu ", accounts[i].name, (unsigned long long)accounts[i].ns, (unsigned long long)accounts[i].requests);
		printf("\n");
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	time_t end;
	int fd, n;

	if (argc < 3)
		return 2;
	port = atoi(argv[2]);
	if (argc == 3)
		return serve(!strcmp(argv[1], "relay"));
	if (argc < 5)
		return 2;
	end = time(NULL) + atoi(argv[4]);
	n = argc > 5 ? atoi(argv[5]) : 1;
	fd = connect_to();
	do
		if (ask(fd, argv[3], n) != n)
			return 1;
	while (time(NULL) < end);
	return 0;
}
