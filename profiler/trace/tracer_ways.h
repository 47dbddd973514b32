/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * tracer_ways - which way to see requests this kernel has, and which of the programs it takes (bpf/trace.bpf.c): what tracer_new()
 * does between opening and attaching; for who looks at what is loaded, too.
 *
 * kernel: its types (btf__load_vmlinux_btf()).
 */
#include "trace/tracer.h"

struct btf;
struct trace_bpf; /* libbpf's view of the programs */

/* The cheapest. That a kernel has the functions does not say that programs may attach to them. */
enum tracer_way tracer_best_way(const struct trace_bpf *skel, const struct btf *kernel, bool as_before_63);

/* Before loading. kernel says which of the functions there are for TRACER_BY_EXITS; else NULL will do. */
void tracer_configure(struct trace_bpf *skel, const struct tracer_opts *opts, enum tracer_way way, const struct btf *kernel);

/* With TRACER_BY_EXITS, once loaded: several of these programs are one (bpf/trace_exits.h). 0 or negative errno. */
int tracer_join_exits(const struct trace_bpf *skel);
