/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/symcache_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/vec.h"
#include "symbolize/symcache.h"
#include "symbolize/symcache_file.h"
#include "version.h"

enum {
	NAME_LEN = BUILD_ID_HEX_LEN + 16,
	REASON_MAX = 128,
	UNFINISHED_S = 3600, /* a temporary file this old has no process any more */
};

struct symcache_dir {
	int fd;
	uint64_t max_bytes;
	unsigned int temps; /* numbers their names */
};

int symcache_dir_default(uid_t uid, const char *xdg_cache_home, const char *home, char *ret, size_t len)
{
	int n;

	if (!uid)
		n = snprintf(ret, len, "/var/cache/hotspan/symcache");
	else if (xdg_cache_home && xdg_cache_home[0] == '/')
		n = snprintf(ret, len, "%s/hotspan/symcache", xdg_cache_home);
	else if (home && home[0] == '/')
		n = snprintf(ret, len, "%s/.cache/hotspan/symcache", home);
	else
		return -ENOENT;
	return n >= 0 && (size_t)n < len ? 0 : -ENAMETOOLONG;
}

int symcache_dir_open(const char *path, uint64_t max_bytes, struct symcache_dir **ret)
{
	_cleanup_(closep) int fd = -1;
	struct symcache_dir *d;
	struct stat st;
	int r = file_make_path(path, strlen(path));

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->fd = take_fd(&fd);
	d->max_bytes = max_bytes ? max_bytes : SYMCACHE_DIR_BYTES;
	*ret = d;
	return 0;
}

struct symcache_dir *symcache_dir_free(struct symcache_dir *d)
{
	if (d)
		close(d->fd);
	free(d);
	return NULL;
}

static void name_of(const struct build_id *id, const char *suffix, char ret[NAME_LEN])
{
	static const char kinds[] = { [BUILD_ID_NONE] = 'n', [BUILD_ID_GNU] = 'g', [BUILD_ID_GO] = 'o', [BUILD_ID_FILE] = 'f' };
	char hex[BUILD_ID_HEX_LEN];

	snprintf(ret, NAME_LEN, "%c-%s.%d%s", id->kind < sizeof(kinds) ? kinds[id->kind] : 'n', build_id_hex(id, hex),
		 SYMCACHE_VERSION, suffix);
}

/* "1.4.0 crashed", of this program and not too old. */
static int get_reason(struct symcache_dir *d, const struct build_id *id, char *reason, size_t len)
{
	char name[NAME_LEN], text[REASON_MAX + 1] = "";
	_cleanup_(closep) int fd = -1;
	size_t version = strlen(HOTSPAN_VERSION);
	struct stat st;

	name_of(id, ".none", name);
	fd = file_open_regular(d->fd, name, O_NOFOLLOW, &st);
	if (fd < 0 || st.st_uid != geteuid() || st.st_mtime + SYMCACHE_DIR_NONE_S < time(NULL))
		return -ENOENT;
	if (read(fd, text, REASON_MAX) < 0 || strncmp(text, HOTSPAN_VERSION, version) || text[version] != ' ')
		return -ENOENT;
	if (reason)
		snprintf(reason, len, "%.*s", (int)strcspn(text + version + 1, "\n"), text + version + 1);
	return -ENODATA;
}

int symcache_dir_get(struct symcache_dir *d, const struct build_id *id, struct symcache **ret, char *reason, size_t len)
{
	_cleanup_(closep) int fd = -1;
	char name[NAME_LEN];
	int r;

	if (id->kind == BUILD_ID_NONE)
		return -ENOENT;
	name_of(id, "", name);
	fd = file_open_regular(d->fd, name, O_NOFOLLOW, NULL);
	if (fd < 0)
		return get_reason(d, id, reason, len);
	r = symcache_open(fd, id, ret);
	if (r == -EBADMSG) {
		unlinkat(d->fd, name, 0);
		return -ENOENT;
	}
	if (!r)
		futimens(fd, NULL);
	return r;
}

