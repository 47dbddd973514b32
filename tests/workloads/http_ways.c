/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_ways PORT SOCKET [PAUSE]: a server and its client, which move the bytes of HTTP/1 in each way that a program can, over IPv4,
 * IPv6 and a unix socket. Prints what was answered by way, method and status: "/readv GET 200 24". Waits PAUSE seconds at its
 * begin, when each way has been asked once, and at its end, so that whoever watches keeps pace.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ, RECV, READV, PREADV, RECVMSG, RECVMMSG, SENDFILE, SPLICE, WAYS };
enum { REQUESTS = 16, PIPELINED = 8, MAX_MESSAGE = 64 << 10, GET = 0, POST, METHODS };

static const char *const way_names[WAYS] = { "read", "recv", "readv", "preadv", "recvmsg", "recvmmsg", "sendfile", "splice" };
static const char *const method_names[METHODS] = { "GET", "POST" };
static unsigned answered[WAYS][METHODS][2];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Two pieces, the first of them short: a vector in which a line is cut. */
static struct msghdr message(struct iovec v[2], void *bytes, size_t len)
{
	size_t first = len < 3 ? len : 3;

	v[0] = (struct iovec){ bytes, first };
	v[1] = (struct iovec){ (char *)bytes + first, len - first };
	return (struct msghdr){ .msg_iov = v, .msg_iovlen = 2 };
}

/* Bytes of the first message; of the others there are none. */
static ssize_t of_messages(int n, const struct mmsghdr *m)
{
	return n < 0 ? n : n ? (ssize_t)m->msg_len : 0;
}

static ssize_t take(int way, int fd, char *bytes, size_t len)
{
	struct iovec v[2];
	struct mmsghdr m[1] = { { .msg_hdr = message(v, bytes, len) } };

	switch (way) {
	case RECV:
		if (recv(fd, bytes, len, MSG_PEEK) < 0)
			return -1;
		return recv(fd, bytes, len, 0);
	case READV:
		return readv(fd, v, 2);
	case PREADV:
		return preadv2(fd, v, 2, -1, 0);
	case RECVMSG:
		if (recvmsg(fd, &m[0].msg_hdr, MSG_PEEK) < 0)
			return -1;
		return recvmsg(fd, &m[0].msg_hdr, 0);
	case RECVMMSG:
		return of_messages(recvmmsg(fd, m, 1, 0, NULL), m);
	default:
		return read(fd, bytes, len);
	}
}

static ssize_t give(int way, int fd, char *bytes, size_t len)
{
	struct iovec v[2];
	struct mmsghdr m[1] = { { .msg_hdr = message(v, bytes, len) } };

	switch (way) {
	case RECV:
		return send(fd, bytes, len, 0);
	case READV:
		return writev(fd, v, 2);
	case PREADV:
		return pwritev2(fd, v, 2, -1, 0);
	case RECVMSG:
		return sendmsg(fd, &m[0].msg_hdr, 0);
	case RECVMMSG:
		return of_messages(sendmmsg(fd, m, 1, 0), m);
	default:
		return write(fd, bytes, len);
	}
}

static void give_all(int way, int fd, char *bytes, size_t len)
{
	while (len) {
		ssize_t n = give(way, fd, bytes, len);

		if (n <= 0)
			die(way_names[way]);
		bytes += n;
		len -= (size_t)n;
	}
}

/* Without these bytes ever being in a buffer of ours. */
static void give_body(int way, int fd, char *bytes, size_t len)
{
	int from[2] = { -1, -1 };

	if (way == SENDFILE) {
		from[0] = memfd_create("body", 0);
		if (from[0] < 0 || pwrite(from[0], bytes, len, 0) != (ssize_t)len)
			die("memfd");
	} else if (pipe(from) < 0 || write(from[1], bytes, len) != (ssize_t)len) {
		die("pipe");
	}
	while (len) {
		ssize_t n = way == SENDFILE ? sendfile(fd, from[0], NULL, len) : splice(from[0], NULL, fd, NULL, len, 0);

		if (n <= 0)
			die(way_names[way]);
		len -= (size_t)n;
	}
	close(from[0]);
	close(from[1]);
}

/* A message at the front of the buffer, as a whole; 0: the connection ended. Of what came behind it *have says how much. */
static size_t take_message(int way, int fd, char *bytes, size_t *have)
{
	for (;;) {
		char *end, *length;
		ssize_t n;

		bytes[*have] = '\0';
		end = strstr(bytes, "\r\n\r\n");
		length = end ? strstr(bytes, "Content-Length: ") : NULL;
		if (end) {
			size_t whole = (size_t)(end + 4 - bytes) + (length && length < end ? strtoul(length + 16, NULL, 10) : 0);

			if (*have >= whole)
				return whole;
		}
		n = take(way, fd, bytes + *have, MAX_MESSAGE - *have);
		if (n <= 0)
			return 0;
		*have += (size_t)n;
	}
}

static void drop_message(char *bytes, size_t whole, size_t *have)
{
	memmove(bytes, bytes + whole, *have - whole);
	*have -= whole;
}

/* ---- server ---- */

