/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * sample_maps - what the sampling program keeps: its maps, and each CPU's scratch, where a sample is made.
 *
 * User space sets what depends on the kernel and the options before it loads them: sizes, and whether a hash takes its
 * memory as it fills (from Linux 6.1 on).
 */
#include "bpf/config.h"
#include "bpf/flight_maps.h"
#include "bpf/space.h"
#include "bpf/walk.h"

#define PAGE_BYTES  4096u
#define STACK_BYTES 512u

struct scratch {
	struct walk walk;
	__u64 last_tick_ns;
	__u32 last_idle, reserved; /* did the last tick find the CPU idle */
	__u64 rest_sent_ns;
	struct pt_regs regs; /* the user's; the stack of a program and what it calls is 512 bytes */
	__u64 record[EV_RECORD_WORDS]; /* a struct ev_sample, and behind its frames a struct ev_rest */
	__u8 room[sizeof(struct ev_rest) + EV_REST_STACK + EV_REST_START + EV_REST_OTHER];
	struct walk_cache cache;
	__u64 stack_at; /* what of the user stack lies here */
	__u32 stack_bytes, reserved2;
	__u8 stack[STACK_BYTES + 16];
};

/* By CPU number, sized before load: a per-CPU array's values are bounded by 32 KiB. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

struct slab {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, SLAB_BYTES);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, SLAB_COUNT);
	__type(key, __u32);
	__array(values, struct slab);
} slabs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SAMPLE_MAX_SPACES);
	__type(key, __u32);
	__type(value, struct space);
} spaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EV_COUNT_MAX);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024); /* resized before load */
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SAMPLE_MAX_PIDS);
	__type(key, __u32);
	__type(value, __u8);
} pids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SAMPLE_MAX_COMMS);
	__type(key, char[EV_COMM_LEN]);
	__type(value, __u8);
} comms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, SAMPLE_MAX_CGROUPS);
	__type(key, __u32);
	__type(value, __u32);
} cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SAMPLE_MAX_SHARES);
	__type(key, __u32);
	__type(value, struct sample_share);
} shares SEC(".maps");

const volatile struct sample_config config;
__u32 share_round; /* user space makes all shares void by counting it up */

static __always_inline void count(__u32 what, __u64 n)
{
	__u64 *c = n ? bpf_map_lookup_elem(&counters, &what) : NULL;

	if (c)
		*c += n; /* per CPU, and a tick does not interrupt a tick */
}