int symcache_dir_begin(struct symcache_dir *d, struct symcache_temp *ret)
{
	int fd = openat(d->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	*ret = (struct symcache_temp){ .fd = fd };
	/* Another process that had our number may have left its files. */
	for (int tries = 0; ret->fd < 0 && tries < 100; tries++) {
		snprintf(ret->name, sizeof(ret->name), ".tmp-%d-%u", getpid(), d->temps++);
		ret->fd = openat(d->fd, ret->name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (ret->fd < 0 && errno != EEXIST)
			break;
	}
	if (ret->fd < 0)
		return -errno;
	return fchmod(ret->fd, 0600) < 0 ? -errno : 0; /* whatever the umask */
}

void symcache_dir_abandon(struct symcache_dir *d, struct symcache_temp *t)
{
	if (t->name[0])
		unlinkat(d->fd, t->name, 0);
	if (t->fd >= 0)
		close(t->fd);
	*t = (struct symcache_temp){ .fd = -1 };
}

/* An unnamed file's first name, which is not its last: only a rename takes the place of an older one. */
static int give_name(struct symcache_dir *d, struct symcache_temp *t)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", t->fd);
	for (int tries = 0; tries < 100; tries++) {
		snprintf(t->name, sizeof(t->name), ".tmp-%d-%u", getpid(), d->temps++);
		if (!linkat(AT_FDCWD, path, d->fd, t->name, AT_SYMLINK_FOLLOW))
			return 0;
		if (errno != EEXIST)
			break;
	}
	t->name[0] = '\0';
	return -errno;
}

int symcache_dir_commit(struct symcache_dir *d, struct symcache_temp *t, const struct build_id *id)
{
	char name[NAME_LEN];
	int r = t->name[0] ? 0 : give_name(d, t);

	name_of(id, "", name);
	if (!r && renameat(d->fd, t->name, d->fd, name) < 0)
		r = -errno;
	if (!r) {
		t->name[0] = '\0';
		name_of(id, ".none", name);
		unlinkat(d->fd, name, 0);
	}
	symcache_dir_abandon(d, t);
	return r ? r : symcache_dir_trim(d);
}

int symcache_dir_remember(struct symcache_dir *d, const struct build_id *id, const char *reason)
{
	struct symcache_temp t;
	char name[NAME_LEN], text[REASON_MAX];
	int r = symcache_dir_begin(d, &t), n;

	if (r < 0)
		return r;
	n = snprintf(text, sizeof(text), "%s %s\n", HOTSPAN_VERSION, reason);
	r = file_write_all(t.fd, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
	if (!r && !t.name[0])
		r = give_name(d, &t);
	name_of(id, ".none", name);
	if (!r && renameat(d->fd, t.name, d->fd, name) < 0)
		r = -errno;
	if (!r)
		t.name[0] = '\0';
	symcache_dir_abandon(d, &t);
	return r;
}

struct entry {
	struct timespec used;
	uint64_t bytes;
	char name[NAME_LEN];
};

struct entries {
	vec(struct entry) v;
	uint64_t bytes;
};

static int oldest_first(const void *a, const void *b)
{
	const struct timespec *x = &((const struct entry *)a)->used, *y = &((const struct entry *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* A name of ours; whatever else lies here is not ours to remove. */
static bool is_ours(const char *name)
{
	return strlen(name) < NAME_LEN && name[0] && strchr("gofn", name[0]) && name[1] == '-';
}

struct looking {
	struct symcache_dir *d;
	struct entries *all;
};

static int look_at(void *ctx, const char *name)
{
	struct symcache_dir *d = ((struct looking *)ctx)->d;
	struct entries *all = ((struct looking *)ctx)->all;
	struct entry *e;
	struct stat st;

	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	if (!strncmp(name, ".tmp-", 5)) {
		if (st.st_mtime + UNFINISHED_S < time(NULL))
			unlinkat(d->fd, name, 0);
		return 0;
	}
	if (!is_ours(name))
		return 0;
	e = vec_push(&all->v);
	if (!e)
		return -ENOMEM;
	/* A file takes a block, however little it says. */
	*e = (struct entry){ .used = st.st_mtim, .bytes = ((uint64_t)st.st_size + 4095) & ~4095ull };
	memcpy(e->name, name, strlen(name) + 1);
	all->bytes += e->bytes;
	return 0;
}

int symcache_dir_trim(struct symcache_dir *d)
{
	struct entries all = { 0 };
	int r = file_each_name(d->fd, look_at, &(struct looking){ d, &all });

	if (!r && all.bytes > d->max_bytes) {
		qsort(all.v.v, all.v.n, sizeof(*all.v.v), oldest_first);
		/* The last one stays: it was used just now. */
		for (uint32_t i = 0; i + 1 < all.v.n && all.bytes > d->max_bytes; i++) {
			unlinkat(d->fd, all.v.v[i].name, 0);
			all.bytes -= all.v.v[i].bytes;
		}
	}
	vec_fini(&all.v);
	return r;
}
