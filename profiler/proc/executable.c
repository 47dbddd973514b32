/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/executable.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proc/process.h"

const char *executable_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* Where its link leads; without what the kernel adds when that file is gone. */
static bool read_link(const struct process *p, char out[PATH_MAX])
{
	static const char deleted[] = " (deleted)";
	const ssize_t suffix = sizeof(deleted) - 1;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/exe", p->pid);
	n = p->exited_ns ? -1 : readlink(path, out, PATH_MAX - 1);
	if (n <= 0)
		return false;
	out[n] = '\0';
	if (n > suffix && !strcmp(out + n - suffix, deleted))
		out[n - suffix] = '\0';
	return true;
}

/* The first mapping of a program that no file holds may be its interpreter's. */
static bool is_current(const struct process *p, const char *link)
{
	const char *name = executable_name(link);
	size_t n = strlen(name), most = sizeof(p->exe) - 1;

	return !p->exe[0] || !strncmp(link, "/memfd:", 7) || !strncmp(name, p->exe, n < most ? n : most);
}

bool executable_path(const struct process *p, char *out, size_t len)
{
	char link[PATH_MAX];

	if (read_link(p, link) && is_current(p, link)) {
		snprintf(out, len, "%s", link);
		return true;
	}
	snprintf(out, len, "%s", p->exe);
	return p->exe[0];
}

bool executable_is_current(const struct process *p)
{
	char link[PATH_MAX];

	return read_link(p, link) && is_current(p, link);
}
