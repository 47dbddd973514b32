/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * lines - where an image's lines and inlined frames come from: a symcache of an earlier run, or one that is
 * being made by the helper meanwhile.
 *
 * Memory: a directory on disk and a queue of descriptors. Threads: one owner.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolize/converter.h"
#include "symbolize/debuginfod.h"

struct lines;
struct symcache;

struct lines_opts {
	const char *dir;       /* of symcaches; NULL: the user's own (symcache_dir_default()) */
	uint64_t max_bytes;    /* of it; 0: 1 GiB */
	const char *debug_dir; /* NULL: "/usr/lib/debug" */
	bool awaited;          /* somebody waits for them: the helper takes its share of a host that is full */
	const char *urls;      /* of debuginfod servers, separated by spaces; NULL: none is asked for anything */
};

struct lines_stats {
	uint32_t pending;                /* images that wait for theirs */
	uint32_t later;                  /* images that servers, which failed, are to be asked for again */
	uint64_t made[HELPER_RESULTS];   /* images tried in this run, by what came of it */
	struct debuginfod_stats servers; /* what debuginfod servers were asked for */
};

/*
 * -EPERM: the directory is another user's; other errors of making it, or of opening our own program; -EINVAL,
 * -EPROTONOSUPPORT, -E2BIG: of the URLs, as in debuginfod_new(). What is fetched is kept in DIR/debuginfod.
 */
int lines_new(const struct lines_opts *opts, struct lines **ret);
/* What such an error means and what to do, in a line: written to ret, which is returned. */
const char *lines_complaint(int error, char *ret, size_t len);
struct lines *lines_free(struct lines *l);

/* 0: the caller frees *ret. -EAGAIN: not yet: ask again when lines_news() has changed. -ENODATA: there will be none. */
int lines_get(struct lines *l, const struct converter_source *src, struct symcache **ret);
/* The same for one that was asked for before; src may be gone. */
int lines_get_made(struct lines *l, const struct build_id *id, struct symcache **ret);
/* How many have been made so far. */
uint64_t lines_news(const struct lines *l);

/* Goes on with what is being made, without waiting. */
void lines_step(struct lines *l);
/* Waits until there is something to do, for so long at most; at once when nothing is being made. */
void lines_wait(const struct lines *l, uint64_t max_ns);
void lines_stats(const struct lines *l, struct lines_stats *ret);
