/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * worker - the thread that names windows; owns the symbolizer.
 *
 * Between windows it goes on with the lines that are being made. worker_give() hands a sealed window over, worker_take_back() returns it when all is done with it:
 * a window dies on the thread that owns its images. One at a time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/name.h"
#include "symbolize/symbolizer.h"

struct window;
struct worker;

struct worker_opts {
	struct name_opts names;
	struct symbolizer_opts symbols; /* its strings are borrowed until worker_new() returns */
	uint64_t lines_wait_ns; /* how long a window waits for lines that are being made; 0: its names have to do */
	size_t max_table_bytes;
	int (*on_window)(void *ctx, struct namer *n, const struct window *w);
	void *ctx;
};

struct worker_stats {
	struct name_stats name;
	uint64_t windows, busy_ns, symbol_bytes;
	struct lines_stats lines;
	int lines_error; /* why there are no lines, where they were asked for */
};

int worker_new(const struct worker_opts *opts, struct worker **ret);
/* Waits for the window it is at; the caller has taken that back, or takes the pointer from *ret_left (may be NULL). */
struct worker *worker_free(struct worker *k, struct window **ret_left);

bool worker_is_idle(struct worker *k);
/* Only when it is idle. */
void worker_give(struct worker *k, struct window *w);
/*
 * Waits at most so long for the window it is at. NULL: there is none, or time ran out (-ETIMEDOUT in
 * *ret_result; untouched otherwise). *ret_result: what on_window() returned, or why naming failed.
 */
struct window *worker_take_back(struct worker *k, uint64_t timeout_ns, int *ret_result);
/* The window it is at waits for lines no more. */
void worker_hurry(struct worker *k);
void worker_stats(struct worker *k, struct worker_stats *ret);
