/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_server PORT|SOCKET: HTTP/1 with every syscall that moves bytes over a socket, and with its own clock.
 *
 * Reads take turns: read, recv, readv, recvmsg, recvmmsg. How an answer is written its path says: /HOW/N is N bytes by
 * HOW (ways[] below; any other way is write), /status/N is that status, /sleep/N comes after N us. A request with a body is
 * answered with as many bytes. Prints the port; then of each request method, target, status and the nanoseconds between
 * the read that completed its head and the last write. A thread a connection.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BYTES = 1 << 17 };

struct client {
	int fd;
	unsigned turn;
	size_t len; /* bytes read and not used */
	char bytes[BYTES];
};

struct request {
	char method[32], target[2048], how[32];
	unsigned n;
	size_t body;
	int chunked, expects, closes, upgrades;
	uint64_t begin_ns;
};

static int zeros; /* a file */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- reading ---- */

static ssize_t read_some(int fd, unsigned turn, char *to, size_t room)
{
	struct iovec v[2] = { { to, room < 100 ? room : 100 }, { to + 100, room < 100 ? 0 : room - 100 } };
	struct mmsghdr m = { .msg_hdr = { .msg_iov = v, .msg_iovlen = 2 } };

	switch (turn % 5) {
	case 0:
		return read(fd, to, room);
	case 1:
		return recv(fd, to, room, 0);
	case 2:
		return readv(fd, v, 2);
	case 3:
		return recvmsg(fd, &m.msg_hdr, 0);
	}
	return recvmmsg(fd, &m, 1, 0, NULL) == 1 ? m.msg_len : 0;
}

static int read_more(struct client *c)
{
	ssize_t n = read_some(c->fd, c->turn++, c->bytes + c->len, BYTES - 1 - c->len);

	if (n <= 0)
		return 0;
	c->len += (size_t)n;
	c->bytes[c->len] = '\0';
	return 1;
}

static void use(struct client *c, size_t n)
{
	memmove(c->bytes, c->bytes + n, c->len - n + 1);
	c->len -= n;
}

/* The length of what ends with these bytes; 0: the client is gone. */
static size_t read_to(struct client *c, const char *end)
{
	char *at;

	while (!(at = strstr(c->bytes, end)))
		if (!read_more(c))
			return 0;
	return (size_t)(at - c->bytes) + strlen(end);
}

static int read_bytes(struct client *c, size_t n)
{
	while (n) {
		size_t some = n < c->len ? n : c->len;

		use(c, some);
		n -= some;
		if (n && !read_more(c))
			return 0;
	}
	return 1;
}

static int read_chunks(struct client *c, size_t *ret)
{
	size_t n, line;

	*ret = 0;
	do {
		if (!(line = read_to(c, "\r\n")))
			return 0;
		n = strtoul(c->bytes, NULL, 16);
		use(c, line);
		if (n && !read_bytes(c, n + 2))
			return 0;
		*ret += n;
	} while (n);
	while ((line = read_to(c, "\r\n")) > 2) /* trailers */
		use(c, line);
	use(c, line);
	return line == 2;
}

/* Nothing that the tests send is in doubt. */
static int read_head(struct client *c, struct request *r)
{
	size_t len = read_to(c, "\r\n\r\n");
	const char *line;

	*r = (struct request){ .begin_ns = now_ns() };
	if (!len)
		return 0;
	c->bytes[len - 1] = '\0';
	if (sscanf(c->bytes, " %31s %2047s", r->method, r->target) != 2)
		return 0;
	if (sscanf(r->target, "/%31[^/]/%u", r->how, &r->n) < 1 && (line = strstr(r->target, "://")))
		sscanf(line + 3, "%*[^/]/%31[^/]/%u", r->how, &r->n);
	if ((line = strcasestr(c->bytes, "\r\ncontent-length:")))
		r->body = strtoul(line + 17, NULL, 10);
	r->chunked = strcasestr(c->bytes, "\r\ntransfer-encoding:") != NULL;
	r->expects = strcasestr(c->bytes, "\r\nexpect:") != NULL;
	r->upgrades = strcasestr(c->bytes, "\r\nupgrade:") != NULL;
	r->closes = strstr(c->bytes, " HTTP/1.0\r\n") || strcasestr(c->bytes, "\r\nconnection: close");
	use(c, len);
	return 1;
}

