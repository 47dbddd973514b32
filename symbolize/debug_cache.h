/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * debug_cache - a folder of debug files that were fetched, by build id, and of those that nobody has.
 *
 *	HEX.debug   the file; its time is when it was asked for last
 *	HEX.none    empty; nobody had it at that time
 *	fetching-*  one that is being written; when it is whole and is what it should be, it gets its name
 *
 * The folder is ours alone (mode 0700, our own; another's is refused): names in it can be trusted. It is kept
 * below a bound by removing what was not asked for the longest; each file counts 4 KiB more than its size.
 * Several processes may share it: all changes are renames and unlinks.
 * Times are seconds since 1970 and come from the caller.
 */
#include <stdint.h>

#include "symbolize/build_id.h"

struct debug_cache;

/* Makes the folder, not those above it. 0; -EPERM: it is another's, or open to others; another errno. */
int debug_cache_open(const char *dir, uint64_t max_bytes, struct debug_cache **ret);
struct debug_cache *debug_cache_free(struct debug_cache *c);

/* A descriptor; -ENODATA: nobody had it less than missing_s ago; -ENOENT: not known, ask; another errno. */
int debug_cache_find(struct debug_cache *c, const struct build_id *id, uint64_t now_s, uint64_t missing_s);

#define DEBUG_CACHE_NAME 32
/* A file to write into, a descriptor or an errno; ends with debug_cache_keep() or debug_cache_discard(). */
int debug_cache_begin(struct debug_cache *c, char name[DEBUG_CACHE_NAME]);
void debug_cache_discard(struct debug_cache *c, const char *name);
/* 0; -EBADMSG: it is not an ELF file of this build id; -EFBIG: it alone is larger than the bound. */
int debug_cache_keep(struct debug_cache *c, const char *name, int fd, const struct build_id *id, uint64_t now_s);
int debug_cache_note_missing(struct debug_cache *c, const struct build_id *id, uint64_t now_s);
