/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * trace_flight - who works on a request: opened when its head was read, closed when the last byte of the response is written.
 */
#include "bpf/trace_maps.h"

static __always_inline __u64 current_who(const struct conn *c)
{
	return c->go ? flight_goroutine((void *)bpf_get_current_task()) : (__u32)bpf_get_current_pid_tgid();
}

static __always_inline struct flight *find_flight(__u64 who, __u32 tgid)
{
	const struct flight_key key = { .who = who, .tgid = tgid };

	return who ? bpf_map_lookup_elem(&flights, &key) : 0;
}

static __always_inline struct flight *make_flight(const struct conn *c, __u64 who)
{
	const struct flight_key key = { .who = who, .tgid = c->tgid };
	struct task_struct *task = (void *)bpf_get_current_task();
	struct flight *f = find_flight(who, c->tgid), fresh = { 0 };

	if (!c->go)
		fresh.start_ns = BPF_CORE_READ(task, start_boottime);
	if (f && f->start_ns == fresh.start_ns)
		return f;
	bpf_map_update_elem(&flights, &key, &fresh, BPF_ANY);
	return find_flight(who, c->tgid);
}

/* The oldest request in flight is being worked on, by whoever runs now. */
__noinline int open_flight(struct conn *c)
{
	const struct in_flight *r;
	struct flight_slot *slot;
	struct ev_request *kept;
	struct flight *f;
	__u64 who;

	if (!c)
		return 0;
	r = conn_at(c, c->head);
	/* Whether a thread or a goroutine works on it user space knows. */
	who = c->known ? current_who(c) : 0;
	f = who ? make_flight(c, who) : 0;
	c->who = 0;
	if (!f)
		return 0;
	c->who = who;
	slot = flight_open(f);
	if (!slot)
		return 0;
	*slot = (struct flight_slot){ .span_id = conn_span_id(c, c->head), .route = r->route, .method = r->method,
				      .flags = r->flags & IN_FLIGHT_SAMPLED ? FLIGHT_SAMPLED : 0 };
	kept = r->flags & IN_FLIGHT_KEPT ? bpf_map_lookup_elem(&kept_requests, &slot->span_id) : 0;
	if (kept) {
		__builtin_memcpy(slot->trace_id, kept->trace_id, sizeof(slot->trace_id));
		slot->trace_flags = kept->trace_flags;
		slot->flags |= kept->flags & TRACE_OURS ? FLIGHT_OURS : 0;
	}
	return 0;
}

static __always_inline __u64 close_flight(struct conn *c, __u64 span_id)
{
	struct flight *f = find_flight(c->who, c->tgid);
	const struct flight_key key = { .who = c->who, .tgid = c->tgid };
	__u64 cpu_ns;

	c->who = 0;
	if (!f)
		return 0;
	cpu_ns = flight_close(f, span_id);
	if (!f->open)
		bpf_map_delete_elem(&flights, &key);
	return cpu_ns;
}
