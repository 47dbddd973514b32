/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * top_rows - what a top_model says, by function or by process: filtered, summed over cells, sorted.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

struct top_model;

enum top_sort { TOP_SORT_SELF, TOP_SORT_TOTAL, TOP_SORT_NAME, TOP_SORT_CPU, TOP_SORT_COMM, TOP_SORT_PID };

struct top_query {
	enum top_sort sort;
	const char *filter; /* part of a function, image or comm, in any case; NULL or "": everything */
	bool in_process;    /* only the process of this pid and tid */
	uint32_t pid, tid;
	bool hide_kernel, hide_user;
};

/* Strings are borrowed from the model, until the next top_model_add(). */
struct top_function {
	const char *name, *image, *file; /* "" unless by line */
	uint32_t line;                   /* 0: a whole function */
	double self_ns, total_ns; /* "other" has no total: it is its self time */
	bool is_kernel, is_other;
};

struct top_process {
	const char *comm;
	uint32_t pid, tid; /* tid 0: not kept apart by thread */
	double cpu_ns;
	const char *function; /* that took most of it */
	double function_ns;
	bool is_other;
};

struct top_rows {
	vec(struct top_function) functions;
	vec(struct top_process) processes;
	double all_ns;     /* CPU time the model holds */
	double base_ns;    /* that shares are of: all, or the process's */
	double matched_ns; /* self time of the rows */
	double span_ns;    /* time all of this is over: all_ns / span_ns CPUs were busy */
};

/* Each fills its rows and the sums anew; memory is kept from one time to the next. 0 or -ENOMEM. */
int top_rows_functions(struct top_rows *t, const struct top_model *m, const struct top_query *q);
/* Time in functions that do not match is no part of a process's; q->in_process is not looked at. */
int top_rows_processes(struct top_rows *t, const struct top_model *m, const struct top_query *q);
void top_rows_fini(struct top_rows *t);

static inline double top_share(double part_ns, double whole_ns)
{
	return whole_ns > 0 ? 100 * part_ns / whole_ns : 0;
}
