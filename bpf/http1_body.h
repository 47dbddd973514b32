/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * http1_body - what follows a head (RFC 9112 6.3), and what lies between chunks.
 *
 *	AT_CHUNK_SIZE -> AT_CHUNK_EXTENSION -> AT_CHUNK_SIZE_END -> IN_CHUNK -> AT_CHUNK_END -> AT_CHUNK_SIZE ...
 *	                                                         -> AT_HEADER, for the trailers' lines
 */
#include "bpf/http1_window.h"

#define HTTP1_MAX_CHUNK (1ull << 60)

static __always_inline __u32 http1_begin_rest(struct http1 *m)
{
	m->state = HTTP1_IN_REST;
	return HTTP1_HEAD;
}

/*
 * Unless chunked is the last coding, and but once, nothing says where a request ends: servers refuse it. A response ends
 * with its connection; one of HTTP/1.0 too, which knows no codings.
 */
static __always_inline __u32 http1_begin_coded(struct http1 *m)
{
	if ((m->flags & (HTTP1_CHUNKED | HTTP1_MISCODED | HTTP1_MINOR_0)) != HTTP1_CHUNKED)
		return m->flags & HTTP1_REQUESTS ? http1_not(m) : http1_begin_rest(m);
	m->left = 0;
	m->state = HTTP1_AT_CHUNK_SIZE;
	return HTTP1_HEAD;
}

static __always_inline __u32 http1_begin_body(struct http1 *m)
{
	__u32 is_response = m->flags & HTTP1_RESPONSES;

	m->body = 0;
	if (m->flags & HTTP1_MISTRACED)
		m->flags &= ~HTTP1_TRACED;
	if (is_response && m->code < 200) {
		m->state = m->code == 101 ? HTTP1_IN_REST : HTTP1_AT_END;
		return HTTP1_HEAD;
	}
	if (is_response && (m->code == 204 || m->code == 304))
		return HTTP1_HEAD | http1_end(m);
	if (m->flags & HTTP1_CODED)
		return http1_begin_coded(m);
	if (is_response && !(m->flags & HTTP1_LENGTH))
		return http1_begin_rest(m);
	m->state = HTTP1_IN_BODY;
	return HTTP1_HEAD | (m->left ? 0 : http1_end(m));
}

/* m->n: there is a digit. */
static __always_inline int http1_read_chunk_size(struct http1 *m, struct http1_reader *r)
{
	for (int i = 0; i < 8 && http1_more(r); i++) {
		__u32 c = http1_byte(r),
		      digit = http1_is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;

		if (digit > 15 || (digit > 9 && !http1_is_letter(c))) {
			m->state = HTTP1_AT_CHUNK_EXTENSION;
			if (m->n && (c == ';' || c == ' ' || c == '\t' || c == '\r' || c == '\n')) {
				m->n = 0;
				return 1;
			}
			http1_fail(m, r);
			return 0;
		}
		r->at++;
		m->n = 1;
		m->left = m->left << 4 | digit;
		if (m->left >= HTTP1_MAX_CHUNK) {
			http1_fail(m, r);
			return 0;
		}
	}
	return 0;
}

static __always_inline int http1_read_chunk_extension(struct http1 *m, struct http1_reader *r)
{
	__u32 c;

	if (!http1_find_space(r))
		return 0;
	c = http1_byte(r);
	if (c == '\r' || c == '\n') {
		m->state = HTTP1_AT_CHUNK_SIZE_END;
		return 1;
	}
	r->at++;
	if (c != ' ' && c != '\t')
		http1_fail(m, r);
	return 0;
}

static __always_inline int http1_end_chunk_size(struct http1 *m)
{
	m->state = m->left ? HTTP1_IN_CHUNK : HTTP1_AT_HEADER;
	if (m->left)
		return 0;
	m->header = 0;
	m->flags |= HTTP1_TRAILERS;
	return 1;
}

/* 1: the trailers may begin. */
static __always_inline int http1_read_chunk_line(struct http1 *m, struct http1_reader *r)
{
	switch (m->state) {
	case HTTP1_AT_CHUNK_END:
		HTTP1_STAGE(http1_read_line_end(m, r));
		m->left = 0;
		m->state = HTTP1_AT_CHUNK_SIZE;
		/* fall through */
	case HTTP1_AT_CHUNK_SIZE:
		HTTP1_STAGE(http1_read_chunk_size(m, r));
		/* fall through */
	case HTTP1_AT_CHUNK_EXTENSION:
		HTTP1_STAGE(http1_read_chunk_extension(m, r));
		/* fall through */
	case HTTP1_AT_CHUNK_SIZE_END:
		HTTP1_STAGE(http1_read_line_end(m, r));
		return http1_end_chunk_size(m);
	}
	return 0;
}
