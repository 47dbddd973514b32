/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * trace_stream - a transfer's bytes, window by window, through the parser of their direction.
 */
#include "bpf/trace_request.h"

/* At the head of a response: what the request says of it. */
static __always_inline __u32 on_response_head(struct conn *c, struct trace_scratch *s)
{
	__u32 method = c->head != c->tail ? conn_at(c, c->head)->method : HTTP1_METHOD_OTHER, more = http1_answers(&c->responses, method);
	__u16 code = c->responses.code;

	if (code < 200 && code != 101)
		return more;
	c->status = code;
	if (c->flight.who)
		note_answer(c);
	if (code == 101 || (method == HTTP1_METHOD_CONNECT && code < 300)) {
		end_response(c, s);
		abandon_flight(c);
		c->state = CONN_OVER;
	}
	return more;
}

__noinline int on_events(struct conn *c, struct trace_scratch *s, __u32 events)
{
	if (!c || !s)
		return 0;
	if (events & HTTP1_NOT) {
		count(TRACE_COUNT_LOST_SYNC);
		end_connection(c, s, s->t.now);
		return 0;
	}
	if (s->t.is_requests) {
		if (events & HTTP1_HEAD)
			begin_request(c, s);
		s->t.part_at = 0;
		if ((events & HTTP1_END) && c->head != c->tail && !c->over)
			conn_at(c, c->tail - 1)->request_bytes = c->requests.body;
		return 0;
	}
	if (events & HTTP1_HEAD)
		events |= on_response_head(c, s);
	if (events & HTTP1_END)
		end_response(c, s);
	return 0;
}

/* Of the direction at hand. */
static __always_inline struct http1 *parser(struct conn *c, const struct trace_scratch *s)
{
	return s->t.is_requests ? &c->requests : &c->responses;
}

/* Events. */
static __always_inline __u32 pass(struct conn *c, struct trace_scratch *s, __u64 n)
{
	data_advance(&s->t.d, n);
	s->t.left -= n;
	return http1_pass(parser(c, s), n);
}

/*
 * The next bytes, or none: -1. Else events, of bytes that need not be seen. What they mean is left to the caller: the stack
 * of all who are at work may be 512 bytes (before Linux 6.13), and on_events() is where it is deepest.
 */
__noinline int fill_window(struct conn *c, struct trace_scratch *s)
{
	struct http1_window *w;
	struct transfer *t;
	__u64 n, unseen;

	if (!c || !s)
		return -1;
	t = &s->t;
	w = &s->window;
	if (!t->d.left && t->part_at) {
		keep_part(c, s); /* a head goes on in another buffer */
		t->part_at = 0;
	}
	if (!t->left || data_next_buffer(&t->d))
		return -1;
	unseen = http1_unseen(parser(c, s));
	n = t->left < t->d.left ? t->left : t->d.left;
	w->at = w->end = 0;
	t->window_at = t->d.at;
	if (unseen)
		return pass(c, s, n < unseen ? n : unseen);
	n = n < HTTP1_WINDOW ? n : HTTP1_WINDOW;
	if (bpf_probe_read_user(w->bytes, n, (const void *)t->d.at)) {
		count(TRACE_COUNT_UNREADABLE);
		end_connection(c, s, t->now);
		return -1;
	}
	w->end = n;
	data_advance(&t->d, n);
	t->left -= n;
	if (t->is_requests && !t->part_at && http1_in_head(&c->requests))
		t->part_at = t->window_at;
	return 0;
}

/* Up to the next event, or the window's end. */
__noinline int read_window(struct conn *c, struct trace_scratch *s)
{
	if (!c || !s)
		return 0;
	return http1_next(parser(c, s), &s->window);
}

struct look {
	struct conn *c;
	struct trace_scratch *s;
};

/* An event, or a window; most transfers are one of each. 1: done. */
static long look(__u32 i, void *ctx)
{
	struct conn *c = ((struct look *)ctx)->c;
	struct trace_scratch *s = ((struct look *)ctx)->s;
	int events = 0;

	if (c->state != CONN_HTTP1)
		return 1;
	if (s->window.at >= s->window.end)
		events = fill_window(c, s);
	if (events < 0)
		return 1;
	if (!events && s->window.at < s->window.end) {
		if (s->t.is_requests && c->requests.state <= HTTP1_AT_END) {
			s->t.part_at = s->t.window_at + s->window.at;
			c->begun_ns = s->t.now;
		}
		events = read_window(c, s);
	}
	if (events)
		on_events(c, s, events);
	return !s->t.left && s->window.at >= s->window.end;
}

__noinline int look_at_transfer(struct conn *c, struct trace_scratch *s)
{
	struct look l = { c, s };

	if (!c || !s)
		return 0;
	s->window.at = s->window.end = 0;
	bpf_loop(TRACE_MAX_LOOKS, look, &l, 0);
	if (s->t.part_at)
		keep_part(c, s);
	if (s->t.left && c->state == CONN_HTTP1)
		on_events(c, s, HTTP1_NOT); /* more than may be looked at in one go */
	return 0;
}

/* Bytes that cannot be seen: of a body they need not be. */
static __always_inline void pass_unseen(struct conn *c, struct trace_scratch *s)
{
	__u32 events;

	if (http1_unseen(parser(c, s)) < s->t.left) {
		count(TRACE_COUNT_UNSEEN);
		end_connection(c, s, s->t.now);
		return;
	}
	events = pass(c, s, s->t.left);
	if (events)
		on_events(c, s, events);
}
