/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * http1_header - a head's lines: those that frame the body or carry a trace; the others by words of 8.
 *
 *	AT_LINE -> AT_HEADER [-> AT_NAME] -> AT_VALUE -> AT_HEADER ...
 *	                     -> AT_LINE ...
 *	                     -> AT_HEAD_END
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
	for (int i = 0; i < 8 && m->state == HTTP1_AT_VALUE && http1_inside(r); i++) {
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
	for (int i = 0; i < 16 && m->state == HTTP1_AT_VALUE && http1_inside(r); i++) {
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
	for (int i = 0; i < 8 && http1_more(r); i++) {
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
	for (int i = 0; i < 32; i++) {
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
