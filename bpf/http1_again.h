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

enum { HTTP1_PLACES = 16, HTTP1_MAX_SKIPS = 15, HTTP1_BLOCK = 64 };

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
	return ((http1_load(w->bytes) >> 1 ^ http1_load(w->bytes + 8) ^ w->end) * 0x9e3779b97f4a7c15ull) >> 60;
}
_Static_assert(HTTP1_PLACES == 1 << (64 - 60), "so many bits");

/* A message begins in m. */
static __always_inline int http1_begins(const struct http1 *m)
{
	return m->state == HTTP1_AT_END || (m->state == HTTP1_AT_START && !m->framing);
}

/* m carries what a was read from, and its paths are hashed as a's was. */
static __always_inline int http1_fits(const struct http1 *m, const struct http1_again *a)
{
	return !((m->flags ^ a->m.flags) & (HTTP1_LITERAL | HTTP1_REQUESTS | HTTP1_RESPONSES));
}

static __always_inline __u64 http1_differ(const __u8 *x, const __u8 *y, int n_words)
{
	__u64 bits = 0;

	for (int i = 0; i < n_words; i++)
		bits |= http1_load(x + 8 * i) ^ http1_load(y + 8 * i);
	return bits;
}

/* By blocks at places that the compiler knows, and what is left by halves. */
static __always_inline int http1_is_same(const __u8 *x, const __u8 *y, __u32 len)
{
	__u32 at = len & (HTTP1_WINDOW - HTTP1_BLOCK);

	for (int i = 0; i < HTTP1_WINDOW / HTTP1_BLOCK; i++) {
		if (len < HTTP1_BLOCK * (i + 1))
			break;
		if (http1_differ(x + HTTP1_BLOCK * i, y + HTTP1_BLOCK * i, HTTP1_BLOCK / 8))
			return 0;
	}
	asm volatile("" : "+r"(at));
	x += at;
	y += at;
	if (len & 32) {
		if (http1_differ(x, y, 4))
			return 0;
		x += 32;
		y += 32;
	}
	if (len & 16) {
		if (http1_differ(x, y, 2))
			return 0;
		x += 16;
		y += 16;
	}
	if (len & 8) {
		if (http1_differ(x, y, 1))
			return 0;
		x += 8;
		y += 8;
	}
	return !(http1_differ(x, y, 1) & ((1ull << 8 * (len & 7)) - 1));
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
