/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * trace_flight - who works on a request: opened when its head was read, closed when the last byte of the response is written.
 */
#include "bpf/trace_clock.h"
#include "bpf/trace_kept.h"

static __always_inline __u64 current_goroutine(struct trace_scratch *s)
{
	__u64 g = s->goroutine ? s->goroutine : flight_goroutine((void *)bpf_get_current_task());

	s->goroutine = g;
	return g ? flight_who(s->who >> FLIGHT_TGID_SHIFT, g) : 0;
}

/* Who runs: a thread, or a goroutine. */
static __always_inline __u64 current_who(const struct conn *c, struct trace_scratch *s)
{
	return c->go ? current_goroutine(s) : s->who;
}

static __always_inline int is_current(const struct conn *c, struct trace_scratch *s)
{
	return c->flight == current_who(c, s);
}

/* Its response begins. */
static __always_inline void note_answer(struct conn *c, struct trace_scratch *s)
{
	struct flight *f = is_current(c, s) ? 0 : find_flight(c->flight);

	if (f && f->start_ns == c->flight_start_ns)
		f->hands_over = 1;
}

/* Of who runs now; NULL: nobody is there. */
static __always_inline struct flight *current_flight(const struct conn *c, struct trace_scratch *s)
{
	return find_flight(current_who(c, s));
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

static __always_inline void begin_flight(struct flight *f, __u64 start_ns)
{
	f->start_ns = start_ns;
	f->span_id = 0;
	f->flags = f->hands_over = f->mixes = 0;
}

/* Of a set the one that is free, or was not used for longest. */
static __always_inline __u32 oldest_of(const struct flight_set *set)
{
	__u64 age, oldest = set->f[0].open ? ~0ull : set->f[0].used_ns;
	__u32 at = 0;

	for (__u32 i = 1; i < FLIGHT_WAYS; i++) {
		age = set->f[i].open ? ~0ull : set->f[i].used_ns;
		if (age < oldest) {
			oldest = age;
			at = i;
		}
	}
	return at;
}

/* Its owner may be about to open it: whoever sees the other's mark, which both set first, gives way. */
static __always_inline struct flight *take_over(struct flight_set *set, __u64 who, __u64 start_ns)
{
	struct flight *f = &set->f[oldest_of(set) % FLIGHT_WAYS];
	__u64 owner = f->who;

	if (f->open || __sync_val_compare_and_swap(&f->who, owner, who) != owner)
		return 0;
	if (*(volatile __u32 *)&f->open) {
		f->who = owner;
		return 0;
	}
	begin_flight(f, start_ns);
	return f;
}

/* NULL: there is no room. */
static __always_inline struct flight *make_flight(const struct conn *c)
{
	__u64 start_ns = c->go ? c->tgid : bpf_get_current_task_btf()->start_boottime;
	struct flight *f = find_flight(c->flight);
	struct flight_set *set;

	if (f && f->start_ns != start_ns) {
		f->open = 0;
		begin_flight(f, start_ns);
	}
	set = f ? 0 : find_flight_set(c->flight);
	return set ? take_over(set, c->flight, start_ns) : f;
}

/* Requests that were open there before; -1: it is another's by now. */
static __always_inline int count_open(struct flight *f, __u64 who, __u64 now)
{
	int before = __sync_fetch_and_add(&f->open, 1);

	if (*(volatile __u64 *)&f->who == who) {
		f->used_ns = now;
		return before;
	}
	__sync_fetch_and_add(&f->open, -1);
	return -1;
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

/* What is told of it to requests that are made for it. */
static __always_inline void fill_flight_span(struct flight *f, struct conn *c, const struct in_flight *r, __u64 span_id)
{
	const struct ev_request *kept = find_kept(c, r, span_id);

	f->trace_id[0] = kept ? kept->trace_id[0] : 0;
	f->trace_id[1] = kept ? kept->trace_id[1] : 0;
	f->trace_flags = kept ? kept->trace_flags : 0;
	f->flags = (r->flags & IN_FLIGHT_SAMPLED ? FLIGHT_SAMPLED : 0) | (kept && (kept->flags & TRACE_OURS) ? FLIGHT_OURS : 0);
}

static __always_inline void fill_flight(struct flight *f, struct conn *c, __u64 sk)
{
	const struct in_flight *r = conn_at(c, c->head);
	__u64 span_id = conn_span_id(c, c->head);

	f->sk = sk;
	f->sampled_ns = 0;
	f->route = in_flight_route(r);
	f->method = r->method;
	f->flags = 0;
	if (config.spans)
		fill_flight_span(f, c, r, span_id);
	if (config.exact && !c->go && start_clock()) {
		f->exact = (struct flight_cpu){ 0 };
		f->flags |= FLIGHT_EXACT;
	}
	flight_order();
	f->span_id = span_id;
	flight_order();
}

/*
 * The oldest request in flight is being worked on, by whoever runs now. sure: it is known when that began. Of requests
 * that were read at once all but the first begin somewhere in what comes after the response before them.
 */
static __always_inline void open_flight(struct conn *c, struct trace_scratch *s, int sure)
{
	struct flight *f;
	int open;

	/* Whether a thread or a goroutine works on it user space knows. */
	c->flight = c->known ? current_who(c, s) : 0;
	f = c->flight ? make_flight(c) : 0;
	open = f ? count_open(f, c->flight, now_of(s)) : -1;
	if (open < 0) {
		if (c->flight)
			count_here(s, TRACE_COUNT_FLIGHTS_FULL);
		c->flight = 0;
		return;
	}
	c->flight_start_ns = f->start_ns;
	if (open && f->span_id && (f->sk == s->t.sk || flight_is_stale(f))) {
		f->span_id = 0;
		__sync_fetch_and_add(&f->open, -1);
		open--;
	}
	if (open) {
		f->mixes |= f->sk != s->t.sk;
		share_flight(f);
	} else if (sure) {
		fill_flight(f, c, s->t.sk);
	} else {
		f->span_id = 0;
	}
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

/* One of the open ones is none any more; is_known: the one in span_id. */
static __always_inline void leave_flight(struct flight *f, int is_known)
{
	if (is_known) {
		flight_order();
		f->span_id = 0;
		flight_order();
	}
	if (f->open)
		__sync_fetch_and_add(&f->open, -1);
}

/* The one in span_id ends. */
static __always_inline void settle_flight(struct flight *f, const struct conn *c, struct trace_scratch *s, int is_own, int is_handed_over)
{
	if (is_handed_over || f->hands_over) {
		take_back(c->go ? f->start_ns : f->who >> FLIGHT_TGID_SHIFT, f->sampled_ns);
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

/* The oldest in flight ends. by_answer: whoever runs now has written the last byte. */
static __always_inline void close_flight(struct conn *c, struct trace_scratch *s, int by_answer)
{
	struct flight *f = find_flight(c->flight);
	int is_own = is_current(c, s), is_handed_over = by_answer && !is_own, is_known;

	if (f && f->start_ns == c->flight_start_ns) {
		is_known = f->span_id == conn_span_id(c, c->head);
		if (is_known)
			settle_flight(f, c, s, is_own, is_handed_over);
		if (by_answer)
			f->hands_over = is_handed_over;
		leave_flight(f, is_known);
	}
	c->flight = 0;
}

/* Nobody works on what is in flight there, as far as can be known from now on. */
static __always_inline void abandon_flight(struct conn *c)
{
	struct flight *f = find_flight(c->flight);

	if (f && f->start_ns == c->flight_start_ns)
		leave_flight(f, f->span_id == conn_span_id(c, c->head));
	c->flight = 0;
}
