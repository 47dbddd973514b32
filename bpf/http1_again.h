/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * http1_again - a head that was read before is not read again.
 *
 * Who asks or answers often says the same each time: the line, the host, who they are. What a head comes to depends on its bytes
 * alone, and on what its direction carries: it is kept with them, and the next one is compared, at a tenth of what reading
 * takes. Where heads differ each time, by an id or a counter, one in 16 is kept and compared.
 *
 * In front of http1_next(), where a message begins at a window's start:
 *
 *	a = the one at http1_again_place(w)
 *	events = http1_next_again(m, w, a)
 *	if (!events) {
 *		events = http1_next(m, w)
 *		if (events & HTTP1_HEAD)
 *			http1_keep(a, m, w, events)
 *	}
 */
#include "bpf/http1.h"

enum { HTTP1_PLACES = 16, HTTP1_MAX_SKIPS = 15 };

/* Zeroed is ready. */
struct http1_again {
	struct http1 m; /* behind the head; its events */
	__u32 events;
	__u16 len;  /* of the head; 0: none is kept */
	__u8 skip;  /* so many heads are read before one is kept again; */
	__u8 skips; /* next time: twice as many, when it was in vain */
	__u64 id;   /* the caller's, of this head */
	__u8 bytes[HTTP1_WINDOW + 32]; /* the verifier does not know len */
};

/* Heads that differ in how they begin, or in what was read with them, lie in places of their own, mostly. */
static __always_inline __u32 http1_again_place(const struct http1_window *w)
{
	return ((http1_load(w->bytes + 8) ^ w->end) * 0x9e3779b97f4a7c15ull ^ http1_load(w->bytes) * 0xbf58476d1ce4e5b9ull) >> 60;
}
_Static_assert(HTTP1_PLACES == 1 << (64 - 60), "so many bits");

/* A message begins in m. */
static __always_inline int http1_begins(const struct http1 *m)
{
	return m->state == HTTP1_AT_END || (m->state == HTTP1_AT_START && !m->framing);
}

/* For the direction of m: its paths are hashed as a's was, and it does not carry the other kind of messages. */
static __always_inline int http1_fits(const struct http1 *m, const struct http1_again *a)
{
	__u32 what = m->flags & (HTTP1_REQUESTS | HTTP1_RESPONSES);

	return !((m->flags ^ a->m.flags) & HTTP1_LITERAL) && (!what || what & a->m.flags);
}

static __always_inline int http1_is_same(const __u8 *x, const __u8 *y, __u32 len)
{
	for (int i = 0; i < HTTP1_WINDOW / 32 && len >= 32; i++, x += 32, y += 32, len -= 32)
		if ((http1_load(x) ^ http1_load(y)) | (http1_load(x + 8) ^ http1_load(y + 8)) |
		    (http1_load(x + 16) ^ http1_load(y + 16)) | (http1_load(x + 24) ^ http1_load(y + 24)))
			return 0;
	for (int i = 0; i < 3 && len >= 8; i++, x += 8, y += 8, len -= 8)
		if (http1_load(x) != http1_load(y))
			return 0;
	return !((http1_load(x) ^ http1_load(y)) & ((1ull << 8 * (len & 7)) - 1));
}

/* Its events, when the head at the window's start is the one in a; or 0. */
static __always_inline __u32 http1_next_again(struct http1 *m, struct http1_window *w, struct http1_again *a)
{
	if (!a->len || !http1_fits(m, a))
		return 0;
	if (a->len <= w->end && http1_is_same(w->bytes, a->bytes, a->len)) {
		a->skips = 0;
		*m = a->m;
		w->at = a->len;
		return a->events;
	}
	a->len = 0;
	a->skips = 2 * a->skips + 1 < HTTP1_MAX_SKIPS ? 2 * a->skips + 1 : HTTP1_MAX_SKIPS;
	a->skip = a->skips;
	return 0;
}

static __always_inline void http1_copy(__u8 *to, const __u8 *from, __u32 len)
{
	for (int i = 0; i <= HTTP1_WINDOW / 8 && len; i++, to += 8, from += 8, len -= len < 8 ? len : 8)
		http1_store(to, http1_load(from));
}

/* 1: the head that ends where the window is at is kept. */
static __always_inline int http1_keep(struct http1_again *a, const struct http1 *m, const struct http1_window *w, __u32 events)
{
	if (a->skip) {
		a->skip--;
		return 0;
	}
	if (w->at > HTTP1_WINDOW)
		return 0;
	http1_copy(a->bytes, w->bytes, w->at);
	a->len = w->at;
	a->m = *m;
	a->events = events;
	return 1;
}
