/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * http1_header - a head's lines: those that frame the body or carry a trace; the others by words of 8.
 *
 *	AT_LINE -> AT_HEADER [-> AT_NAME] -> AT_VALUE -> AT_HEADER ...
 *	                     -> AT_LINE ...
 *	                     -> AT_HEAD_END
 */
#include "bpf/http1_value.h"

/* A name's characters by 8: of what is wanted only letters have bit 0x40, and only they may differ by 0x20. */
static __always_inline int http1_like(__u64 word, __u64 want)
{
	return (word | (want & HTTP1_EACH(0x40)) >> 1) == want;
}

/* A line's start that read_header() has to see: nothing, a fold, or what may be a name of interest. */
static __always_inline int http1_is_wanted(const __u8 *bytes)
{
	__u64 word = http1_load(bytes);
	__u32 name = (__u32)word | (__u32)HTTP1_EACH(0x20);

	if ((__u8)word <= ' ')
		return 1;
	if (name == (__u32)HTTP1_CHARS("cont"))
		return (bytes[8] & 0xdf) == 'L';
	if (name == (__u32)HTTP1_CHARS("trac"))
		return (word >> 40 & 0xdf) == 'P';
	if (name == (__u32)HTTP1_CHARS("upgr"))
		return word >> 56 == ':';
	return name == (__u32)HTTP1_CHARS("tran") || name == (__u32)HTTP1_CHARS("expe");
}

/* What a name of interest must be at least, with its colon and more, for the two functions above and below. */
#define HTTP1_NAME_BYTES 24

static __always_inline __u32 http1_name_at(const __u8 *bytes, __u32 *ret_len)
{
	__u64 word = http1_load(bytes), next = http1_load(bytes + 8);

	*ret_len = 15;
	if (http1_like(word, HTTP1_CHARS("content-")) &&
	    http1_like(next & ~0ull >> 8, HTTP1_CHARS("length:")))
		return HTTP1_H_LENGTH;
	*ret_len = 12;
	if (http1_like(word, HTTP1_CHARS("tracepar")) &&
	    http1_like((__u32)next, HTTP1_CHARS("ent:")))
		return HTTP1_H_TRACE;
	*ret_len = 18;
	if (http1_like(word, HTTP1_CHARS("transfer")) &&
	    http1_like(next, HTTP1_CHARS("-encodin")) &&
	    http1_like(http1_load(bytes + 16) & 0xffff, HTTP1_CHARS("g:")))
		return HTTP1_H_CODING;
	return 0;
}

static __always_inline void http1_begin_value(struct http1 *m, __u32 id)
{
	m->n = 0;
	m->word = 0;
	m->header = id;
	m->state = HTTP1_AT_VALUE;
	if (id == HTTP1_H_CODING)
		m->flags |= HTTP1_CODED;
	if (id == HTTP1_H_TRACE)
		m->flags |= m->flags & HTTP1_TRACED ? HTTP1_MISTRACED : HTTP1_TRACED;
	if (id < HTTP1_H_UPGRADE)
		return;
	m->flags |= id == HTTP1_H_UPGRADE ? HTTP1_UPGRADE : HTTP1_EXPECT;
	http1_leave_line(m);
}

/* Which name it can only be, by its first byte, or the fourth of two that begin alike. */
static __always_inline __u32 http1_guess_name(__u32 id, __u32 n, __u32 c)
{
	if (n == 3 && id == HTTP1_H_TRACE && (c | 0x20) == 'n')
		return HTTP1_H_CODING;
	if (n)
		return id;
	switch (c | 0x20) {
	case 'c':
		return HTTP1_H_LENGTH;
	case 't':
		return HTTP1_H_TRACE;
	case 'u':
		return HTTP1_H_UPGRADE;
	case 'e':
		return HTTP1_H_EXPECT;
	}
	return 0;
}

static __always_inline __u32 http1_name_byte(__u32 id, __u32 n)
{
	__u64 word = 0;

	if (id == HTTP1_H_LENGTH)
		word = n < 8 ? HTTP1_CHARS("content-") : HTTP1_CHARS("length:");
	else if (id == HTTP1_H_TRACE)
		word = n < 8 ? HTTP1_CHARS("tracepar") : HTTP1_CHARS("ent:");
	else if (id == HTTP1_H_CODING)
		word = n < 8    ? HTTP1_CHARS("transfer")
		       : n < 16 ? HTTP1_CHARS("-encodin")
				: HTTP1_CHARS("g:");
	else if (id == HTTP1_H_UPGRADE)
		word = HTTP1_CHARS("upgrade:");
	else if (id == HTTP1_H_EXPECT)
		word = HTTP1_CHARS("expect:");
	return word >> 8 * (n & 7) & 0xff;
}

