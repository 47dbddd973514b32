/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * sample_flight - the request a sample belongs to, if to any (flight.h).
 */
#include "bpf/flight_maps.h"
#include "bpf/sample_maps.h"

/* The request this thread, or goroutine, works on: this sample's CPU time is the request's. Else it is counted why not. */
static __noinline void note_flight(struct ev_sample *ev, struct task_struct *task)
{
	struct trace_proc *proc = bpf_map_lookup_elem(&procs, &ev->tgid);
	__u64 ns = (__u64)ev->weight * ev->period_ns;
	struct flight *f;
	int is_go;

	if (!proc || (proc->flags & TRACE_PROC_UNWANTED))
		return;
	is_go = proc->flags & TRACE_PROC_GO;
	f = find_flight(flight_who(ev->tgid, is_go ? flight_goroutine(task) : ev->tid));
	if (f && f->start_ns != (is_go ? ev->tgid : BPF_CORE_READ(task, start_boottime)))
		f = 0;
	ev->join = flight_join(f);
	if (f && ev->join == EV_JOIN_REQUEST && flight_is_stale(f))
		ev->join = EV_JOIN_NONE;
	if (ev->join < EV_JOIN_MAX)
		__sync_fetch_and_add(&proc->join_ns[ev->join], ns);
	if (!f || ev->join != EV_JOIN_REQUEST)
		return;
	f->sampled_ns += ns;
	ev->span_id = f->span_id;
	ev->route = f->route;
	ev->method = f->method;
	ev->request = f->flags;
	ev->trace_id[0] = f->trace_id[0];
	ev->trace_id[1] = f->trace_id[1];
}
