/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * http1_value - the values that frame a body, content-length and transfer-encoding; what all values have in common.
 *
 * A value is taken when the next line has begun: until then it may go on there (obs-fold).
 */
#include "bpf/http1_window.h"

/* m->header: which, and in which phase of its name or value; 0: of no interest. */
enum {
	HTTP1_H_LENGTH = 1,
	HTTP1_H_CODING,
	HTTP1_H_TRACE,
	HTTP1_H_UPGRADE,
	HTTP1_H_EXPECT,
	HTTP1_H_ID = 7,
	HTTP1_H_PHASE = 8
};

static __always_inline __u32 http1_phase(const struct http1 *m)
{
	return m->header / HTTP1_H_PHASE;
}

static __always_inline void http1_set_phase(struct http1 *m, __u32 phase)
{
	m->header = (m->header & HTTP1_H_ID) + phase * HTTP1_H_PHASE;
}

/* The rest of the line is of no interest. */
static __always_inline void http1_leave_line(struct http1 *m)
{
	m->n = m->header = 0;
	m->state = HTTP1_AT_LINE;
}

static __always_inline int http1_is_fold(__u32 c)
{
	return c == ' ' || c == '\t';
}

static __always_inline int http1_is_space(__u32 c)
{
	return http1_is_fold(c) || c == '\r';
}

static __always_inline int http1_take_length(struct http1 *m)
{
	if (m->flags & HTTP1_LENGTH)
		return m->left == m->word;
	m->flags |= HTTP1_LENGTH;
	m->left = m->word;
	return 1;
}

enum { HTTP1_LENGTH_NONE, HTTP1_LENGTH_DIGITS, HTTP1_LENGTH_SPACE, HTTP1_LENGTH_NEXT };
#define HTTP1_MAX_LENGTH (1ull << 60)

/* A byte that is no digit. */
static __always_inline int http1_length_byte(struct http1 *m, __u32 c)
{
	__u32 phase = http1_phase(m);

	if (http1_is_fold(c)) {
		if (phase == HTTP1_LENGTH_DIGITS)
			http1_set_phase(m, HTTP1_LENGTH_SPACE);
		return 1;
	}
	if (c != ',' || phase == HTTP1_LENGTH_NONE || phase == HTTP1_LENGTH_NEXT ||
	    !http1_take_length(m))
		return 0;
	m->word = 0;
	http1_set_phase(m, HTTP1_LENGTH_NEXT);
	return 1;
}

/* Digits from here on; at most 16 of them, of which some may be behind the window's end: newlines. */
static __always_inline int http1_read_digits(struct http1 *m, struct http1_reader *r)
{
	const __u8 *bytes = r->w->bytes + r->at;
	__u64 word = m->word;
	__u32 n, digit;

	if (http1_phase(m) == HTTP1_LENGTH_SPACE)
		return 0;
	for (n = 0; n < 16; n++) {
		digit = bytes[n] - '0';
		if (digit > 9)
			break;
		word = word * 10 + digit;
		if (word >= HTTP1_MAX_LENGTH)
			return 0;
	}
	r->at += n;
	m->word = word;
	m->header = HTTP1_H_LENGTH + HTTP1_LENGTH_DIGITS * HTTP1_H_PHASE;
	return 1;
}

/* How much of "chunked" a coding is so far; then: all of it, with space behind it, or something else. */
enum { HTTP1_CODING_CHUNKED = 7, HTTP1_CODING_SPACE, HTTP1_CODING_OTHER };

static __always_inline void http1_end_coding(struct http1 *m, __u32 phase)
{
	if (!phase)
		return;
	if (m->flags & HTTP1_CHUNKED)
		m->flags |= HTTP1_MISCODED;
	if (phase == HTTP1_CODING_CHUNKED || phase == HTTP1_CODING_SPACE)
		m->flags |= HTTP1_CHUNKED;
}

/* 0: a byte that no list has. */
static __always_inline int http1_coding_byte(struct http1 *m, __u32 c)
{
	__u32 phase = http1_phase(m);

	if (c == ',') {
		http1_end_coding(m, phase);
		http1_set_phase(m, 0);
	} else if (http1_is_fold(c)) {
		if (phase)
			http1_set_phase(m,
					phase == HTTP1_CODING_CHUNKED || phase == HTTP1_CODING_SPACE
						? HTTP1_CODING_SPACE
						: HTTP1_CODING_OTHER);
	} else if (phase < HTTP1_CODING_CHUNKED && http1_is_letter(c) &&
		   (c | 0x20) == (HTTP1_CHARS("chunked") >> 8 * phase & 0xff)) {
		http1_set_phase(m, phase + 1);
	} else {
		http1_set_phase(m, HTTP1_CODING_OTHER);
		return c > ' ' && c != 0x7f;
	}
	return 1;
}

