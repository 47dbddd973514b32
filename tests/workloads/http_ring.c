/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_ring REQUESTS [poll|amid]: a client that sends and receives as ever, and its server, which does so by io_uring. With poll a
 * thread of the kernel submits for it (IORING_SETUP_SQPOLL); with amid each request comes while the server waits in a read() of
 * something else, into a buffer that holds another request: the kernel receives it on the way out of that call.
 * Begins when its standard input ends. Prints how many calls of io_uring made a ring or submitted to it, and how many transfers
 * it made.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <pthread.h>
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

struct late {
	int to, then, len; /* what is sent; then a byte */
	char request[100];
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

static void ring_begin(const struct ring *r, struct io_uring_sqe sqe)
{
	r->sqes[0] = sqe;
	*in_queues(r, r->p.sq_off.array) = 0;
	__atomic_fetch_add(in_queues(r, r->p.sq_off.tail), 1, __ATOMIC_SEQ_CST);
	ring_submit(r);
}

/* What the operation came to that was begun. */
static int ring_end(const struct ring *r)
{
	unsigned *head = in_queues(r, r->p.cq_off.head), *tail = in_queues(r, r->p.cq_off.tail);
	const struct io_uring_cqe *cqes = (void *)in_queues(r, r->p.cq_off.cqes);
	int res;

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

static void *send_late(void *arg)
{
	const struct late *l = arg;

	usleep(20000);
	if (send(l->to, l->request, (size_t)l->len, 0) != l->len)
		die("send");
	usleep(20000);
	if (write(l->then, "x", 1) != 1)
		die("write");
	return NULL;
}

static void wait_in_read(int fd, struct late *l)
{
	char other[] = "GET /wrong HTTP/1.1\r\nHost: x\r\n\r\n";
	pthread_t t;

	if (pthread_create(&t, NULL, send_late, l))
		die("pthread_create");
	while (read(fd, other, sizeof(other) - 1) < 0 && errno == EINTR)
		;
	pthread_join(t, NULL);
}

int main(int argc, char **argv)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	int n = argc > 1 ? atoi(argv[1]) : 1, amid = argc > 2 && !strcmp(argv[2], "amid"), server, ends[2];
	char bytes[1024];
	struct late l;
	struct ring r;

	while (getchar() != EOF)
		;
	ring_open(&r, argc > 2 && !strcmp(argv[2], "poll"));
	connect_both(&l.to, &server);
	if (pipe(ends) < 0)
		die("pipe");
	l.then = ends[1];
	for (int i = 0; i < n; i++) {
		l.len = snprintf(l.request, sizeof(l.request), "GET /ring/%d HTTP/1.1\r\nHost: x\r\n\r\n", i);
		if (!amid && send(l.to, l.request, (size_t)l.len, 0) != l.len)
			die("send");
		ring_begin(&r, (struct io_uring_sqe){ .opcode = IORING_OP_RECV, .fd = server, .addr = (uintptr_t)bytes, .len = sizeof(bytes) });
		if (amid)
			wait_in_read(ends[0], &l);
		if (ring_end(&r) <= 0)
			die("io_uring: recv");
		ring_begin(&r, (struct io_uring_sqe){ .opcode = IORING_OP_SEND, .fd = server, .addr = (uintptr_t)answer, .len = sizeof(answer) - 1 });
		if (ring_end(&r) <= 0)
			die("io_uring: send");
		if (recv(l.to, bytes, sizeof(bytes), 0) <= 0)
			die("recv");
	}
	printf("%u %u\n", calls, transfers);
	return 0;
}
