/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * trace_flight - who works on a request: opened when its head was read, closed when the last byte of the response is written.
 */
#include "bpf/trace_clock.h"
#include "bpf/trace_maps.h"

static __always_inline __u64 current_who(const struct conn *c)
{
	return c->go ? flight_goroutine((void *)bpf_get_current_task()) : (__u32)bpf_get_current_pid_tgid();
}

static __always_inline int is_current(const struct conn *c)
{
	return c->flight.tgid == (__u32)(bpf_get_current_pid_tgid() >> 32) && c->flight.who == current_who(c);
}

/* Its response begins. */
static __always_inline void note_answer(struct conn *c)
{
	const struct flight_key key = c->flight;
	struct flight *f = is_current(c) ? 0 : bpf_map_lookup_elem(&flights, &key);

	if (f && f->start_ns == c->flight_start_ns)
		f->hands_over = 1;
}

/* Of who runs now; NULL: nobody is there. */
static __always_inline struct flight *current_flight(const struct conn *c)
{
	const struct flight_key key = { .who = current_who(c), .tgid = c->tgid };

	return key.who ? bpf_map_lookup_elem(&flights, &key) : 0;
}

/*
 * What its thread asks of others is not known to be for the one request it works on: it may be an event loop, with work of
 * its own beside. That is one which had several requests at once, or a process's first thread that never waits in a read.
 */
static __always_inline int may_be_a_loop(const struct flight *f, const struct conn *c)
{
	struct sock *sk = (void *)f->sk;

	if (c->go)
		return 0;
	if (f->mixes)
		return 1;
	return (__u32)bpf_get_current_pid_tgid() == c->tgid && (BPF_CORE_READ(sk, sk_socket, file, f_flags) & O_NONBLOCK);
}

static __always_inline struct flight *make_flight(const struct conn *c)
{
	const struct flight_key key = c->flight; /* on the stack: Linux before 6.2 takes no key from a function's argument */
	struct flight *f = bpf_map_lookup_elem(&flights, &key), fresh;
	__u64 start_ns = c->go ? 0 : bpf_get_current_task_btf()->start_boottime;

	if (f && f->start_ns == start_ns)
		return f;
	fresh = (struct flight){ .start_ns = start_ns };
	bpf_map_update_elem(&flights, &key, &fresh, BPF_ANY);
	return bpf_map_lookup_elem(&flights, &key);
}

/* Another one is open as well, or will be. */
static __always_inline void share_flight(struct flight *f)
{
	if (!f->span_id || (f->flags & FLIGHT_SHARED))
		return;
	f->flags |= FLIGHT_SHARED;
	if (f->flags & FLIGHT_EXACT)
		stop_clock(&f->exact);
}

static __always_inline void fill_flight(struct flight *f, struct conn *c, __u64 sk)
{
	const struct in_flight *r = conn_at(c, c->head);
	__u64 span_id = conn_span_id(c, c->head);
	struct ev_request *kept;

	kept = r->flags & IN_FLIGHT_KEPT ? bpf_map_lookup_elem(&kept_requests, &span_id) : 0;
	f->trace_id[0] = kept ? kept->trace_id[0] : 0;
	f->trace_id[1] = kept ? kept->trace_id[1] : 0;
	f->sk = sk;
	f->sampled_ns = 0;
	f->exact = (struct flight_cpu){ 0 };
	f->route = in_flight_route(r);
	f->method = r->method;
	f->trace_flags = kept ? kept->trace_flags : 0;
	f->flags = (r->flags & IN_FLIGHT_SAMPLED ? FLIGHT_SAMPLED : 0) | (kept && (kept->flags & TRACE_OURS) ? FLIGHT_OURS : 0);
	if (config.exact && !c->go && start_clock())
		f->flags |= FLIGHT_EXACT;
	flight_order();
	f->span_id = span_id;
	flight_order();
}

/*
 * The oldest request in flight is being worked on, by whoever runs now. sure: it is known when that began. Of requests
 * that were read at once all but the first begin somewhere in what comes after the response before them.
 */
__noinline int open_flight(struct conn *c, struct trace_scratch *s, int sure)
{
	struct flight *f;

	if (!c || !s)
		return 0;
	/* Whether a thread or a goroutine works on it user space knows. */
	c->flight = (struct flight_key){ .who = c->known ? current_who(c) : 0, .tgid = c->tgid };
	f = c->flight.who ? make_flight(c) : 0;
	if (!f) {
		c->flight.who = 0;
		return 0;
	}
	c->flight_start_ns = f->start_ns;
	if (f->open && f->span_id && (f->sk == s->t.sk || flight_is_stale(f))) {
		f->span_id = 0;
		__sync_fetch_and_add(&f->open, -1);
	}
	if (f->open) {
		f->mixes |= f->sk != s->t.sk;
		share_flight(f);
	} else if (sure) {
		fill_flight(f, c, s->t.sk);
	} else {
		f->span_id = 0;
	}
	__sync_fetch_and_add(&f->open, 1);
	return 0;
}

/* It was not this request's after all. */
static __always_inline void take_back(__u32 tgid, __u64 ns)
{
	struct trace_proc *proc = ns ? bpf_map_lookup_elem(&procs, &tgid) : 0;

	if (!proc)
		return;
	__sync_fetch_and_add(&proc->join_ns[EV_JOIN_REQUEST], -ns);
	__sync_fetch_and_add(&proc->join_ns[EV_JOIN_HANDED_OVER], ns);
}

/* The one in span_id ends. */
static __always_inline void settle_flight(struct flight *f, const struct conn *c, struct trace_scratch *s, int is_own, int is_handed_over)
{
	if (is_handed_over || f->hands_over) {
		take_back(c->flight.tgid, f->sampled_ns);
		return;
	}
	s->cpu_flags = f->flags & FLIGHT_SHARED ? 0 : TRACE_CPU_KNOWN;
	s->used.cpu_ns = f->sampled_ns;
	/* The clock of a thread is only read by itself: of what ends otherwise, when a connection breaks, the samples count. */
	if (!(f->flags & FLIGHT_EXACT) || !(is_own || (f->flags & FLIGHT_SHARED)))
		return;
	if (!(f->flags & FLIGHT_SHARED))
		stop_clock(&f->exact);
	s->used = f->exact;
	s->cpu_flags |= TRACE_CPU_EXACT;
}

/* The oldest in flight ends; s: NULL when it is not to be counted. by_answer: whoever runs now has written the last byte. */
__noinline int close_flight(struct conn *c, struct trace_scratch *s, int by_answer)
{
	struct flight_key key;
	struct flight *f;
	int is_own, is_handed_over;
	__u32 open;

	if (!c)
		return 0;
	key = c->flight;
	f = bpf_map_lookup_elem(&flights, &key);
	is_own = is_current(c);
	is_handed_over = by_answer && !is_own;
	c->flight.who = 0;
	if (!f || f->start_ns != c->flight_start_ns)
		return 0;
	if (f->span_id == conn_span_id(c, c->head)) {
		if (s)
			settle_flight(f, c, s, is_own, is_handed_over);
		flight_order();
		f->span_id = 0;
		flight_order();
	}
	if (by_answer)
		f->hands_over = is_handed_over;
	open = f->open ? __sync_fetch_and_add(&f->open, -1) : 1;
	/* A thread comes again and finds its own; of goroutines there may be more than the map holds. */
	if (open == 1 && is_own && !f->hands_over && c->go)
		bpf_map_delete_elem(&flights, &key);
	return 0;
}