#include "bpf/http1_trace.h"

/* The header ends here. 0: its value makes the message's framing ambiguous. */
static __always_inline int http1_take_header(struct http1 *m)
{
	__u32 id = m->header & HTTP1_H_ID, phase = http1_phase(m);

	m->header = 0;
	if (id == HTTP1_H_LENGTH)
		return phase == HTTP1_LENGTH_NEXT ||
		       (phase != HTTP1_LENGTH_NONE && http1_take_length(m));
	if (id == HTTP1_H_CODING)
		http1_end_coding(m, phase);
	if (id == HTTP1_H_TRACE && !http1_is_traced(m, phase))
		m->flags |= HTTP1_MISTRACED;
	return 1;
}

/* At a newline. The value is whole, or goes on in the next line: one look ahead, if the window allows it, spares a step. */
static __always_inline void http1_end_value(struct http1 *m, struct http1_reader *r)
{
	if (r->at >= http1_window_end(r))
		return;
	r->at++;
	m->n = 0;
	m->state = HTTP1_AT_HEADER;
	if (http1_more(r) && !http1_is_fold(http1_byte(r)) && !http1_take_header(m))
		http1_fail(m, r);
}

/* A return has a newline behind it, in a value that frames the body; m->n: it waits for it. 0: it does not, or this is neither. */
static __always_inline int http1_is_return(struct http1 *m, struct http1_reader *r, __u32 c)
{
	if (m->n) {
		http1_fail(m, r);
		return 1;
	}
	if (c != '\r')
		return 0;
	m->n = 1;
	r->at++;
	return 1;
}

/* Digits; or a list of equal ones (RFC 9112 6.3). */
static __always_inline void http1_read_length(struct http1 *m, struct http1_reader *r)
{
	for (int i = 0; i < 4 && m->state == HTTP1_AT_VALUE && http1_inside(r); i++) {
		__u32 c = http1_byte(r);

		if (c == '\n') {
			http1_end_value(m, r);
			return;
		}
		if (!http1_is_return(m, r, c)) {
			if (!(http1_is_digit(c) ? http1_read_digits(m, r)
						: http1_length_byte(m, c)))
				http1_fail(m, r);
			r->at += !http1_is_digit(c);
		}
		http1_settle(r);
	}
}

static __always_inline void http1_read_coding(struct http1 *m, struct http1_reader *r)
{
	for (int i = 0; i < 10 && m->state == HTTP1_AT_VALUE && http1_inside(r); i++) {
		__u32 c = http1_byte(r);

		if (c == '\n') {
			http1_end_value(m, r);
			return;
		}
		if (!http1_is_return(m, r, c)) {
			if (!http1_coding_byte(m, c))
				http1_fail(m, r);
			r->at++;
		}
		http1_settle(r);
	}
}

static __always_inline void http1_read_trace(struct http1 *m, struct http1_reader *r)
{
	for (int i = 0; i < 4 && m->state == HTTP1_AT_VALUE && http1_more(r); i++) {
		__u32 c = http1_byte(r), phase = http1_phase(m);

		if (phase == HTTP1_TRACE_SPACE && c > ' ') {
			http1_set_phase(m, HTTP1_TRACE_VERSION);
			if (http1_has(r, HTTP1_TRACE_BYTES))
				http1_read_whole_trace(m, r);
		} else if (phase != HTTP1_TRACE_SPACE && phase < HTTP1_TRACE_END) {
			http1_read_trace_group(m, r);
		} else if (c == '\n') {
			http1_end_value(m, r);
		} else {
			http1_trace_byte(m, c);
			r->at++;
		}
		http1_settle(r);
	}
}

static __always_inline void http1_read_value(struct http1 *m, struct http1_reader *r)
{
	__u32 id = m->header & HTTP1_H_ID;

	if (id == HTTP1_H_LENGTH)
		http1_read_length(m, r);
	else if (id == HTTP1_H_CODING)
		http1_read_coding(m, r);
	else
		http1_read_trace(m, r);
}