/* Byte by byte: a name at a window's end. */
static __always_inline int http1_read_name(struct http1 *m, struct http1_reader *r)
{
	for (int i = 0; i < 2 && http1_more(r); i++) {
		__u32 c = http1_byte(r), want;

		m->header = http1_guess_name(m->header, m->n, c);
		want = http1_name_byte(m->header, m->n);
		if (!want || !http1_like(c, want)) {
			if (want == ':' && http1_is_fold(c) && m->header <= HTTP1_H_CODING)
				http1_fail(
					m,
					r); /* space before the colon: some would take it for this header, some not */
			else
				http1_leave_line(m);
			return 0;
		}
		r->at++;
		m->n++;
		if (want == ':') {
			http1_begin_value(m, m->header);
			return m->state == HTTP1_AT_VALUE;
		}
		http1_settle(r);
	}
	return 0;
}

/* At a line's start. */
static __always_inline int http1_read_header(struct http1 *m, struct http1_reader *r)
{
	__u32 c, id, len;

	if (!http1_more(r))
		return 0;
	c = http1_byte(r);
	if (http1_is_fold(c)) {
		m->state = m->header ? HTTP1_AT_VALUE : HTTP1_AT_LINE;
		return m->header != 0;
	}
	if (m->header && !http1_take_header(m)) {
		http1_fail(m, r);
		return 0;
	}
	m->state = HTTP1_AT_NAME;
	if (c == '\r' || c == '\n') {
		m->state = HTTP1_AT_HEAD_END;
	} else if (m->flags & HTTP1_TRAILERS) {
		m->state = HTTP1_AT_LINE;
	} else if (http1_has(r, HTTP1_NAME_BYTES)) {
		id = http1_name_at(r->w->bytes + r->at, &len);
		if (!id)
			return 1;
		r->at += len;
		http1_begin_value(m, id);
	}
	return 1;
}

/*
 * How many of 64 bytes up to the first that is below 11 or above 138, it included: nearly always a newline. 64: there is none.
 * 4 instructions a word, if the compiler takes the constants for variables.
 */
static __always_inline __u64 http1_find_low(const __u8 *bytes, __u64 elevens, __u64 tops)
{
	__u64 low, n;

#pragma GCC unroll 8
	for (n = 0; n < 64; n += 8) {
		low = (http1_load(bytes + n) - elevens) & tops;
		if (low)
			return n + http1_up_to(low);
	}
	return 64;
}

/* On to a line that has to be seen, or may have to be: its name is not all in this window. Most of a head is read here. */
static __always_inline int http1_read_lines(struct http1 *m, struct http1_reader *r)
{
	__u64 elevens = HTTP1_EACH('\n' + 1), tops = HTTP1_EACH(0x80);
	int is_start = m->state == HTTP1_AT_HEADER;
	const __u8 *bytes;

	asm volatile("" : "+r"(elevens), "+r"(tops));
	m->state = HTTP1_AT_LINE;
	if (!http1_inside(r))
		return 0;
	bytes = r->w->bytes + r->at;
	for (int i = 0; i < 16; i++) {
		if (!is_start) {
			r->at += http1_find_low(bytes, elevens, tops);
			http1_settle(r);
			if (!http1_inside(r))
				break;
			bytes = r->w->bytes + r->at;
			if (bytes[-1] != '\n')
				continue;
		}
		is_start = 0;
		if (r->at + HTTP1_NAME_BYTES > http1_window_end(r) || http1_is_wanted(bytes)) {
			m->state = HTTP1_AT_HEADER;
			break;
		}
	}
	if (r->at <= http1_window_end(r))
		return m->state == HTTP1_AT_HEADER;
	r->at = http1_window_end(r);
	m->state = HTTP1_AT_LINE;
	return 0;
}

/* 1: the head, or what looks like one behind the last chunk, is complete. */
static __always_inline int http1_read_headers(struct http1 *m, struct http1_reader *r)
{
	switch (m->state) {
	case HTTP1_AT_HEADER:
		if (m->header)
			goto header;
		/* fall through */
	case HTTP1_AT_LINE:
		HTTP1_STAGE(http1_read_lines(m, r));
		/* fall through */
	header:
		HTTP1_STAGE(http1_read_header(m, r));
		if (m->state == HTTP1_AT_HEAD_END)
			goto end;
		/* fall through */
	case HTTP1_AT_NAME:
		if (m->state == HTTP1_AT_NAME)
			HTTP1_STAGE(http1_read_name(m, r));
		/* fall through */
	case HTTP1_AT_VALUE:
		if (m->state == HTTP1_AT_VALUE)
			http1_read_value(m, r);
		http1_settle(r);
		return 0;
	case HTTP1_AT_HEAD_END:
	end:
		HTTP1_STAGE(http1_read_line_end(m, r));
		return 1;
	}
	return 0;
}
