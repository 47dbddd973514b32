/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * trace_request - where a request begins and ends, on its connection.
 */
#include "bpf/trace_flight.h"
#include "bpf/trace_kept.h"

static __always_inline void fill_trace(const struct conn *c, struct trace_scratch *s, struct ev_request *ev)
{
	struct flight *f;

	if (c->dir[REQUESTS].flags & HTTP1_TRACED) {
		__builtin_memcpy(ev->trace_id, c->dir[REQUESTS].trace_id, sizeof(ev->trace_id));
		__builtin_memcpy(&ev->parent_id, c->dir[REQUESTS].parent_id, sizeof(ev->parent_id));
		ev->trace_flags = c->dir[REQUESTS].trace_flags;
		ev->flags |= TRACE_PARENT;
		return;
	}
	f = c->side == TRACE_CLIENT ? current_flight(c, s) : 0;
	if (f && flight_is_sure(f) && !may_be_a_loop(f, c)) {
		__builtin_memcpy(ev->trace_id, f->trace_id, sizeof(ev->trace_id));
		ev->parent_id = f->span_id;
		ev->trace_flags = f->trace_flags;
		ev->flags |= TRACE_PARENT | TRACE_LOCAL | (f->flags & FLIGHT_OURS ? TRACE_OURS : 0);
		return;
	}
	ev->trace_id[0] = (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();
	ev->trace_id[1] = (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();
	ev->trace_flags = 2;
	ev->flags |= TRACE_OURS;
}

static __always_inline int is_sampled(const struct ev_request *ev)
{
	if (ev->flags & TRACE_PARENT)
		return ev->trace_flags & 1;
	return (__builtin_bswap64(ev->trace_id[1]) & TRACE_RANDOM_MASK) >= config.span_threshold;
}

/* Keeps what a span or a new route needs of it. */
static __always_inline void keep_request(struct conn *c, struct trace_scratch *s, struct in_flight *r)
{
	struct ev_request *ev;

	if (!config.spans && (r->flags & IN_FLIGHT_ROUTED)) {
		if (is_in_conn(c))
			c->is_kept = 0; /* a part of it was */
		return;
	}
	if (!keep_part(c, s))
		r->flags |= is_in_conn(c) ? IN_FLIGHT_KEPT | IN_FLIGHT_IN_CONN : IN_FLIGHT_KEPT;
	ev = find_kept(c, r, conn_span_id(c, c->tail));
	if (!ev) {
		count(TRACE_COUNT_HEAD_LOST);
		return;
	}
	if (!config.spans)
		return;
	fill_trace(c, s, ev);
	if (is_sampled(ev)) {
		r->flags |= IN_FLIGHT_SAMPLED;
		ev->trace_flags |= 1;
	}
}

static __always_inline void begin_request(struct conn *c, struct trace_scratch *s)
{
	struct in_flight *r;
	__u32 route;

	if (c->tail - c->head >= TRACE_PIPELINE || c->over) {
		c->over++;
		count(TRACE_COUNT_PIPELINE_FULL);
		/* What was kept of its head is no part of the next one's. */
		drop_kept(c, conn_span_id(c, c->tail), is_in_conn(c));
		return;
	}
	/* Whatever came before the first request does not answer it: of HEAD's answer what follows would be taken for the body. */
	if (!c->tail)
		http1_begin(&c->dir[RESPONSES]);
	r = conn_at(c, c->tail);
	*r = (struct in_flight){ .start_ns = c->begun_ns, .path_hash = c->dir[REQUESTS].path, .method = c->dir[REQUESTS].code };
	route = next_route_of(c, r->path_hash);
	if (route != TRACE_ROUTE_UNKNOWN) {
		r->route = route;
		r->flags = IN_FLIGHT_ROUTED;
	}
	keep_request(c, s, r);
	c->tail++;
	if (c->side == TRACE_SERVER && c->tail - c->head == 1)
		open_flight(c, s, 1);
}

static __always_inline void end_request(struct conn *c, struct trace_scratch *s, __u64 now, __u64 response_bytes, __u32 unfinished)
{
	struct in_flight *r = conn_at(c, c->head);
	__u64 start = r->start_ns > c->ended_ns ? r->start_ns : c->ended_ns;
	struct ended e = { .key = { .tgid = c->tgid, .route = in_flight_route(r), .status = c->status, .method = r->method, .side = c->side },
			   .request_bytes = r->request_bytes, .response_bytes = response_bytes, .unfinished = unfinished };

	if (e.key.route == TRACE_ROUTE_UNKNOWN)
		e.key.route = route_of(c, r->path_hash);
	e.duration_ns = now - start;
	count_request(s, &e);
	if (r->flags & IN_FLIGHT_KEPT)
		send_kept(c, s, r, &e, conn_span_id(c, c->head), start, now);
	s->used = (struct flight_cpu){ 0 };
	s->cpu_flags = 0;
	c->head++;
	c->status = 0;
	c->ended_ns = now;
}

/* One that gets no more answer, or with the rest of its answer. */
__noinline int break_request(struct conn *c, struct trace_scratch *s, __u64 now, __u64 response_bytes, __u32 unfinished)
{
	if (c && s)
		end_request(c, s, now, response_bytes, unfinished);
	return 0;
}

/* One that found no place in the queue. */
static __always_inline void end_over(struct conn *c, struct trace_scratch *s, __u64 now, __u64 response_bytes)
{
	const struct ended e = { .key = { .tgid = c->tgid, .status = c->status, .method = HTTP1_METHOD_OTHER, .side = c->side },
				 .duration_ns = now - c->ended_ns, .response_bytes = response_bytes };

	count_request(s, &e);
	c->over--;
	c->status = 0;
	c->ended_ns = now;
}

/* The next of those that were read at once. */
__noinline int go_on_with(struct conn *c, struct trace_scratch *s)
{
	if (c && s)
		open_flight(c, s, 0);
	return 0;
}

static __always_inline void end_response(struct conn *c, struct trace_scratch *s)
{
	if (c->flight)
		close_flight(c, s, 1);
	if (c->head != c->tail)
		end_request(c, s, now_of(s), c->dir[RESPONSES].body, 0);
	else if (c->over)
		end_over(c, s, now_of(s), c->dir[RESPONSES].body);
	c->status = 0;
	if (c->side == TRACE_SERVER && c->head != c->tail)
		go_on_with(c, s);
}

/* Whatever is in flight gets no more answer. */
__noinline int end_connection(struct conn *c, struct trace_scratch *s, __u64 now)
{
	if (!c || !s)
		return 0;
	if (c->flight)
		close_flight(c, s, 0);
	if (c->status && c->dir[RESPONSES].state == HTTP1_IN_REST && c->head != c->tail)
		break_request(c, s, now, c->dir[RESPONSES].body, 0);
	for (int i = 0; i < TRACE_PIPELINE && c->head != c->tail; i++)
		break_request(c, s, now, 0, 1);
	c->state = CONN_OVER;
	return 0;
}
