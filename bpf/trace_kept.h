/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * trace_kept - a request's head and addresses, kept until it ends, and told to user space then.
 *
 * The connection has room for one; more that are in flight on it at once lie in a hash. A head that is the same as the one
 * before is there already.
 */
#include "bpf/trace_red.h"

/* IPv4 over a socket for IPv6, which has the addresses of both kinds then: ::ffff:192.0.2.1. */
static __always_inline int is_mapped(struct sock *sk)
{
	__u32 w[4];

	BPF_CORE_READ_INTO(&w, sk, __sk_common.skc_v6_daddr);
	return !(w[0] | w[1]) && w[2] == 0xffff0000;
}

static __always_inline void fill_addresses(struct ev_request *ev, struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	ev->flags = family == AF_UNIX ? TRACE_UNIX : 0;
	if (family == AF_UNIX)
		return;
	if (family == AF_INET6 && is_mapped(sk))
		family = AF_INET;
	ev->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	ev->peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (family == AF_INET6) {
		ev->flags |= TRACE_IPV6;
		BPF_CORE_READ_INTO(&ev->local_address, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&ev->peer_address, sk, __sk_common.skc_v6_daddr);
		return;
	}
	BPF_CORE_READ_INTO((__u32 *)ev->local_address, sk, __sk_common.skc_rcv_saddr);
	BPF_CORE_READ_INTO((__u32 *)ev->peer_address, sk, __sk_common.skc_daddr);
}

/* What is the connection's stays. */
static __always_inline void begin_kept(struct ev_request *ev, const struct conn *c, const struct trace_scratch *s, __u64 span_id)
{
	ev->span_id = span_id;
	ev->parent_id = 0;
	ev->cgroup_id = bpf_get_current_cgroup_id();
	ev->tgid = c->tgid;
	ev->tid = s->who;
	ev->service = c->service;
	ev->flags &= TRACE_IPV6 | TRACE_UNIX;
	ev->head_len = 0;
}

/* NULL: no memory. */
static __always_inline struct ev_request *keep_aside(const struct conn *c, struct trace_scratch *s, __u64 span_id)
{
	struct kept_request *kept = bpf_map_lookup_elem(&kept_requests, &span_id);
	struct trace_scratch *own = kept ? 0 : scratch_in_map(s);

	if (own) {
		__builtin_memcpy(&own->request.ev, &c->kept, offsetof(struct ev_request, head));
		begin_kept(&own->request.ev, c, s, span_id);
		bpf_map_update_elem(&kept_requests, &span_id, &own->request, BPF_ANY);
		kept = bpf_map_lookup_elem(&kept_requests, &span_id);
	}
	return kept ? &kept->ev : 0;
}

/* The request at the end of the queue is the one that the connection has room for. */
static __always_inline int is_in_conn(const struct conn *c)
{
	return c->is_kept && c->kept_n == c->tail;
}

/* The same. NULL: no memory. */
static __always_inline struct ev_request *kept_of(struct conn *c, struct trace_scratch *s)
{
	__u64 span_id = conn_span_id(c, c->tail);

	if (!c->is_kept && c->aside_n != c->tail + 1) {
		c->is_kept = 1;
		c->kept_n = c->tail;
		begin_kept(&c->kept, c, s, span_id);
	}
	if (is_in_conn(c))
		return &c->kept;
	c->aside_n = c->tail + 1;
	return keep_aside(c, s, span_id);
}

/* One that is in flight; NULL: it is not kept. */
static __always_inline struct ev_request *find_kept(struct conn *c, const struct in_flight *r, __u64 span_id)
{
	struct kept_request *kept;

	if (r->flags & IN_FLIGHT_IN_CONN)
		return &c->kept;
	kept = r->flags & IN_FLIGHT_KEPT ? bpf_map_lookup_elem(&kept_requests, &span_id) : 0;
	return kept ? &kept->ev : 0;
}

