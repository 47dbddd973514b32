/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/units.h"
#include "base/vec.h"

#define FILE_MAX (4 * MIB)

struct user {
	uint32_t uid;
	uint32_t name; /* where in the text */
};

struct users {
	char *path;
	struct stat as_of; /* the file that was read */
	struct buf text;   /* its lines, each cut behind the name */
	vec(struct user) v; /* by number, then as in the file */
};

const char *users_host(void)
{
	static const char first[] = "/proc/1/root/etc/passwd";

	return access(first, R_OK) ? "/etc/passwd" : first;
}

int users_new(const char *path, struct users **ret)
{
	struct users *u = calloc(1, sizeof(*u));

	if (u)
		u->path = strdup(path);
	if (!u || !u->path) {
		users_free(u);
		return -ENOMEM;
	}
	*ret = u;
	return 0;
}

struct users *users_free(struct users *u)
{
	if (!u)
		return NULL;
	buf_fini(&u->text);
	vec_fini(&u->v);
	free(u->path);
	free(u);
	return NULL;
}

/* "name:x:1000:..." The name gets an end. */
static void add_line(struct users *u, char *line)
{
	char *name_end = strchr(line, ':'), *uid = name_end ? strchr(name_end + 1, ':') : NULL, *end;
	struct user *slot;
	unsigned long n;

	if (!uid || name_end == line || uid[1] < '0' || uid[1] > '9')
		return;
	errno = 0;
	n = strtoul(uid + 1, &end, 10);
	if (*end != ':' || errno || n > UINT32_MAX)
		return;
	slot = vec_push(&u->v);
	if (!slot)
		return;
	*name_end = '\0';
	*slot = (struct user){ .uid = (uint32_t)n, .name = (uint32_t)(line - (char *)u->text.data) };
}

static int by_uid(const void *a, const void *b)
{
	const struct user *x = a, *y = b;

	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

static void read_lines(struct users *u)
{
	_cleanup_(closep) int fd = file_open_regular(AT_FDCWD, u->path, 0, &u->as_of);
	char *rest, *line;

	u->v.n = 0;
	buf_reset(&u->text);
	if (fd < 0 || file_read_all(fd, FILE_MAX, &u->text) < 0)
		return;
	buf_putc(&u->text, '\0');
	rest = buf_error(&u->text) ? NULL : (char *)u->text.data;
	while ((line = strsep(&rest, "\n")))
		add_line(u, line);
	if (u->v.n)
		qsort(u->v.v, u->v.n, sizeof(*u->v.v), by_uid);
}

static bool has_changed(const struct users *u)
{
	struct stat now = { 0 };

	return !stat(u->path, &now) && (now.st_ino != u->as_of.st_ino || now.st_dev != u->as_of.st_dev || now.st_size != u->as_of.st_size ||
					now.st_mtim.tv_sec != u->as_of.st_mtim.tv_sec || now.st_mtim.tv_nsec != u->as_of.st_mtim.tv_nsec);
}

const char *users_name(struct users *u, uint32_t uid)
{
	uint32_t low = 0, high;

	if (has_changed(u))
		read_lines(u);
	for (high = u->v.n; low < high;) {
		uint32_t middle = low + (high - low) / 2;

		if (u->v.v[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < u->v.n && u->v.v[low].uid == uid ? (const char *)u->text.data + u->v.v[low].name : NULL;
}
