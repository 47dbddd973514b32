/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * trace_stream - a transfer's bytes, window by window, through the parser of their direction.
 */
#include "bpf/trace_request.h"

/* The one at hand. Of its number the verifier knows nothing, so that it follows both at once. */
static __always_inline struct http1 *direction(struct conn *c, const struct trace_scratch *s)
{
	return &c->dir[*(const volatile __u32 *)&s->t.dir & 1];
}

/* All that is left of the transfer is body: events. */
static __always_inline __u32 pass_rest(struct http1 *m, struct trace_scratch *s)
{
	__u64 rest = s->t.left + s->window.end - s->window.at;

	if (!rest || http1_unseen(m) < rest)
		return 0;
	s->t.left = 0;
	s->window.at = s->window.end;
	return http1_pass(m, rest);
}

__noinline int on_request(struct conn *c, struct trace_scratch *s, __u32 events)
{
	if (!c || !s)
		return 0;
	if (events & HTTP1_HEAD)
		begin_request(c, s);
	s->t.part_at = s->head_id = 0;
	if ((events & HTTP1_END) && c->head != c->tail && !c->over)
		conn_at(c, c->tail - 1)->request_bytes = c->dir[REQUESTS].body;
	return 0;
}

/* Behind the response whose head was read there is no HTTP. */
static __always_inline int is_tunnel(const struct http1 *m, __u32 method)
{
	return m->state == HTTP1_IN_REST && (m->code == 101 || (method == HTTP1_METHOD_CONNECT && m->code < 300));
}

__noinline int on_response(struct conn *c, struct trace_scratch *s, __u32 events)
{
	struct http1 *m;
	int tunnel = 0;
	__u32 method;

	if (!c || !s)
		return 0;
	m = &c->dir[RESPONSES];
	if (events & HTTP1_HEAD) {
		method = c->head != c->tail ? conn_at(c, c->head)->method : HTTP1_METHOD_OTHER;
		events |= http1_answers(m, method);
		tunnel = is_tunnel(m, method);
		if (m->code >= 200 || tunnel)
			c->status = m->code;
		events |= tunnel ? HTTP1_END : pass_rest(m, s);
		if (c->status && c->flight && !(events & HTTP1_END))
			note_answer(c, s);
	}
	if (events & HTTP1_END)
		end_response(c, s);
	if (tunnel) {
		abandon_flight(c);
		c->state = CONN_OVER;
	}
	return 0;
}

static __always_inline void on_events(struct conn *c, struct trace_scratch *s, __u32 events)
{
	if (events & HTTP1_NOT) {
		count(TRACE_COUNT_LOST_SYNC);
		end_connection(c, s, now_of(s));
	} else if (s->t.dir == REQUESTS) {
		on_request(c, s, events);
	} else {
		on_response(c, s, events);
	}
}

/* Where a request begins, in the window. */
static __always_inline void note_begin(struct conn *c, struct trace_scratch *s)
{
	if (s->t.dir != REQUESTS)
		return;
	s->t.part_at = s->t.window_at + s->window.at;
	c->begun_ns = now_of(s);
}

static __always_inline struct http1_again *again_of(const struct trace_scratch *s)
{
	__u32 i = s->t.dir * HTTP1_PLACES + http1_again_place(&s->window);

	return s->index ? 0 : bpf_map_lookup_elem(&heads, &i);
}

/* A head that was read before: its events. */
static __always_inline __u32 read_again(struct conn *c, struct trace_scratch *s, struct http1 *m)
{
	struct http1_again *a;
	__u32 events;

	note_begin(c, s);
	a = again_of(s);
	events = a ? http1_next_again(m, &s->window, a) : 0;
	s->head_id = events ? a->id : 0;
	return events;
}

/* The head that was read is kept for the next one, or not this time. */
static __always_inline void keep_head(struct trace_scratch *s, const struct http1 *m, __u32 events)
{
	struct http1_again *a = again_of(s);

	if (!a || !http1_keep(a, m, &s->window, events))
		return;
	a->id = ++s->n_heads << 16 | (bpf_get_smp_processor_id() & 0xffff);
	s->head_id = a->id;
}

/*
 * The next bytes, or none: -1. Else events, of bytes that need not be seen or were seen before. What they mean is left to the
 * caller: the stack of all who are at work may be 512 bytes (before Linux 6.13), and on_request() is where it is deepest.
 */
