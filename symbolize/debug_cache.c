/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/debug_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/vec.h"
#include "symbolize/elf_image.h"

enum { OVERHEAD = 4096, NAME_LEN = BUILD_ID_HEX_LEN + 8 };
/* What a process that was killed left behind. */
#define ABANDONED_S 86400l
#define PREFIX "fetching-"

struct debug_cache {
	int dir;
	uint64_t max_bytes;
};

static int open_dir(const char *path)
{
	_cleanup_(closep) int fd = -1;
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return -EPERM;
	return take_fd(&fd);
}

int debug_cache_open(const char *dir, uint64_t max_bytes, struct debug_cache **ret)
{
	_cleanup_(closep) int fd = open_dir(dir);
	struct debug_cache *c;

	if (fd < 0)
		return fd;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	*c = (struct debug_cache){ .dir = take_fd(&fd), .max_bytes = max_bytes };
	*ret = c;
	return 0;
}

struct debug_cache *debug_cache_free(struct debug_cache *c)
{
	if (!c)
		return NULL;
	close(c->dir);
	free(c);
	return NULL;
}

static const char *name_of(const struct build_id *id, const char *suffix, char ret[NAME_LEN])
{
	char hex[BUILD_ID_HEX_LEN];

	snprintf(ret, NAME_LEN, "%s.%s", build_id_hex(id, hex), suffix);
	return ret;
}

/* Negative when the clock was set back. */
static int64_t age_of(const struct stat *st, uint64_t now_s)
{
	return (int64_t)now_s - st->st_mtime;
}

static void set_time(int fd, uint64_t now_s)
{
	const struct timespec t[2] = { { .tv_sec = (time_t)now_s }, { .tv_sec = (time_t)now_s } };

	futimens(fd, t); /* failing only makes it look older */
}

/* An ELF file, and of this build id: whatever a server, or a crash while writing, made of it. */
static bool is_right(int fd, const struct build_id *id)
{
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	struct build_id found;

	return build_id_of_file(fd, &found) >= 0 && build_id_equal(&found, id) && elf_image_open(fd, &img) >= 0;
}

int debug_cache_find(struct debug_cache *c, const struct build_id *id, uint64_t now_s, uint64_t missing_s)
{
	char name[NAME_LEN];
	struct stat st;
	_cleanup_(closep) int fd = file_open_regular(c->dir, name_of(id, "debug", name), O_NOFOLLOW, NULL);

	if (fd >= 0 && is_right(fd, id)) {
		set_time(fd, now_s);
		return take_fd(&fd);
	}
	if (fd >= 0)
		unlinkat(c->dir, name, 0);
	if (fstatat(c->dir, name_of(id, "none", name), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? -ENOENT : -errno;
	if (age_of(&st, now_s) >= 0 && age_of(&st, now_s) < (int64_t)missing_s)
		return -ENODATA;
	unlinkat(c->dir, name, 0);
	return -ENOENT;
}

int debug_cache_begin(struct debug_cache *c, char name[DEBUG_CACHE_NAME])
{
	for (unsigned int i = 0; i < 1000; i++) {
		int fd;

		snprintf(name, DEBUG_CACHE_NAME, PREFIX "%d-%u", (int)getpid(), i);
		fd = openat(c->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd >= 0 || errno != EEXIST)
			return fd >= 0 ? fd : -errno;
	}
	return -EEXIST;
}

void debug_cache_discard(struct debug_cache *c, const char *name)
{
	unlinkat(c->dir, name, 0);
}

struct held {
	uint64_t time_s, bytes;
	char name[NAME_LEN];
};

typedef vec(struct held) held_t;

static int list(struct debug_cache *c, uint64_t now_s, held_t *ret)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	int fd = openat(c->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *e;
	struct stat st;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return -errno;
	while ((e = readdir(dir))) {
		bool fetching = !strncmp(e->d_name, PREFIX, strlen(PREFIX));
		struct held *h;

		if (strlen(e->d_name) >= NAME_LEN || fstatat(c->dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (fetching && age_of(&st, now_s) < ABANDONED_S)
			continue;
		h = vec_push(ret);
		if (!h)
			return -ENOMEM;
		*h = (struct held){ .time_s = fetching ? 0 : (uint64_t)st.st_mtime, .bytes = (uint64_t)st.st_size + OVERHEAD };
		strcpy(h->name, e->d_name);
	}
	return 0;
}

static int by_age(const void *a, const void *b)
{
	const struct held *x = a, *y = b;

	return x->time_s < y->time_s ? -1 : x->time_s > y->time_s;
}

/* Removes what was not asked for the longest until `more` bytes fit. */
static int make_room(struct debug_cache *c, uint64_t more, uint64_t now_s)
{
	uint64_t bytes = 0;
	held_t held = { 0 };
	int r = list(c, now_s, &held);

	vec_foreach(h, &held)
		bytes += h->bytes;
	if (held.n)
		qsort(held.v, held.n, sizeof(*held.v), by_age);
	for (uint32_t i = 0; i < held.n && r >= 0 && (bytes + more > c->max_bytes || !held.v[i].time_s); i++) {
		unlinkat(c->dir, held.v[i].name, 0);
		bytes -= held.v[i].bytes;
	}
	vec_fini(&held);
	return r;
}

int debug_cache_keep(struct debug_cache *c, const char *name, int fd, const struct build_id *id, uint64_t now_s)
{
	char final[NAME_LEN];
	struct stat st;
	int r = is_right(fd, id) ? 0 : -EBADMSG;

	if (r >= 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r >= 0 && (uint64_t)st.st_size + OVERHEAD > c->max_bytes)
		r = -EFBIG;
	if (r >= 0)
		r = make_room(c, (uint64_t)st.st_size + OVERHEAD, now_s);
	if (r >= 0) {
		set_time(fd, now_s);
		r = fdatasync(fd) < 0 || renameat(c->dir, name, c->dir, name_of(id, "debug", final)) < 0 ? -errno : 0;
	}
	if (r < 0)
		debug_cache_discard(c, name);
	return r;
}

int debug_cache_note_missing(struct debug_cache *c, const struct build_id *id, uint64_t now_s)
{
	char name[NAME_LEN];
	_cleanup_(closep) int fd = -1;
	int r = make_room(c, OVERHEAD, now_s);

	if (r < 0)
		return r;
	fd = openat(c->dir, name_of(id, "none", name), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	set_time(fd, now_s);
	return 0;
}
