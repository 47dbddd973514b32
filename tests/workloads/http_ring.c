/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_ring REQUESTS [poll]: a client that sends and receives as ever, and its server, which does so by io_uring; with poll a thread
 * of the kernel submits for it (IORING_SETUP_SQPOLL). Begins when its standard input ends. Prints how many calls of io_uring
 * made a ring or submitted to it, and how many transfers it made.
 */
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ring {
	int fd;
	struct io_uring_params p;
	char *queues; /* both, IORING_FEAT_SINGLE_MMAP */
	struct io_uring_sqe *sqes;
};

static unsigned calls, transfers;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned *in_queues(const struct ring *r, unsigned offset)
{
	return (unsigned *)(r->queues + offset);
}

static void ring_open(struct ring *r, int polls)
{
	r->p = (struct io_uring_params){ .flags = polls ? IORING_SETUP_SQPOLL : 0, .sq_thread_idle = 1000 };
	r->fd = (int)syscall(SYS_io_uring_setup, 1, &r->p);
	if (r->fd < 0)
		die("io_uring_setup");
	calls++;
	r->queues = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
	if (r->queues == MAP_FAILED || r->sqes == MAP_FAILED)
		die("mmap");
}

/* To the kernel, or to its thread, which has to be woken when it sleeps. */
static void ring_submit(const struct ring *r)
{
	unsigned flags = 0;

	if (r->p.flags & IORING_SETUP_SQPOLL) {
		if (!(__atomic_load_n(in_queues(r, r->p.sq_off.flags), __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP))
			return;
		flags = IORING_ENTER_SQ_WAKEUP;
	}
	calls++;
	if (syscall(SYS_io_uring_enter, r->fd, 1, 0, flags, NULL, 0) != 1)
		die("io_uring_enter");
}

/* One operation, from its begin to its end: what it came to. */
static int ring_do(const struct ring *r, struct io_uring_sqe sqe)
{
	unsigned *head = in_queues(r, r->p.cq_off.head), *tail = in_queues(r, r->p.cq_off.tail);
	const struct io_uring_cqe *cqes = (void *)in_queues(r, r->p.cq_off.cqes);
	int res;

	r->sqes[0] = sqe;
	*in_queues(r, r->p.sq_off.array) = 0;
	__atomic_fetch_add(in_queues(r, r->p.sq_off.tail), 1, __ATOMIC_SEQ_CST);
	ring_submit(r);
	while (*head == __atomic_load_n(tail, __ATOMIC_ACQUIRE))
		if (syscall(SYS_io_uring_enter, r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			die("io_uring_enter");
	res = cqes[*head & *in_queues(r, r->p.cq_off.ring_mask)].res;
	__atomic_fetch_add(head, 1, __ATOMIC_RELEASE);
	if (res > 0)
		transfers++;
	return res;
}

/* Both ends of a connection. */
static void connect_both(int *client, int *server)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(listener, (void *)&in, len) < 0 || listen(listener, 1) < 0 || getsockname(listener, (void *)&in, &len) < 0)
		die("listen");
	*client = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(*client, (void *)&in, len) < 0 || (*server = accept(listener, NULL, NULL)) < 0)
		die("connect");
	close(listener);
}

static void serve(const struct ring *r, int fd)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	char bytes[1024];

	if (ring_do(r, (struct io_uring_sqe){ .opcode = IORING_OP_RECV, .fd = fd, .addr = (uintptr_t)bytes, .len = sizeof(bytes) }) <= 0 ||
	    ring_do(r, (struct io_uring_sqe){ .opcode = IORING_OP_SEND, .fd = fd, .addr = (uintptr_t)answer, .len = sizeof(answer) - 1 }) <= 0)
		die("io_uring");
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1, client, server;
	char request[100], bytes[1024];
	struct ring r;

	while (getchar() != EOF)
		;
	ring_open(&r, argc > 2 && !strcmp(argv[2], "poll"));
	connect_both(&client, &server);
	for (int i = 0; i < n; i++) {
		int len = snprintf(request, sizeof(request), "GET /ring/%d HTTP/1.1\r\nHost: x\r\n\r\n", i);

		if (send(client, request, (size_t)len, 0) != len)
			die("send");
		serve(&r, server);
		if (recv(client, bytes, sizeof(bytes), 0) <= 0)
			die("recv");
	}
	printf("%u %u\n", calls, transfers);
	return 0;
}
