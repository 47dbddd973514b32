/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/listener.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

enum { BACKLOG = 64 };

/* "[::1]:9464" -> "::1" and "9464". */
static int split(const char *listen, char *host, size_t len, const char **ret_port)
{
	const char *colon = strrchr(listen, ':'), *begin = listen, *end = colon;

	if (!colon || !colon[1])
		return -EINVAL;
	if (*begin == '[' && end > begin && end[-1] == ']') {
		begin++;
		end--;
	}
	if ((size_t)(end - begin) >= len)
		return -EINVAL;
	memcpy(host, begin, (size_t)(end - begin));
	host[end - begin] = '\0';
	*ret_port = colon + 1;
	return 0;
}

static int open_socket(const struct addrinfo *ai)
{
	_cleanup_(closep) int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int yes = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 || bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return -errno;
	return take_fd(&fd);
}

static void print_address(int fd, char address[LISTENER_ADDRESS])
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	char host[64], port[16];

	if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0 &&
	    getnameinfo((struct sockaddr *)&sa, len, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		snprintf(address, LISTENER_ADDRESS, sa.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

int listener_open(const char *key, const char *where, char address[LISTENER_ADDRESS], char *err, size_t err_len)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV }, *ai;
	const char *port;
	char host[64];
	int fd;

	if (split(where, host, sizeof(host), &port) < 0 || getaddrinfo(*host ? host : NULL, port, &hints, &ai)) {
		snprintf(err, err_len, "%s: '%s' is no address: write 127.0.0.1:9464, [::1]:9464, or off", key, where);
		return -EINVAL;
	}
	fd = open_socket(ai);
	freeaddrinfo(ai);
	if (fd < 0)
		snprintf(err, err_len, "%s: cannot listen on %s: %s: choose another port, or off", key, where, strerror(-fd));
	else
		print_address(fd, address);
	return fd;
}
