/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * symcache_dir - the symcaches on disk, by build id: made once, used by every later run.
 *
 *	g-4f3a....1            of a GNU build id, format version 1; o- of Go's, f- of a hash of the content
 *	g-4f3a....1.none       why there is none: "1.4.0 crashed"; so that it is not tried again and again
 *	.tmp-4711-0            being written, where the file system has no unnamed files
 *
 * A file is complete before it has a name, and is never changed: any number of processes may use one directory. The
 * files used longest ago are removed to keep within a number of bytes; who has one mapped keeps it.
 * The directory is ours alone (0700, our uid): one that others can write to is refused.
 * Threads: any; nothing but the descriptor is kept.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct build_id;
struct symcache;
struct symcache_dir;

#define SYMCACHE_DIR_BYTES (1024ull << 20)
/* A remembered failure is believed as long: a debug package may have come since, or a newer program. */
#define SYMCACHE_DIR_NONE_S (7 * 24 * 3600)

/* An output that has no name yet. */
struct symcache_temp {
	int fd; /* to read and write, 0600 */
	char name[32]; /* "": unnamed */
};

/*
 * Where it lies by default: /var/cache/hotspan/symcache for root, else below XDG_CACHE_HOME or HOME (what the environment
 * says; NULL or relative: not said). 0, -ENOENT: neither is known, -ENAMETOOLONG.
 */
int symcache_dir_default(uid_t uid, const char *xdg_cache_home, const char *home, char *ret, size_t len);

/*
 * Makes the directory, and those above it, where they are missing. max_bytes: 0: SYMCACHE_DIR_BYTES.
 * 0; -EPERM: it belongs to someone else, or others may write to it; -ENOTDIR, -ELOOP, or another errno.
 */
int symcache_dir_open(const char *path, uint64_t max_bytes, struct symcache_dir **ret);
struct symcache_dir *symcache_dir_free(struct symcache_dir *d);

/*
 * 0; -ENOENT: there is none (a damaged one has been removed); -ENODATA: there is none and it is known why, which
 * reason then holds (may be NULL). Marks what it finds as used.
 */
int symcache_dir_get(struct symcache_dir *d, const struct build_id *id, struct symcache **ret, char *reason, size_t len);

/* An empty file in the directory's file system. 0 or negative errno. */
int symcache_dir_begin(struct symcache_dir *d, struct symcache_temp *ret);
/* Gives it its name, in place of an older one, then removes what is too much. It is let go of in any case. 0 or errno. */
int symcache_dir_commit(struct symcache_dir *d, struct symcache_temp *t, const struct build_id *id);
void symcache_dir_abandon(struct symcache_dir *d, struct symcache_temp *t);
/* Remembers that there will be none. 0 or errno. */
int symcache_dir_remember(struct symcache_dir *d, const struct build_id *id, const char *reason);

/* Removes what was used longest ago until the rest fits, and temporary files that nobody finished. 0 or errno. */
int symcache_dir_trim(struct symcache_dir *d);
