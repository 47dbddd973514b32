/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * tracer_sums - what the programs counted, each CPU for itself, summed: cells of requests and counters. For tracer.c.
 */
#include <stdint.h>

#include "bpf/trace.h"

struct trace_bpf; /* libbpf's view of the programs */

/*
 * The map `near`: TRACE_NEAR_CELLS places of each CPU, which the programs work on meanwhile. NULL: errno. Ends with
 * tracer_unmap_near(), which takes NULL too.
 */
struct red_near *tracer_map_near(const struct trace_bpf *skel);
void tracer_unmap_near(struct red_near *near);
/* The places of this key are nobody's again. */
void tracer_drop_near(struct red_near *near, const struct red_key *key);

/* As tracer_cells(), together: cells in places of `near`, and in the hash. */
int tracer_sum_near(const struct red_near *near, int (*fn)(void *ctx, const struct red_key *key, const struct red_cell *sum), void *ctx);
int tracer_sum_cells(const struct trace_bpf *skel, int (*fn)(void *ctx, const struct red_key *key, const struct red_cell *sum), void *ctx);

/* Of enum trace_count. */
void tracer_sum_counts(const struct trace_bpf *skel, uint64_t ret[TRACE_COUNT_MAX]);