static __always_inline int copy_part(struct ev_request *ev, __u64 from, __u64 len)
{
	__u32 at = ev->head_len;

	if (at > TRACE_HEAD_BYTES)
		return -1;
	if (len > TRACE_HEAD_BYTES - at) {
		len = TRACE_HEAD_BYTES - at;
		ev->flags |= TRACE_HEAD_CUT;
	}
	asm volatile("" : "+r"(at), "+r"(len));
	if (at >= TRACE_HEAD_BYTES || !len || len > TRACE_HEAD_BYTES)
		return -1;
	if (bpf_probe_read_user(&ev->head[at], len, (const void *)from))
		return -1;
	ev->head_len = at + len;
	return 0;
}

/* What lies of a head in the buffer at hand, behind what is kept of it. */
__noinline int keep_part(struct conn *c, struct trace_scratch *s)
{
	struct ev_request *ev;
	__u64 len;

	if (!c || !s)
		return -1;
	len = s->t.window_at + s->window.at - s->t.part_at;
	ev = kept_of(c, s);
	if (!ev)
		return -1;
	if (!is_in_conn(c)) {
		copy_part(ev, s->t.part_at, len);
	} else if (s->head_id && s->head_id == c->kept_id) {
		ev->head_len = len;
	} else {
		c->kept_id = s->head_id;
		if (copy_part(ev, s->t.part_at, len))
			c->kept_id = 0;
	}
	return 0;
}

static __always_inline void drop_kept(struct conn *c, __u64 span_id, int in_conn)
{
	if (in_conn)
		c->is_kept = 0;
	else
		bpf_map_delete_elem(&kept_requests, &span_id);
}

static __always_inline __u64 request_wakeup(void)
{
	if (!config.ring_wakeup_bytes)
		return 0;
	return bpf_ringbuf_query(&requests, BPF_RB_AVAIL_DATA) > config.ring_wakeup_bytes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

/* Though it is not sampled. */
static __always_inline int is_wanted_outcome(const struct conn *c, const struct ended *e)
{
	return (config.unfinished && e->unfinished) || e->key.status >= config.error_status[c->side & 1] || e->duration_ns >= config.slow_ns;
}

/* How the one that ended is told: TRACE_SPAN, as one, TRACE_UNKNOWN, for its route's sake; 0: not at all. */
static __always_inline __u32 how_told(const struct conn *c, const struct in_flight *r, const struct ended *e)
{
	__u32 how = r->flags & IN_FLIGHT_ROUTED ? 0 : TRACE_UNKNOWN;

	if (config.spans && (r->flags & IN_FLIGHT_SAMPLED))
		how |= TRACE_SPAN;
	else if (config.spans && is_wanted_outcome(c, e))
		how |= TRACE_SPAN | TRACE_BY_OUTCOME;
	return how;
}

static __always_inline void send_kept(struct conn *c, struct trace_scratch *s, struct in_flight *r, const struct ended *e, __u64 span_id, __u64 start, __u64 now)
{
	struct ev_request *ev = find_kept(c, r, span_id);
	__u32 how = how_told(c, r, e), len = ev ? ev->head_len : 0;

	if (!ev)
		count(TRACE_COUNT_HEAD_LOST);
	if (ev && how && len <= TRACE_HEAD_BYTES) {
		ev->start_ns = start;
		ev->end_ns = now;
		ev->request_bytes = e->request_bytes;
		ev->response_bytes = e->response_bytes;
		ev->used = s->used;
		ev->route = e->key.route;
		ev->status = e->key.status;
		ev->method = e->key.method;
		ev->flags |= how | s->cpu_flags | (e->unfinished ? TRACE_UNFINISHED : 0);
		count_here(s, bpf_ringbuf_output(&requests, ev, offsetof(struct ev_request, head) + len, request_wakeup()) ? TRACE_COUNT_RING_FULL : TRACE_COUNT_SPANS);
	}
	drop_kept(c, span_id, r->flags & IN_FLIGHT_IN_CONN);
}