/* ---- writing ---- */

static void by_write(int fd, const char *b, size_t n)
{
	for (ssize_t w; n && (w = write(fd, b, n)) > 0; n -= (size_t)w)
		b += w;
}

static void by_bytes(int fd, const char *b, size_t n)
{
	while (n--)
		by_write(fd, b++, 1);
}

static void by_vector(int fd, const char *b, size_t n, ssize_t (*send_vector)(int fd, struct iovec *v))
{
	while (n) {
		struct iovec v[3] = { { (char *)b, n / 3 }, { NULL, 0 }, { (char *)b + n / 3, n - n / 3 } };
		ssize_t w = send_vector(fd, v);

		if (w <= 0)
			return;
		b += w;
		n -= (size_t)w;
	}
}

static ssize_t vector_by_writev(int fd, struct iovec *v)
{
	return writev(fd, v, 3);
}

static ssize_t vector_by_sendmsg(int fd, struct iovec *v)
{
	return sendmsg(fd, &(struct msghdr){ .msg_iov = v, .msg_iovlen = 3 }, MSG_NOSIGNAL);
}

static ssize_t vector_by_sendmmsg(int fd, struct iovec *v)
{
	struct mmsghdr m = { .msg_hdr = { .msg_iov = v, .msg_iovlen = 3 } };

	return sendmmsg(fd, &m, 1, MSG_NOSIGNAL) == 1 ? (ssize_t)m.msg_len : -1;
}

static void by_writev(int fd, const char *b, size_t n)
{
	by_vector(fd, b, n, vector_by_writev);
}

static void by_sendmsg(int fd, const char *b, size_t n)
{
	by_vector(fd, b, n, vector_by_sendmsg);
}

static void by_sendmmsg(int fd, const char *b, size_t n)
{
	by_vector(fd, b, n, vector_by_sendmmsg);
}

static void by_send(int fd, const char *b, size_t n)
{
	for (ssize_t w; n && (w = send(fd, b, n, MSG_NOSIGNAL)) > 0; n -= (size_t)w)
		b += w;
}

/* Bytes that no buffer of this process holds on their way: all of them by sendfile, the head too. */
static void by_file(int fd, const char *b, size_t n)
{
	int file = memfd_create("answer", 0);
	off_t at = 0;

	by_write(file, b, n);
	while (at < (off_t)n && sendfile(fd, file, &at, n - (size_t)at) > 0)
		;
	close(file);
}

/* The head by write, the body by way of a pipe. */
static void by_splice(int fd, const char *b, size_t n)
{
	size_t head = (size_t)(strstr(b, "\r\n\r\n") - b) + 4;
	int ends[2];

	by_write(fd, b, head);
	if (pipe(ends))
		return;
	while (head < n) {
		ssize_t left = write(ends[1], b + head, n - head < 4096 ? n - head : 4096), w;

		if (left <= 0)
			break;
		head += (size_t)left;
		while (left > 0 && (w = splice(ends[0], NULL, fd, NULL, (size_t)left, 0)) > 0)
			left -= w;
	}
	close(ends[0]);
	close(ends[1]);
}

/* The head by write, with the first byte of the body if any. */
static void by_sendfile(int fd, const char *b, size_t n)
{
	size_t head = (size_t)(strstr(b, "\r\n\r\n") - b) + 4;

	head += head < n;
	by_write(fd, b, head);
	for (ssize_t w; head < n && (w = sendfile(fd, zeros, NULL, n - head)) > 0;) {
		head += (size_t)w;
		lseek(zeros, 0, SEEK_SET);
	}
}

static const struct {
	const char *how;
	void (*write)(int fd, const char *b, size_t n);
} ways[] = { { "write", by_write },	{ "bytes", by_bytes },	     { "writev", by_writev },	  { "send", by_send },
	     { "sendmsg", by_sendmsg }, { "sendmmsg", by_sendmmsg }, { "sendfile", by_sendfile }, { "splice", by_splice },
	     { "file", by_file } };

