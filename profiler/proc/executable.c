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

size_t executable_path_len(const char *path)
{
	static const char deleted[] = " (deleted)";
	const size_t n = strlen(path), suffix = sizeof(deleted) - 1;

	return n > suffix && !strcmp(path + n - suffix, deleted) ? n - suffix : n;
}

/* Where its link leads. */
static bool read_link(const struct process *p, char out[PATH_MAX])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/exe", p->pid);
	n = p->exited_ns ? -1 : readlink(path, out, PATH_MAX - 1);
	if (n <= 0)
		return false;
	out[n] = '\0';
	out[executable_path_len(out)] = '\0';
	return true;
}

/* What is known of it may be cut; the first mapping of a program that no file holds may be its interpreter's. */
static bool is_current(const struct process *p, const char *link)
{
	return !p->exe[0] || !strncmp(link, "/memfd:", 7) ||
	       !strncmp(executable_name(link), p->exe, sizeof(p->exe) - 1);
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
