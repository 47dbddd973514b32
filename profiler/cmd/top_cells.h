/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * top_cells - the tables inside a top_model: functions, processes, and a cell for each pair that met.
 *
 * Index 0 of each table is "other": what was too small to keep (top_cells_compact()).
 * Memory: owns everything; ids stay valid until the next compaction.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/strpool.h"
#include "base/vec.h"

/* A cell of less is nothing: a tenth of a sample at 10 kHz. */
#define TOP_NOTHING_NS 1e4

enum { TOP_OTHER = 0 };

struct top_cell_function {
	uint32_t name, image, file; /* in names; the file is that of a line */
	uint32_t line;              /* 0: a whole function */
	bool is_kernel;
};

struct top_cell_process {
	uint32_t pid, tid;
	char comm[16]; /* the latest */
};

struct top_cell {
	uint32_t function, process;
	double self_ns, total_ns;
	double new_self, new_total; /* of the profile being added */
	uint64_t last_sample;       /* counted already for this sample's total */
};

struct top_cells {
	struct strpool names;
	vec(struct top_cell_function) functions;
	vec(struct top_cell_process) processes;
	vec(struct top_cell) v;
	struct htable function_index, process_index, cell_index;
};

/* 0 or -ENOMEM, all of them. */
int top_cells_init(struct top_cells *t);
void top_cells_fini(struct top_cells *t);

int top_cells_function(struct top_cells *t, struct top_cell_function f, uint32_t *ret);
int top_cells_process(struct top_cells *t, const struct top_cell_process *p, uint32_t *ret);
int top_cells_cell(struct top_cells *t, uint32_t function, uint32_t process, uint32_t *ret);

/*
 * Keeps the largest cells by total, as many as said; the others' self time goes to "other" of their
 * process while any cell of it stays, else of the host. Names nothing uses any more are gone.
 * *ret: by old cell its new one; the caller frees it.
 */
int top_cells_compact(struct top_cells *t, uint32_t keep, uint32_t **ret);
