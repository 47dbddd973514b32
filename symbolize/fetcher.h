/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * fetcher - the thread on which debug files are fetched from debuginfod servers, one after the other.
 *
 *	fetcher_add() --queue--> debuginfod_fetch(), and the dwz file that its debug file names --> fetcher_next()
 *
 * Threads: one owner, beside the one in here. A fetch can take minutes; fetcher_free() ends it within a second or two.
 */
#include <stdbool.h>
#include <stdint.h>

#include "symbolize/build_id.h"
#include "symbolize/debuginfod.h"

struct fetcher;

struct fetched {
	struct build_id id;
	int debug; /* a descriptor, the caller's then; or why there is none: errors of debuginfod_fetch() */
	int alt;   /* its dwz file; -1: it needs none, or there is none */
};

/* Errors of debuginfod_new() and of starting a thread. curl_global_init() is done here. */
int fetcher_new(const struct debuginfod_opts *opts, struct fetcher **ret);
struct fetcher *fetcher_free(struct fetcher *f);

/* 0 or -ENOMEM. */
int fetcher_add(struct fetcher *f, const struct build_id *id);
/* False: nothing has come since. */
bool fetcher_next(struct fetcher *f, struct fetched *ret);
/* Readable when fetcher_next() has something. */
int fetcher_fd(const struct fetcher *f);
void fetcher_stats(struct fetcher *f, struct debuginfod_stats *ret);
