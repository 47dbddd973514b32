/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * flight_maps - what the sampling and the tracing programs share: user space makes them one.
 */
#include "bpf/flight.h"
#include "bpf/trace.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FLIGHT_SETS);
	__type(key, __u32);
	__type(value, struct flight_set);
} flights SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TRACE_MAX_PROCS);
	__type(key, __u32);
	__type(value, struct trace_proc);
} procs SEC(".maps");

static __always_inline struct flight_set *find_flight_set(__u64 who)
{
	__u32 i = flight_set_of(who);

	return bpf_map_lookup_elem(&flights, &i);
}

static __always_inline struct flight *find_flight(__u64 who)
{
	struct flight_set *set = who ? find_flight_set(who) : 0;

	for (int i = 0; set && i < FLIGHT_WAYS; i++)
		if (set->f[i].who == who)
			return &set->f[i];
	return 0;
}
