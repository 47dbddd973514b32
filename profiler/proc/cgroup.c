/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/strpool.h"
#include "base/vec.h"

enum { MAX_CGROUPS = 8192, HANDLE_KERNFS = 0xfe /* FILEID_KERNFS, include/linux/exportfs.h */ };

struct entry {
	uint64_t id;
	uint32_t path; /* in paths */
	uint32_t reserved;
};

struct cgroups {
	int mount_fd; /* the cgroup2 mount, -1: none */
	char mount[PATH_MAX];
	struct strpool paths;
	vec(struct entry) v;
	struct htable index;
};

/* First cgroup2 line of /proc/self/mounts: "cgroup2 /sys/fs/cgroup cgroup2 rw,... 0 0". */
static int find_mount(char out[PATH_MAX])
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/self/mounts", "re");
	char line[2 * PATH_MAX], type[32];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %4095s %31s", out, type) == 2 && !strcmp(type, "cgroup2"))
			return 0;
	return -ENOENT;
}

int cgroups_new(struct cgroups **ret)
{
	struct cgroups *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->mount_fd = -1;
	if (!find_mount(t->mount))
		t->mount_fd = open(t->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*ret = t;
	return 0;
}

struct cgroups *cgroups_free(struct cgroups *t)
{
	if (!t)
		return NULL;
	closep(&t->mount_fd);
	strpool_fini(&t->paths);
	vec_fini(&t->v);
	htable_fini(&t->index);
	free(t);
	return NULL;
}

struct query {
	const struct cgroups *t;
	uint64_t id;
};

static bool same_id(const void *ctx, uint32_t at)
{
	const struct query *q = ctx;

	return q->t->v.v[at].id == q->id;
}

static uint32_t find(const struct cgroups *t, uint64_t id)
{
	return htable_find(&t->index, hash_u64(id), same_id, &(struct query){ t, id });
}

static uint32_t look_up(struct cgroups *t, uint64_t id)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + sizeof(uint64_t)];
	} handle = { .h = { .handle_bytes = sizeof(id), .handle_type = HANDLE_KERNFS } };
	char link[32], path[PATH_MAX];
	_cleanup_(closep) int fd = -1;
	size_t prefix = strlen(t->mount);
	ssize_t n;

	memcpy(handle.h.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(t->mount_fd, &handle.h, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	if (n < (ssize_t)prefix)
		return 0;
	return (size_t)n == prefix ? strpool_add(&t->paths, "/") :
				     strpool_add_len(&t->paths, path + prefix, (size_t)n - prefix);
}

/* Containers come and go for months: those that still run are found again at their next sample. */
static void forget_all(struct cgroups *t)
{
	strpool_reset(&t->paths);
	htable_fini(&t->index);
	t->v.n = 0;
}

void cgroups_note(struct cgroups *t, uint64_t id)
{
	struct entry *e;

	if (!id || t->mount_fd < 0 || find(t, id) != HTABLE_NONE)
		return;
	if (t->v.n >= MAX_CGROUPS)
		forget_all(t);
	e = vec_push(&t->v);
	if (!e)
		return;
	*e = (struct entry){ .id = id, .path = look_up(t, id) };
	if (htable_insert(&t->index, hash_u64(id), t->v.n - 1) < 0)
		t->v.n--;
}

const char *cgroups_path(const struct cgroups *t, uint64_t id)
{
	uint32_t at = find(t, id);

	return at == HTABLE_NONE ? "" : strpool_str(&t->paths, t->v.v[at].path);
}

int cgroups_open(const struct cgroups *t, const char *path)
{
	int fd;

	if (t->mount_fd < 0)
		return -ENODEV;
	if (!strncmp(path, t->mount, strlen(t->mount)))
		path += strlen(t->mount);
	while (*path == '/')
		path++;
	fd = openat(t->mount_fd, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