static void put(const struct client *c, const struct request *r, const char *b, size_t n)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(ways[i].how, r->how)) {
			ways[i].write(c->fd, b, n);
			return;
		}
	by_write(c->fd, b, n);
}

static int is(const struct request *r, const char *how)
{
	return !strcmp(r->how, how);
}

static void put_chunks(const struct client *c, const struct request *r)
{
	char b[64];

	for (unsigned i = 1; i <= r->n; i++)
		put(c, r, b, (size_t)snprintf(b, sizeof(b), "%x;n=%u\r\n%0*u\r\n", i % 9 + 1, i, (int)(i % 9 + 1), 1));
	put(c, r, "0\r\nTrailer: x\r\n\r\n", 17);
}

static int status_of(const struct request *r)
{
	return is(r, "status") ? (int)r->n : r->upgrades ? 101 : 200;
}

static void answer(const struct client *c, const struct request *r)
{
	static const char plain[BYTES];
	size_t body = r->body ? r->body : is(r, "status") || is(r, "sleep") ? 4 : r->n, head;
	int status = status_of(r), no_body = status == 204 || status == 304;
	char b[BYTES + 256], length[64] = "";

	body = no_body ? 0 : body < BYTES ? body : BYTES;
	if (is(r, "early"))
		put(c, r, "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n", 31);
	if (is(r, "chunks"))
		snprintf(length, sizeof(length), "Transfer-Encoding: chunked\r\n");
	else if (!is(r, "rest") && !no_body && !r->upgrades)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", is(r, "cut") ? body + 1 : body);
	head = (size_t)snprintf(b, 256, "HTTP/1.1 %d Said\r\n%s%s\r\n", status, length, r->upgrades ? "Upgrade: echo\r\nConnection: Upgrade\r\n" : "");
	if (is(r, "chunks") || r->upgrades || !strcmp(r->method, "HEAD"))
		body = 0;
	memcpy(b + head, plain, body);
	put(c, r, b, head + body);
	if (is(r, "chunks") && strcmp(r->method, "HEAD"))
		put_chunks(c, r);
}

static void echo(struct client *c)
{
	do {
		by_write(c->fd, c->bytes, c->len);
		use(c, c->len);
	} while (read_more(c));
}

/* 0: the connection ends here. */
static int serve_one(struct client *c)
{
	struct request r;

	if (!read_head(c, &r))
		return 0;
	if (is(&r, "drop"))
		return 0;
	if (r.expects)
		by_write(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	if (r.chunked ? !read_chunks(c, &r.body) : !read_bytes(c, r.body))
		return 0;
	if (is(&r, "sleep"))
		usleep(r.n);
	answer(c, &r);
	printf("%s %s %d %llu\n", r.method, r.target, status_of(&r), (unsigned long long)(now_ns() - r.begin_ns));
	if (r.upgrades)
		echo(c);
	return !r.upgrades && !r.closes && !is(&r, "rest") && !is(&r, "cut");
}

static void *serve(void *ctx)
{
	struct client *c = ctx;

	while (serve_one(c))
		;
	close(c->fd);
	free(c);
	return NULL;
}

static int listen_at(const char *where)
{
	struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(where)) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(in);
	int is_path = *where == '/', fd = socket(is_path ? AF_UNIX : AF_INET6, SOCK_STREAM, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", where);
	if (fd < 0 || bind(fd, is_path ? (void *)&un : (void *)&in, is_path ? sizeof(un) : sizeof(in)) < 0 || listen(fd, 128) < 0) {
		perror(where);
		exit(1);
	}
	if (!is_path)
		getsockname(fd, (void *)&in, &len);
	printf("%d\n", ntohs(in.sin6_port));
	return fd;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	int fd, one = 1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	fd = listen_at(argc > 1 ? argv[1] : "0");
	zeros = memfd_create("zeros", 0);
	if (zeros < 0 || ftruncate(zeros, BYTES) < 0)
		return 1;
	for (;;) {
		struct client *c = calloc(1, sizeof(*c));

		if (!c || (c->fd = accept(fd, NULL, NULL)) < 0)
			return 1;
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (pthread_create(&thread, NULL, serve, c))
			return 1;
		pthread_detach(thread);
	}
}
