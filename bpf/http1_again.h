/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * http1_again - a head that is the same as the last one of its direction is not read again.
 *
 * Who keeps a connection says mostly the same on it. What a head comes to depends on its bytes alone: it is kept with a
 * hash of them, of 64 bits and with a seed that nobody knows. To hash takes a tenth of reading. Where heads differ each
 * time, by an id or a counter, one in 16 is tried: that is a hundredth of reading them.
 */
#include "bpf/http1.h"

enum { HTTP1_MAX_SKIPS = 15 };

/* Zeroed is ready. */
struct http1_again {
	__u64 hash;
	struct http1 m; /* behind the head; its events */
	__u32 events;
	__u16 len;   /* of the head; 0: none is kept */
	__u8 skip;   /* so many heads are read before one is kept again; */
	__u8 skips;  /* next time: twice as many, when it was in vain */
};
_Static_assert(sizeof(struct http1_again) == 80, "one of each direction in every socket's storage");

static __always_inline __u64 http1_mix(__u64 hash, __u64 word, __u64 times)
{
	hash = (hash ^ word) * times;
	return hash ^ hash >> 29;
}

/* Of bytes at a window's start. */
static __always_inline __u64 http1_hash(const __u8 *bytes, __u32 len, __u64 seed)
{
	__u64 hash = seed ^ len, times = 0x9e3779b97f4a7c15ull;
	__u32 i;

	for (i = 0; i < HTTP1_WINDOW / 32 && len >= 32; i++, bytes += 32, len -= 32) {
		hash = http1_mix(hash, http1_load(bytes), times);
		hash = http1_mix(hash, http1_load(bytes + 8), times);
		hash = http1_mix(hash, http1_load(bytes + 16), times);
		hash = http1_mix(hash, http1_load(bytes + 24), times);
	}
	for (i = 0; i < 3 && len >= 8; i++, bytes += 8, len -= 8)
		hash = http1_mix(hash, http1_load(bytes), times);
	return http1_mix(hash, http1_load(bytes) & ((1ull << 8 * (len & 7)) - 1), times);
}

static __always_inline int http1_is_again(struct http1_again *a, const struct http1_window *w, __u64 seed)
{
	if (!a->len)
		return 0;
	if (a->len <= w->end && http1_hash(w->bytes, a->len, seed) == a->hash) {
		a->skips = 0;
		return 1;
	}
	a->len = 0;
	a->skips = 2 * a->skips + 1 < HTTP1_MAX_SKIPS ? 2 * a->skips + 1 : HTTP1_MAX_SKIPS;
	a->skip = a->skips;
	return 0;
}

/* A message begins in m. */
static __always_inline int http1_begins(const struct http1 *m)
{
	return m->state == HTTP1_AT_END || (m->state == HTTP1_AT_START && !m->framing);
}

/* In front of http1_next(), at a window's start where a message begins: the events of a head that is the last one again; or 0. */
static __always_inline __u32 http1_next_again(struct http1 *m, struct http1_window *w, struct http1_again *a, __u64 seed)
{
	if (!http1_is_again(a, w, seed))
		return 0;
	*m = a->m;
	w->at = a->len;
	return a->events;
}

/* Behind http1_next(), which came from the same place to the end of a head: its hash; 0: it is not kept this time. */
static __always_inline __u64 http1_keep(struct http1_again *a, const struct http1 *m, const struct http1_window *w, __u32 events, __u64 seed)
{
	if (a->skip) {
		a->skip--;
		return 0;
	}
	a->len = w->at;
	a->hash = http1_hash(w->bytes, a->len, seed);
	a->m = *m;
	a->events = events;
	return a->hash;
}
