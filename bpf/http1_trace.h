/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/* http1_trace - a traceparent (W3C Trace Context), of which a request may have one, and a valid one. */
#include "bpf/http1_value.h"

/* 8 hexadecimal digits, lower case, into 4 bytes: 1. */
static __always_inline int http1_hex(__u64 digits, __u32 *ret)
{
	__u64 is_letter = digits >> 6 & HTTP1_EACH(1);
	__u64 v = (digits & HTTP1_EACH(0x0f)) + is_letter * 9;
	__u64 again =
		v + HTTP1_EACH('0') + ((v + HTTP1_EACH(6)) >> 4 & HTTP1_EACH(1)) * ('a' - '0' - 10);

	if (again != digits || (v & HTTP1_EACH(0xf0)))
		return 0;
	v = (v << 4 | v >> 8) & 0x00ff00ff00ff00ffull;
	v = (v | v >> 8) & 0x0000ffff0000ffffull;
	*ret = v | v >> 16;
	return 1;
}

/* Two digits and a byte. */
static __always_inline int http1_hex2(__u64 digits, __u32 *ret)
{
	if (!http1_hex((digits & 0xffff) | (HTTP1_CHARS("000000") << 16), ret))
		return 0;
	*ret &= 0xff;
	return 1;
}

/*
 * A traceparent comes in groups, each of up to 8 characters, so that it is the same whether it comes whole or in pieces:
 * space, `00-`, 4 x 8 digits, `-`, 2 x 8 digits, `-00`, and what follows.
 */
enum {
	HTTP1_TRACE_SPACE,
	HTTP1_TRACE_VERSION,
	HTTP1_TRACE_ID, /* to + 3 */
	HTTP1_TRACE_DASH = HTTP1_TRACE_ID + 4,
	HTTP1_TRACE_PARENT, /* to + 1 */
	HTTP1_TRACE_FLAGS = HTTP1_TRACE_PARENT + 2,
	HTTP1_TRACE_END,
	HTTP1_TRACE_SPACE_BEHIND,
};

#define HTTP1_TRACE_BYTES 55

static __always_inline __u32 http1_trace_bytes(__u32 phase)
{
	if (phase == HTTP1_TRACE_VERSION || phase == HTTP1_TRACE_FLAGS)
		return 3;
	return phase == HTTP1_TRACE_DASH ? 1 : 8;
}

/* 1: this group is as it should be. */
static __always_inline int http1_take_trace_group(struct http1 *m, __u32 phase, __u64 group)
{
	__u32 v, at;

	if (phase == HTTP1_TRACE_DASH)
		return group == '-';
	if (phase == HTTP1_TRACE_VERSION) {
		if (group >> 16 != '-' || !http1_hex2(group, &v) || v == 0xff)
			return 0;
		m->flags |= v ? HTTP1_TRACE_NEW : 0;
		return 1;
	}
	if (phase == HTTP1_TRACE_FLAGS) {
		if ((group & 0xff) != '-' || !http1_hex2(group >> 8, &v))
			return 0;
		m->trace_flags = v;
		return 1;
	}
	if (!http1_hex(group, &v))
		return 0;
	at = 4 * (phase - HTTP1_TRACE_ID - (phase > HTTP1_TRACE_DASH));
	if (at <= 20)
		*(__u32 *)((__u8 *)m + __builtin_offsetof(struct http1, trace_id) + at) = v;
	return 1;
}
_Static_assert(__builtin_offsetof(struct http1, parent_id) ==
		       __builtin_offsetof(struct http1, trace_id) + 16,
	       "written as one");

static __always_inline int http1_is_traced(const struct http1 *m, __u32 phase)
{
	__u64 id[3];

	__builtin_memcpy(id, m->trace_id, sizeof(m->trace_id));
	__builtin_memcpy(id + 2, m->parent_id, sizeof(m->parent_id));
	return phase >= HTTP1_TRACE_END && (id[0] | id[1]) && id[2];
}

static __always_inline void http1_mistrace(struct http1 *m)
{
	m->flags |= HTTP1_MISTRACED;
	http1_leave_line(m);
}

/* All groups lie in the window, as nearly always. */
static __always_inline void http1_read_whole_trace(struct http1 *m, struct http1_reader *r)
{
	const __u8 *bytes = r->w->bytes + r->at;

#pragma GCC unroll 9
	for (__u32 phase = HTTP1_TRACE_VERSION; phase < HTTP1_TRACE_END; phase++) {
		__u32 n = http1_trace_bytes(phase);

		if (!http1_take_trace_group(m, phase, http1_load(bytes) & ~0ull >> (64 - 8 * n))) {
			http1_mistrace(m);
			return;
		}
		bytes += n;
	}
	r->at += HTTP1_TRACE_BYTES;
	http1_set_phase(m, HTTP1_TRACE_END);
}

/* The next group, or what there is of it. */
static __always_inline void http1_read_trace_group(struct http1 *m, struct http1_reader *r)
{
	__u32 phase = http1_phase(m);
	enum http1_gathered got = http1_gather(m, r, http1_trace_bytes(phase));

	if (got == HTTP1_CUT || (got == HTTP1_WHOLE && !http1_take_trace_group(m, phase, m->word)))
		http1_mistrace(m);
	else if (got == HTTP1_WHOLE)
		http1_set_phase(m, phase + 1);
}

/* A byte before or behind the groups. */
static __always_inline void http1_trace_byte(struct http1 *m, __u32 c)
{
	__u32 phase = http1_phase(m);

	if (http1_is_space(c)) {
		if (phase == HTTP1_TRACE_END)
			http1_set_phase(m, HTTP1_TRACE_SPACE_BEHIND);
	} else if (phase == HTTP1_TRACE_END && c == '-' && (m->flags & HTTP1_TRACE_NEW) &&
		   http1_is_traced(m, phase)) {
		http1_leave_line(m);
	} else {
		http1_mistrace(m);
	}
}
