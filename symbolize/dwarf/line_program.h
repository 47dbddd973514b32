/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * line_program - runs a unit's line program and hands its live sequences on.
 *
 * Rows that change neither file nor line are left out; of several for one address the last counts, as LLVM has
 * it. A sequence longer than a bound is handed on in parts. Memory: rows of one sequence, 16 bytes each.
 * Source: DWARF 5, 6.2.2 and 6.2.5.
 */
#include <stdint.h>

#include "symbolize/dwarf/line_files.h"
#include "symbolize/dwarf/ranges.h"
#include "symbolize/symcache_build.h"

struct dwarf_line_stats {
	uint64_t sequences, dead_sequences, rows;
};

struct dwarf_line_rows {
	vec(struct symcache_line) v;
};

/* 0: also when the program ends early: *ret_damaged. -ENOMEM, -E2BIG: the builder's. */
int dwarf_line_program_run(struct dwarf_line_files *lf, struct dwarf_live *live, struct symcache_build *out,
			   struct buf *path, struct dwarf_line_rows *rows, struct dwarf_line_stats *stats,
			   bool *ret_damaged);
