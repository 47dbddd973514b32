/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * top_model - where CPU time went lately: a moving average over the profiles that come in.
 *
 *	profile --add--> cells (function, process) -> self, total --top_rows--> rows by function or process
 *
 * A process's share, a function's share inside one process and any filter are sums over cells; a
 * sample belongs to one process, so nothing is counted twice. Two averages: decaying (each second
 * the past is worth 7/8 of what it was, like perf top), or exactly the last window_ns.
 * Memory: bounded by max_cells. Above it the smallest half moves into "other", first their process's
 * and, when nothing else of it is left, the host's. Names live as long as a cell uses them.
 * Threads: one at a time; the caller locks.
 */
#include <stdbool.h>
#include <stdint.h>

struct profile;
struct top_cells;
struct top_model;

struct top_model_opts {
	uint64_t window_ns; /* 0: decaying */
	uint32_t max_cells; /* 0: 8192 */
	bool by_line;       /* each line of a function by itself, where it is known */
};

/* A window of more profiles than this forgets early: choose the interval to fit. */
enum { TOP_MAX_INTERVALS = 64 };

int top_model_new(const struct top_model_opts *opts, struct top_model **ret);
struct top_model *top_model_free(struct top_model *m);

/* What happened in the next so many ns. 0 or -ENOMEM. */
int top_model_add(struct top_model *m, const struct profile *p, uint64_t duration_ns);

/* For top_rows: what is there now, and the time it is over. */
const struct top_cells *top_model_cells(const struct top_model *m, double *ret_span_ns);
