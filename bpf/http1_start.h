/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * http1_start - a message's first line: method, target, version; or version and status.
 *
 *	AT_START -> AT_TOKEN -> AT_TARGET [-> AT_AUTHORITY] -> AT_PATH [-> AT_QUERY] -> AT_VERSION -> AT_LINE_END
 *	                     -> AT_VERSION -> AT_STATUS -> AT_REASON
 *
 * A stage reads what is its own, says by m->state which is next, and returns 1 when that may begin. What most messages begin
 * with is compared by words where the window holds enough of it; else byte by byte, with the same result.
 */
#include "bpf/http1_window.h"

#define HTTP1_MAX_METHOD 32
#define HTTP1_PATH_STEP  40 /* bytes of a path in one step: the verifier follows each of them */

/* The characters of a token (RFC 9110 5.6.2), 0 to 63 and 64 to 127, a bit each. */
#define HTTP1_TOKEN_LOW  0x03ff6cfa00000000ull
#define HTTP1_TOKEN_HIGH 0x57ffffffc7fffffeull

static __always_inline int http1_is_token(__u32 c)
{
	return c < 128 && (c < 64 ? HTTP1_TOKEN_LOW : HTTP1_TOKEN_HIGH) >> (c & 63) & 1;
}

/* Of a token and the space behind it; without that, "GET" and a zero byte would be GET. */
static __always_inline __u32 http1_method_of(__u64 token)
{
#define HTTP1_METHOD(name)                   \
	if (token == HTTP1_CHARS(#name " ")) \
		return HTTP1_METHOD_##name;
	HTTP1_METHODS(HTTP1_METHOD)
#undef HTTP1_METHOD
	return HTTP1_METHOD_OTHER;
}

/* What this direction carries is known now, or was before: it does not change. */
static __always_inline int http1_begin_line(struct http1 *m, struct http1_reader *r, __u32 what,
					    enum http1_state state)
{
	m->flags |= what;
	m->state = state;
	if ((m->flags & (HTTP1_REQUESTS | HTTP1_RESPONSES)) == what)
		return 1;
	http1_fail(m, r);
	return 0;
}

static __always_inline int http1_begin_target(struct http1 *m, struct http1_reader *r, __u32 method)
{
	m->n = 0;
	m->code = method;
	return http1_begin_line(m, r, HTTP1_REQUESTS, HTTP1_AT_TARGET);
}

static __always_inline int http1_begin_version(struct http1 *m, struct http1_reader *r, __u32 n)
{
	m->n = n;
	return http1_begin_line(m, r, HTTP1_RESPONSES, HTTP1_AT_VERSION);
}

/* Empty lines, and the first byte of what is a token. */
static __always_inline int http1_read_start(struct http1 *m, struct http1_reader *r)
{
	for (int i = 0; i < 8 && http1_more(r); i++) {
		__u32 c = http1_byte(r);

		if (c != '\r' && c != '\n') {
			m->state = HTTP1_AT_TOKEN;
			return 1;
		}
		r->at++;
	}
	return 0;
}

/* A known method, or HTTP, that is all in the window. 0: it is none of these. */
static __always_inline int http1_read_known_token(struct http1 *m, struct http1_reader *r)
{
	__u64 word, spaces;
	__u32 n, method;

	if (!http1_has(r, 8))
		return 0;
	word = http1_word(r);
	if (!((word ^ HTTP1_CHARS("HTTP/")) << 24))
		return http1_begin_version(m, r, 0);
	spaces = http1_zeros(word ^ HTTP1_EACH(' '));
	n = http1_up_to(spaces);
	method = http1_method_of(word & ~0ull >> (64 - 8 * n));
	if (!spaces || !method)
		return 0;
	r->at += n;
	return http1_begin_target(m, r, method);
}

static __always_inline int http1_read_token(struct http1 *m, struct http1_reader *r)
{
	for (int i = 0; i < 4 && http1_more(r); i++) {
		__u32 c = http1_byte(r);

		r->at++;
		if (c == ' ' && m->n)
			return http1_begin_target(
				m, r,
				http1_method_of(m->n < 8 ? m->word | (__u64)c << 8 * m->n : 0));
		if (c == '/' && m->n == 4 && m->word == HTTP1_CHARS("HTTP"))
			return http1_begin_version(m, r, 5);
		if (!http1_is_token(c) || m->n >= HTTP1_MAX_METHOD) {
			http1_fail(m, r);
			return 0;
		}
		if (!m->n)
			m->word = 0;
		if (m->n < 8)
			m->word |= (__u64)c << 8 * m->n;
		m->n++;
	}
	return 0;
}

/* Of the place at hand in the message. */
static __always_inline __u32 http1_place(const struct http1 *m, const struct http1_reader *r)
{
	return m->framing + r->at - r->w->from;
}

static __always_inline __u32 http1_u16(__u32 n)
{
	return n < 0xffff ? n : 0xffff;
}

static __always_inline void http1_begin_path(struct http1 *m, struct http1_reader *r,
					     enum http1_state state)
{
	m->path_at = http1_u16(http1_place(m, r));
	m->path = m->before = PATH_HASH_EMPTY;
	m->n = m->header = 0;
	m->state = state;
}

static __always_inline int http1_read_target(struct http1 *m, struct http1_reader *r)
{
	for (int i = 0; i < 8 && http1_more(r); i++) {
		__u32 c = http1_byte(r);

		if (c == '/' || c == '*') {
			http1_begin_path(m, r, HTTP1_AT_PATH);
			return 1;
		}
		if (c != ' ') {
			http1_begin_path(m, r,
					 m->code == HTTP1_METHOD_CONNECT ? HTTP1_AT_QUERY
									 : HTTP1_AT_AUTHORITY);
			return 1;
		}
		r->at++;
	}
	return 0;
}

/* scheme://authority: m->n is 0 in the scheme, then counts the three characters behind it. */
static __always_inline int http1_read_authority(struct http1 *m, struct http1_reader *r)
{
	for (int i = 0; i < 4 && http1_more(r); i++) {
		__u32 c = http1_byte(r);

		if (m->n == 3 && (c == '/' || c == '?' || c == '#' || c == ' ')) {
			http1_begin_path(m, r, c == '/' ? HTTP1_AT_PATH : HTTP1_AT_QUERY);
			if (c != '/')
				m->path = path_hash_add(m->path, '/');
			return 1;
		}
		if (m->n == 0 && c == ':')
			m->n = 1;
		else if (m->n == 1 || m->n == 2)
			m->n = c == '/' ? m->n + 1 : 4;
		if (m->n == 4 || c <= ' ' || (m->n == 0 && !http1_is_token(c))) {
			http1_fail(m, r);
			return 0;
		}
		r->at++;
	}
	return 0;
}

static __always_inline void http1_end_segment(struct http1 *m, struct http1_reader *r)
{
	if (m->header && !(m->flags & HTTP1_LITERAL))
		m->path = path_end_segment(m->header, m->before, m->path, r->at - m->word);
}

static __always_inline void http1_end_path(struct http1 *m, struct http1_reader *r, __u32 c)
{
	m->path_len = http1_u16(http1_place(m, r) - m->path_at);
	m->n = 0;
	m->state = c == ' ' ? HTTP1_AT_VERSION : HTTP1_AT_QUERY;
}

/* A byte that is not above all digits and delimiters, at r. 0: it ends the path, or is behind the window. */
static __always_inline int http1_path_byte(struct http1 *m, struct http1_reader *r, __u32 c)
{
	if (c == '/') {
		http1_end_segment(m, r);
		m->header = 0;
		m->before = path_hash_add(m->path, '/');
		m->word = r->at + 1;
		return 1;
	}
	if (http1_is_digit(c)) {
		m->header = path_digit(m->header, m->before, m->path, r->at - m->word);
		return 1;
	}
	if (c > ' ' && c != '?' && c != '#')
		return 1;
	if (r->at < http1_window_end(r)) {
		http1_end_segment(m, r);
		http1_end_path(m, r, c);
	}
	return 0;
}

/*
 * The path's hash (path.h). m->before is what it was where this segment begins, m->word that place in the window, or as far before
 * it as m->n says when the window began amid the segment; m->header its digits. All this lies in memory, where the verifier does
 * not follow it; letters touch but the hash.
 */
static __always_inline int http1_read_path(struct http1 *m, struct http1_reader *r)
{
	__u64 hash = m->path, at = r->at, len;
	const __u8 *bytes;
	__u32 i;

	m->word = r->at - m->n;
	if (!http1_inside(r))
		return 0;
	bytes = r->w->bytes + r->at;
	for (i = 0; i < HTTP1_PATH_STEP; i++) {
		__u32 c = bytes[i];

		if (c <= '?') {
			m->path = hash;
			r->at = at + i;
			if (!http1_path_byte(m, r, c))
				break;
			hash = m->path;
		}
		hash = path_hash_add(hash, c);
	}
	r->at = at + i + (m->state == HTTP1_AT_VERSION);
	if (m->state != HTTP1_AT_PATH)
		return 1;
	m->path = hash;
	len = r->at - m->word;
	m->n = len < 8 ? len : 8;
	return 0;
}

static __always_inline int http1_read_query(struct http1 *m, struct http1_reader *r)
{
	if (!http1_find_space(r))
		return 0;
	m->state = HTTP1_AT_VERSION;
	r->at += http1_byte(r) == ' '; /* anything else is no version */
	return 1;
}

static __always_inline int http1_end_version(struct http1 *m, __u32 minor)
{
	m->n = m->header = 0;
	if (minor == '0')
		m->flags |= HTTP1_MINOR_0;
	m->state = m->flags & HTTP1_RESPONSES ? HTTP1_AT_STATUS : HTTP1_AT_LINE_END;
	return 1;
}

static __always_inline int http1_read_version(struct http1 *m, struct http1_reader *r)
{
	if (!m->n && http1_has(r, 8)) {
		__u64 word = http1_word(r);

		if ((word | 1ull << 56) == HTTP1_CHARS("HTTP/1.1")) {
			r->at += 8;
			return http1_end_version(m, word >> 56);
		}
	}
	for (int i = 0; i < 8 && http1_more(r); i++) {
		__u32 c = http1_byte(r);

		r->at++;
		if (!m->n && c == ' ')
			continue;
		if (m->n >= 7 && http1_is_digit(c))
			return http1_end_version(m, c);
		if (m->n >= 7 || c != (HTTP1_CHARS("HTTP/1.") >> 8 * m->n & 0xff)) {
			http1_fail(m, r);
			return 0;
		}
		m->n++;
	}
	return 0;
}

static __always_inline int http1_read_status(struct http1 *m, struct http1_reader *r)
{
	enum http1_gathered got = http1_gather(m, r, 4);
	__u32 digits = (__u32)m->word ^ (__u32)HTTP1_CHARS(" 000");

	if (got == HTTP1_PART)
		return 0;
	m->code = (digits >> 8 & 15) * 100 + (digits >> 16 & 15) * 10 + (digits >> 24);
	m->state = HTTP1_AT_REASON;
	/* A digit is below 10: adding 6 sets nothing in its upper half. */
	if (got == HTTP1_WHOLE && !((digits | (digits + 0x06060600)) & 0xf0f0f0ff) &&
	    m->code >= 100)
		return 1;
	http1_fail(m, r);
	return 0;
}

/* Nothing but a space, or the line's end, may follow the status; the reason itself is for people. */
static __always_inline int http1_read_reason(struct http1 *m, struct http1_reader *r)
{
	__u32 c;

	if (!http1_more(r))
		return 0;
	c = http1_byte(r);
	m->state = HTTP1_AT_LINE;
	if (c == ' ' || c == '\r' || c == '\n')
		return 1;
	http1_fail(m, r);
	return 0;
}

/* 1: the headers may begin. */
static __always_inline int http1_read_first_line(struct http1 *m, struct http1_reader *r)
{
	switch (m->state) {
	case HTTP1_AT_START:
		if (http1_read_known_token(m, r))
			goto known;
		if (m->state != HTTP1_AT_START)
			return 0;
		HTTP1_STAGE(http1_read_start(m, r));
		/* fall through */
	case HTTP1_AT_TOKEN:
		HTTP1_STAGE(http1_read_token(m, r));
	known:
		if (m->state == HTTP1_AT_VERSION)
			goto version;
		/* fall through */
	case HTTP1_AT_TARGET:
		HTTP1_STAGE(http1_read_target(m, r));
		if (m->state == HTTP1_AT_PATH)
			goto path;
		/* fall through */
	case HTTP1_AT_AUTHORITY:
		if (m->state == HTTP1_AT_AUTHORITY)
			HTTP1_STAGE(http1_read_authority(m, r));
		/* fall through */
	case HTTP1_AT_PATH:
	path:
		if (m->state == HTTP1_AT_PATH)
			HTTP1_STAGE(http1_read_path(m, r));
		/* fall through */
	case HTTP1_AT_QUERY:
		if (m->state == HTTP1_AT_QUERY)
			HTTP1_STAGE(http1_read_query(m, r));
		/* fall through */
	case HTTP1_AT_VERSION:
	version:
		HTTP1_STAGE(http1_read_version(m, r));
		if (m->state == HTTP1_AT_STATUS)
			goto status;
		/* fall through */
	case HTTP1_AT_LINE_END:
		HTTP1_STAGE(http1_read_line_end(m, r));
		m->state = HTTP1_AT_HEADER;
		return 1;
	case HTTP1_AT_STATUS:
	status:
		HTTP1_STAGE(http1_read_status(m, r));
		/* fall through */
	case HTTP1_AT_REASON:
		HTTP1_STAGE(http1_read_reason(m, r));
		return 1;
	}
	return 0;
}
