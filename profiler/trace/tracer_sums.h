/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * tracer_sums - what the programs counted, each CPU for itself, summed: cells of requests and counters. For tracer.c.
 */
#include <stdint.h>

#include "bpf/trace.h"

struct trace_bpf; /* libbpf's view of the programs */

/* As tracer_cells(). */
int tracer_sum_cells(const struct trace_bpf *skel, int (*fn)(void *ctx, const struct red_key *key, const struct red_cell *sum), void *ctx);

/* Of enum trace_count. */
void tracer_sum_counts(const struct trace_bpf *skel, uint64_t ret[TRACE_COUNT_MAX]);
