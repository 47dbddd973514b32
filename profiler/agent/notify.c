/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"

int notify_send(const char *socket_name, const char *state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	_cleanup_(closep) int fd = -1;
	size_t n = socket_name ? strlen(socket_name) : 0;

	if (!n)
		return 0;
	if (n >= sizeof(sa.sun_path) || (socket_name[0] != '@' && socket_name[0] != '/'))
		return -EINVAL;
	memcpy(sa.sun_path, socket_name, n);
	if (sa.sun_path[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		return -errno;
	return 0;
}

uint64_t notify_watchdog_ns(const char *usec, const char *watchdog_pid, int pid)
{
	uint64_t us, for_pid;

	if (!usec || parse_u64(usec, 1, UINT64_MAX / NSEC_PER_USEC, &us) < 0)
		return 0;
	if (watchdog_pid && (parse_u64(watchdog_pid, 1, INT32_MAX, &for_pid) < 0 || for_pid != (uint64_t)pid))
		return 0;
	return us * NSEC_PER_USEC / 2;
}
