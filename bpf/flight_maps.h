/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * flight_maps - what the sampling and the tracing programs share: user space makes them one.
 */
#include "bpf/flight.h"
#include "bpf/trace.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FLIGHT_MAX);
	__type(key, struct flight_key);
	__type(value, struct flight);
} flights SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TRACE_MAX_PROCS);
	__type(key, __u32);
	__type(value, struct trace_proc);
} procs SEC(".maps");