static void answer(int way, int fd, const char *request, int i)
{
	static char body[20000];
	char head[128], all[sizeof(head) + sizeof(body)];
	int not_found = i % 5 == 0, length = i * 331 % (int)sizeof(body);
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n", not_found ? "404 Not Found" : "200 OK", length);

	__atomic_fetch_add(&answered[way][*request == 'P' ? POST : GET][not_found], 1, __ATOMIC_RELAXED);
	if (way == SENDFILE || way == SPLICE) {
		give_all(way, fd, head, (size_t)n);
		give_body(way, fd, body, (size_t)length);
		return;
	}
	memcpy(all, head, (size_t)n);
	memcpy(all + n, body, (size_t)length);
	give_all(way, fd, all, (size_t)(n + length));
}

struct job {
	int fd, way;
};

static void *serve_connection(void *arg)
{
	struct job *j = arg;
	char *bytes = malloc(MAX_MESSAGE + 1);
	size_t have = 0, whole;

	for (int i = 0; bytes && (whole = take_message(j->way, j->fd, bytes, &have)); i++) {
		answer(j->way, j->fd, bytes, i);
		drop_message(bytes, whole, &have);
	}
	close(j->fd);
	free(bytes);
	free(j);
	return NULL;
}

/* One connection after the other: the next one goes the next way. */
static void *serve(void *arg)
{
	int listener = *(int *)arg;

	for (int way = 0;; way = (way + 1) % WAYS) {
		struct job *j = malloc(sizeof(*j));
		pthread_t t;

		*j = (struct job){ accept(listener, NULL, NULL), way };
		setsockopt(j->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)); /* of a unix socket it fails, and need not be */
		if (j->fd < 0)
			die("accept");
		if (pthread_create(&t, NULL, serve_connection, j))
			die("pthread_create");
		pthread_detach(t);
	}
	return NULL;
}

/* ---- client ---- */

static int request(char *to, size_t room, int way, int i)
{
	int is_post = i % 4 == 1, body = is_post ? i * 40 : 0;
	int n = snprintf(to, room, "%s /%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", is_post ? "POST" : "GET", way_names[way], body);

	memset(to + n, 'b', (size_t)body);
	return n + body;
}

static void expect_answers(int way, int fd, int n, char *bytes, size_t *have)
{
	while (n--) {
		size_t whole = take_message(way, fd, bytes, have);

		if (!whole)
			die("no answer");
		drop_message(bytes, whole, have);
	}
}

/* One after the other, and, unless it is the first time, some that do not wait for the ones before. */
static void ask(int way, int fd, int first_time)
{
	static char bytes[MAX_MESSAGE + 1], all[MAX_MESSAGE];
	size_t have = 0, len = 0;

	for (int i = 0; i < (first_time ? 1 : REQUESTS); i++) {
		give_all(way, fd, all, (size_t)request(all, sizeof(all), way, i));
		expect_answers(way, fd, 1, bytes, &have);
	}
	for (int i = 0; i < PIPELINED && !first_time; i++)
		len += (size_t)request(all + len, sizeof(all) - len, way, i);
	give_all(way, fd, all, len);
	expect_answers(way, fd, first_time ? 0 : PIPELINED, bytes, &have);
	close(fd);
}

static void ask_each_way(const struct sockaddr *address, socklen_t len, int first_time)
{
	for (int way = 0; way < WAYS; way++) {
		int fd = socket(address->sa_family, SOCK_STREAM, 0);

		if (connect(fd, address, len) < 0)
			die("connect");
		ask(way, fd, first_time);
	}
}

static void begin_server(const struct sockaddr *address, socklen_t len)
{
	static int listeners[3], n;
	int *listener = &listeners[n++];
	pthread_t t;

	*listener = socket(address->sa_family, SOCK_STREAM, 0);
	setsockopt(*listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(*listener, address, len) < 0 || listen(*listener, 16) < 0 || pthread_create(&t, NULL, serve, listener))
		die("listen");
}

int main(int argc, char **argv)
{
	uint16_t port = htons((uint16_t)atoi(argc > 2 ? argv[1] : "0"));
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = in6addr_loopback };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	unsigned pause = argc > 3 ? (unsigned)atoi(argv[3]) : 0;
	const struct {
		void *address;
		socklen_t len;
	} v[] = { { &v4, sizeof(v4) }, { &v6, sizeof(v6) }, { &un, sizeof(un) } };

	if (argc < 3)
		return 2;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", argv[2]);
	unlink(un.sun_path);
	sleep(pause);
	for (int i = 0; i < 3; i++)
		begin_server(v[i].address, v[i].len);
	for (int i = 0; i < 3; i++)
		ask_each_way(v[i].address, v[i].len, 1);
	sleep(pause);
	for (int i = 0; i < 3; i++)
		ask_each_way(v[i].address, v[i].len, 0);
	sleep(pause);
	for (int way = 0; way < WAYS; way++)
		for (int method = 0; method < METHODS; method++)
			for (int status = 0; status < 2; status++)
				printf("/%s %s %d %u\n", way_names[way], method_names[method], status ? 404 : 200, answered[way][method][status]);
	return 0;
}