static __always_inline int fill_window(struct conn *c, struct trace_scratch *s)
{
	struct http1 *m = direction(c, s);
	struct http1_window *w = &s->window;
	struct transfer *t = &s->t;
	__u64 n, unseen;

	if (!t->d.left && t->part_at) {
		keep_part(c, s); /* a head goes on in another buffer */
		t->part_at = 0;
	}
	w->at = w->end = 0;
	unseen = http1_unseen(m);
	if (unseen >= t->left)
		return pass_rest(m, s);
	if (data_next_buffer(&t->d))
		return -1;
	n = t->left < t->d.left ? t->left : t->d.left;
	if (unseen)
		n = n < unseen ? n : unseen;
	else
		n = n < HTTP1_WINDOW ? n : HTTP1_WINDOW;
	t->window_at = t->d.at;
	data_advance(&t->d, n);
	t->left -= n;
	if (unseen)
		return http1_pass(m, n);
	if (bpf_probe_read_user(w->bytes, n, (const void *)t->window_at)) {
		count(TRACE_COUNT_UNREADABLE);
		end_connection(c, s, now_of(s));
		return -1;
	}
	w->end = n;
	if (http1_begins(m))
		return read_again(c, s, m);
	if (t->dir == REQUESTS && !t->part_at && http1_in_head(m))
		t->part_at = t->window_at;
	return 0;
}

__noinline int fill_window_again(struct conn *c, struct trace_scratch *s)
{
	return c && s ? fill_window(c, s) : -1;
}

/* A function of its own, so that the verifier follows one way into the parser. */
__noinline int note_if_begin(struct conn *c, struct trace_scratch *s)
{
	if (c && s && direction(c, s)->state <= HTTP1_AT_END)
		note_begin(c, s);
	return 0;
}

/* Up to the next event, or the window's end. */
__noinline int read_window(struct conn *c, struct trace_scratch *s)
{
	struct http1 *m;
	int is_whole;
	__u32 events;

	if (!c || !s)
		return 0;
	m = direction(c, s);
	is_whole = !s->window.at && http1_begins(m);
	note_if_begin(c, s);
	s->head_id = 0;
	events = http1_next(m, &s->window);
	if (is_whole && (events & HTTP1_HEAD))
		keep_head(s, m, events);
	return events;
}

static __always_inline int is_looked_through(const struct trace_scratch *s)
{
	return !s->t.left && s->window.at >= s->window.end;
}

struct look {
	struct conn *c;
	struct trace_scratch *s;
};

/* An event, or a window. 1: done. */
static long look(__u32 i, void *ctx)
{
	struct conn *c = ((struct look *)ctx)->c;
	struct trace_scratch *s = ((struct look *)ctx)->s;
	int events = 0;

	if (c->state != CONN_HTTP1)
		return 1;
	if (s->window.at >= s->window.end)
		events = fill_window_again(c, s);
	if (events < 0)
		return 1;
	if (!events && s->window.at < s->window.end)
		events = read_window(c, s);
	if (events)
		on_events(c, s, events);
	return is_looked_through(s);
}

__noinline int look_on(struct conn *c, struct trace_scratch *s)
{
	struct look l = { c, s };

	if (!c || !s)
		return 0;
	bpf_loop(TRACE_MAX_LOOKS, look, &l, 0);
	if (s->t.part_at)
		keep_part(c, s);
	if (s->t.left && c->state == CONN_HTTP1)
		on_events(c, s, HTTP1_NOT); /* more than may be looked at in one go */
	return 0;
}

/* Most transfers are one window, and that one event: without the loop. */
static __always_inline void look_at_transfer(struct conn *c, struct trace_scratch *s)
{
	int events = fill_window(c, s);

	if (events > 0)
		on_events(c, s, events);
	if (events >= 0 && !is_looked_through(s))
		look_on(c, s);
}

/* Bytes that cannot be seen: of a body they need not be. */
static __always_inline void pass_unseen(struct conn *c, struct trace_scratch *s)
{
	struct http1 *m = direction(c, s);
	__u32 events;

	if (http1_unseen(m) < s->t.left) {
		count(TRACE_COUNT_UNSEEN);
		end_connection(c, s, now_of(s));
		return;
	}
	s->window.at = s->window.end = 0;
	events = pass_rest(m, s);
	if (events)
		on_events(c, s, events);
}
