/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/service.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/units.h"
#include "proc/placement.h"
#include "proc/process.h"

enum { CONTAINER_ID = 64, SHORT_ID = 12 };

int service_of_cgroup(const char *path, char *out, size_t len)
{
	static const char suffix[] = ".service";
	struct placement p;

	placement_of(path, &p);
	if (p.unit[0] && (p.unit_inside || !p.container[0]))
		snprintf(out, len, "%.*s", (int)(strlen(p.unit) - (sizeof(suffix) - 1)), p.unit);
	else if (strlen(p.container) == CONTAINER_ID)
		snprintf(out, len, "%.*s", SHORT_ID, p.container);
	else if (p.container[0])
		snprintf(out, len, "%s", p.container);
	else
		return -ENOENT;
	return 0;
}

static bool from_environment(uint32_t pid, char *out, size_t len)
{
	static const char key[] = "OTEL_SERVICE_NAME=";
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	char path[64];
	const char *s, *end;

	snprintf(path, sizeof(path), "/proc/%u/environ", pid);
	if (file_read_path(AT_FDCWD, path, 256 * KIB, &b) < 0 || !b.len)
		return false;
	buf_putc(&b, '\0');
	if (buf_error(&b))
		return false;
	for (s = (const char *)b.data, end = s + b.len; s < end; s += strlen(s) + 1) {
		if (strncmp(s, key, sizeof(key) - 1) || !s[sizeof(key) - 1])
			continue;
		snprintf(out, len, "%s", s + sizeof(key) - 1);
		return true;
	}
	return false;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

bool process_executable(const struct process *p, char *out, size_t len)
{
	static const char deleted[] = " (deleted)";
	char path[64], target[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/exe", p->pid);
	n = p->exited_ns ? -1 : readlink(path, target, sizeof(target) - 1);
	if (n > 0) {
		target[n] = '\0';
		if ((size_t)n > sizeof(deleted) && !strcmp(target + n - (sizeof(deleted) - 1), deleted))
			target[n - (ssize_t)(sizeof(deleted) - 1)] = '\0';
		snprintf(out, len, "%s", target);
		return true;
	}
	/* Gone already: what was mapped first since its exec is what it ran. */
	snprintf(out, len, "%s", p->exe);
	return p->exe[0];
}

static bool from_executable(const struct process *p, char *out, size_t len)
{
	char path[PATH_MAX];

	if (!process_executable(p, path, sizeof(path)))
		return false;
	snprintf(out, len, "%s", base_name(path));
	return true;
}

void service_make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || (unsigned char)*s >= 0x7f)
			*s = '?';
}

void service_name(const struct process *p, const char *cgroup, char *out, size_t len)
{
	if (!p) {
		snprintf(out, len, "unknown");
	} else if (!from_environment(p->pid, out, len) && service_of_cgroup(cgroup, out, len) < 0 &&
		   !from_executable(p, out, len)) {
		snprintf(out, len, "%s", p->comm[0] ? p->comm : "unknown");
	}
	service_make_printable(out);
}
