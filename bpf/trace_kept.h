/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * trace_kept - a request's head and addresses, kept until it ends, and told to user space then.
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

	if (family == AF_UNIX) {
		ev->flags |= TRACE_UNIX;
		return;
	}
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

/* The request at the end of the queue, kept under its span id. NULL: no memory. */
static __always_inline struct ev_request *kept_of(const struct conn *c, struct trace_scratch *s, __u64 span_id)
{
	struct ev_request *ev = bpf_map_lookup_elem(&kept_requests, &span_id), *fresh;
	struct trace_scratch *own = ev ? 0 : scratch_in_map(s);

	if (!own)
		return ev;
	fresh = &own->request;
	__builtin_memset(fresh, 0, offsetof(struct ev_request, head));
	fresh->span_id = span_id;
	fresh->cgroup_id = bpf_get_current_cgroup_id();
	fresh->tgid = c->tgid;
	fresh->tid = bpf_get_current_pid_tgid();
	fresh->service = c->service;
	fresh->side = c->side;
	fill_addresses(fresh, (void *)s->t.sk);
	bpf_map_update_elem(&kept_requests, &span_id, fresh, BPF_ANY);
	return bpf_map_lookup_elem(&kept_requests, &span_id);
}

/* What lies of a head in the buffer at hand, behind what is kept of it. */
__noinline int keep_part(struct conn *c, struct trace_scratch *s)
{
	struct ev_request *ev;
	__u64 len;
	__u32 at;

	if (!c || !s)
		return -1;
	len = s->t.window_at + s->window.at - s->t.part_at;
	ev = kept_of(c, s, conn_span_id(c, c->tail));
	if (!ev)
		return -1;
	at = ev->head_len;
	if (at > TRACE_HEAD_BYTES)
		return 0;
	if (len > TRACE_HEAD_BYTES - at) {
		len = TRACE_HEAD_BYTES - at;
		ev->flags |= TRACE_HEAD_CUT;
	}
	asm volatile("" : "+r"(at), "+r"(len));
	if (at >= TRACE_HEAD_BYTES || !len || len > TRACE_HEAD_BYTES)
		return 0;
	if (!bpf_probe_read_user(&ev->head[at], len, (const void *)s->t.part_at))
		ev->head_len = at + len;
	return 0;
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

static __always_inline void send_kept(struct conn *c, const struct trace_scratch *s, struct in_flight *r, const struct ended *e, __u64 span_id, __u64 start, __u64 now)
{
	struct ev_request *ev = bpf_map_lookup_elem(&kept_requests, &span_id);
	__u32 len;

	if (!ev) {
		count(TRACE_COUNT_HEAD_LOST);
		return;
	}
	ev->start_ns = start;
	ev->end_ns = now;
	ev->request_bytes = e->request_bytes;
	ev->response_bytes = e->response_bytes;
	ev->used = s->used;
	ev->route = e->key.route;
	ev->status = e->key.status;
	ev->method = e->key.method;
	ev->flags |= s->cpu_flags | (e->unfinished ? TRACE_UNFINISHED : 0) | (e->key.route == TRACE_ROUTE_UNKNOWN ? TRACE_UNKNOWN : 0);
	if (config.spans && (r->flags & IN_FLIGHT_SAMPLED))
		ev->flags |= TRACE_SPAN;
	else if (config.spans && is_wanted_outcome(c, e))
		ev->flags |= TRACE_SPAN | TRACE_BY_OUTCOME;
	len = ev->head_len;
	if ((ev->flags & (TRACE_SPAN | TRACE_UNKNOWN)) && len <= TRACE_HEAD_BYTES)
		count(bpf_ringbuf_output(&requests, ev, offsetof(struct ev_request, head) + len, request_wakeup()) ? TRACE_COUNT_RING_FULL : TRACE_COUNT_SPANS);
	bpf_map_delete_elem(&kept_requests, &span_id);
}
