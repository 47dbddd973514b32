/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * converter - images that wait for their symcache, and the one being converted.
 *
 *	converter_add() --queue--> debug files found --helper--> symcache_dir --> converter_next(): what came of it
 *	                               `-- no DWARF here: fetched from debuginfod servers, where that is asked for;
 *	                                   else no helper is started
 *
 * One helper at a time. An image is tried once an hour; what failed because of itself is remembered in the directory
 * too, and not tried again before a week is over or the program is another. So what failed because of us (no room on
 * the disk) or had no debug information has another chance; one whose servers are down is tried again earlier (away.h).
 * Memory: a bounded queue and as many that wait for servers, each with a descriptor of the image and one of its root. Threads: one owner, who
 * calls converter_wait().
 */
#include <stdbool.h>
#include <stdint.h>

#include "symbolize/build_id.h"
#include "symbolize/helper.h"

#define CONVERTER_AGAIN_NS (3600 * 1000000000ull)

struct converter;
struct fetcher;
struct symcache_dir;

struct converter_opts {
	struct symcache_dir *dir; /* borrowed */
	const char *debug_dir;    /* NULL: "/usr/lib/debug" */
	int exe_fd;               /* as in helper_opts; borrowed */
	struct fetcher *fetcher;  /* borrowed; NULL: debug files are looked for on this host alone */
	uint32_t timeout_s;       /* of one image, by the wall clock; 0: 300 */
	uint32_t queue_max;       /* of images here, and of those waiting for servers; 0: 64 */
	struct sandbox_limits limits;
};

struct converter_source {
	struct build_id id;
	int fd;      /* the image; -1: it is gone. Duplicated, as the next */
	int root_fd; /* O_PATH of the root its path lies in; -1: the host's */
	const char *path; /* NULL: unknown */
};

struct converted {
	struct build_id id;
	enum helper_result result; /* HELPER_OK: the directory has it now */
	struct convert_stats stats; /* of HELPER_OK */
	uint64_t took_ns;
};

int converter_new(const struct converter_opts *opts, struct converter **ret);
/* Ends a running helper. */
struct converter *converter_free(struct converter *c);

/* 0: queued. -EALREADY: it was added before, within the hour. -EBUSY: the queue is full, add it later. -ENOMEM, -EMFILE ... */
int converter_add(struct converter *c, const struct converter_source *src, uint64_t now_ns);

/* True: one image is done. False: nothing is, for now. Starts the next one either way. */
bool converter_next(struct converter *c, uint64_t now_ns, struct converted *ret);

/* Images queued, being fetched and running. */
uint32_t converter_pending(const struct converter *c);
/* Images whose debug file may lie on a server that could not be reached: it is asked again in ten minutes. */
uint32_t converter_later(const struct converter *c);
/* Waits until then, or for so long at most. */
void converter_wait(const struct converter *c, uint64_t now_ns, uint64_t max_ns);
