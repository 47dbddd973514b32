/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * http1 - HTTP/1.0 and 1.1, one direction of one connection, in pieces of any size.
 *
 * The caller owns a struct http1 per direction (64 bytes, no pointers; zeroed is ready) and copies windows of the stream:
 *
 *	while (bytes are left) {
 *		n = http1_unseen(m)                  bodies need not be copied at all
 *		if (n)
 *			on(http1_pass(m, min(n, left)))
 *		else {
 *			copy into w->bytes; w->at = 0; w->end = how many
 *			while (w->at < w->end)
 *				on(http1_next(m, w)) m holds what the events are about until the next call
 *		}
 *	}
 *
 * HTTP1_HEAD  a head is complete. Of a response: call http1_answers() with the request's method now. After an interim
 *             one (1xx) another head follows, and no end.
 * HTTP1_END   the message is, with body and trailers. Never after an interim response, 101, an answer to CONNECT, or where the
 *             body lasts until the connection closes. May come with HTTP1_HEAD.
 * HTTP1_NOT   this is not HTTP/1, or its framing is ambiguous: never a guess. All that follows is unseen.
 *
 * Requests or responses: the first message tells ("HTTP/" begins no request), and the direction keeps to it.
 * Bodies by RFC 9112 6.3. Tolerated as servers do: empty lines before a message, bare LF, folded headers, names in any
 * case. Only those lines are read that the framing or a trace needs; of the others nothing but their ends, 5 instructions for 8
 * bytes and 45 for a line. Connection is none of them: an upgrade is agreed by 101.
 *
 * Pure, and safe with a struct http1 of any content: tests compile it for the host (ASan, fuzz). A call's work is bounded by
 * the window. Whoever includes this for BPF has included bpf_helpers.h before (bpf_loop: Linux 5.17).
 */
#include <linux/types.h>

#include "bpf/path.h"

#define HTTP1_HEAD     (1u << 0)
#define HTTP1_END      (1u << 1)
#define HTTP1_NOT      (1u << 2)

#define HTTP1_WINDOW   512 /* most heads; a copy of 512 bytes costs little more than one of 64 */
#define HTTP1_SLACK    72  /* behind it: read, and never believed */
#define HTTP1_MAX_HEAD (1u << 20)

struct http1_window {
	__u32 at, end;      /* what is not read yet: bytes[at..end) */
	__u32 from, events; /* of the step at hand: where it began, what it has come to */
	__u8 bytes[HTTP1_WINDOW + HTTP1_SLACK];
};

/* The known methods of the semantic conventions; any other token is OTHER. */
#define HTTP1_METHODS(M) \
	M(CONNECT) M(DELETE) M(GET) M(HEAD) M(OPTIONS) M(PATCH) M(POST) M(PUT) M(QUERY) M(TRACE)
enum http1_method {
	HTTP1_METHOD_OTHER,
#define HTTP1_METHOD(name) HTTP1_METHOD_##name,
	HTTP1_METHODS(HTTP1_METHOD)
#undef HTTP1_METHOD
		HTTP1_METHOD_MAX,
};

/* struct http1.flags. Set by the caller once: */
#define HTTP1_LITERAL (1u << 0) /* paths are hashed as they are, not normalised */
/* By the parser, for good: what this direction carries. */
#define HTTP1_REQUESTS  (1u << 1)
#define HTTP1_RESPONSES (1u << 2)
/* By the parser, for a message. */
#define HTTP1_MINOR_0 (1u << 3) /* HTTP/1.0; else 1.1 */
#define HTTP1_LENGTH  (1u << 4) /* it has a content-length */
#define HTTP1_CODED   (1u << 5) /* it has a transfer-encoding */
#define HTTP1_CHUNKED (1u << 6) /* whose last is chunked */
#define HTTP1_EXPECT  (1u << 7)
#define HTTP1_UPGRADE (1u << 8)
#define HTTP1_TRACED  (1u << 9) /* exactly one traceparent, and it is valid */
/* For itself. */
#define HTTP1_MISCODED  (1u << 10) /* a coding after chunked */
#define HTTP1_MISTRACED (1u << 11) /* a traceparent that is none, or a second one */
#define HTTP1_TRACE_NEW (1u << 12) /* its version is above 00 */
#define HTTP1_TRAILERS  (1u << 13) /* the body is read: what looks like a head is its trailers */

struct http1 {
	__u64 left; /* bytes of the body, or of this chunk, to come; at HEAD with LENGTH and without CODED: the content-length */
	__u64 path; /* a request's: its hash */
	union {
		__u64 word; /* scratch: bytes gathered, digits */
		__u64 body; /* from HEAD on: bytes of payload so far; at END all of them */
	};
	union {
		__u64 before;      /* scratch: of the path's hash, without this segment */
		__u8 trace_id[16]; /* valid with HTTP1_TRACED, like the next two */
	};
	__u8 parent_id[8];
	__u32 framing; /* bytes that are no body so far; at HEAD: the head's, empty lines before it included */
	__u16 path_at; /* from the first of these bytes on; */
	__u16 path_len; /* 0: an absolute form without path, which means `/`, or CONNECT, whose hash is of nothing */
	__u16 code;  /* a response's status; a request's enum http1_method */
	__u16 flags; /* HTTP1_* */
	__u8 trace_flags;
	__u8 state;  /* enum http1_state */
	__u8 n;      /* scratch: how many bytes of what is being read */
	__u8 header; /* scratch: which header, and how far */
};
_Static_assert(sizeof(struct http1) == 64, "one of each direction in every socket's storage");

enum http1_state {
	HTTP1_AT_START,
	HTTP1_AT_END,   /* of a message: its fields are still to be read */
	HTTP1_AT_TOKEN, /* a request's method; or HTTP */
	HTTP1_AT_TARGET,
	HTTP1_AT_AUTHORITY, /* of an absolute form, with its scheme */
	HTTP1_AT_PATH,
	HTTP1_AT_QUERY, /* or anything else up to the next space */
	HTTP1_AT_VERSION,
	HTTP1_AT_STATUS,
	HTTP1_AT_REASON,
	HTTP1_AT_LINE_END,
	HTTP1_AT_HEADER, /* at a line's start */
	HTTP1_AT_NAME,
	HTTP1_AT_VALUE,
	HTTP1_AT_LINE, /* in one that nobody needs */
	HTTP1_AT_HEAD_END,
	HTTP1_AT_CHUNK_SIZE,
	HTTP1_AT_CHUNK_EXTENSION,
	HTTP1_AT_CHUNK_SIZE_END,
	HTTP1_AT_CHUNK_END,
	/* From here on the stream need not be seen. */
	HTTP1_IN_BODY,
	HTTP1_IN_CHUNK,
	HTTP1_IN_REST, /* until the connection closes, as body or tunnel */
	HTTP1_IN_ELSE, /* not HTTP */
};

/* How many of the next bytes need not be copied into a window; all of them: ~0. */
static __always_inline __u64 http1_unseen(const struct http1 *m)
{
	if (m->state < HTTP1_IN_BODY)
		return 0;
	return m->state <= HTTP1_IN_CHUNK ? m->left : ~0ull;
}

/* Amid a head: some of it was read, and more is to come. */
static __always_inline int http1_in_head(const struct http1 *m)
{
	return m->state > HTTP1_AT_END && m->state <= HTTP1_AT_HEAD_END && !(m->flags & HTTP1_TRAILERS);
}

static __always_inline __u32 http1_end(struct http1 *m)
{
	m->state = HTTP1_AT_END;
	return HTTP1_END;
}

static __always_inline __u32 http1_not(struct http1 *m)
{
	m->state = HTTP1_IN_ELSE;
	return HTTP1_NOT;
}

/* n bytes went by, at most http1_unseen(). Events. */
static __always_inline __u32 http1_pass(struct http1 *m, __u64 n)
{
	m->body += n;
	if (m->state > HTTP1_IN_CHUNK)
		return 0;
	m->left -= n;
	if (m->left)
		return 0;
	if (m->state == HTTP1_IN_BODY)
		return http1_end(m);
	m->state = HTTP1_AT_CHUNK_END;
	m->n = 0;
	return 0;
}

/* The other direction's 101, or 2xx to CONNECT, makes this one a tunnel too. */
static __always_inline void http1_tunnel(struct http1 *m)
{
	m->state = HTTP1_IN_REST;
}

/* At HEAD of a response: the method of the request it answers. HTTP1_END when that alone ends it. */
static __always_inline __u32 http1_answers(struct http1 *m, enum http1_method method)
{
	if (method == HTTP1_METHOD_CONNECT && m->code / 100 == 2)
		http1_tunnel(m);
	if (method != HTTP1_METHOD_HEAD || m->code < 200 || m->state == HTTP1_AT_END)
		return 0;
	return http1_end(m);
}

#include "bpf/http1_window.h"

#include "bpf/http1_body.h"
#include "bpf/http1_header.h"
#include "bpf/http1_start.h"

/* A new message, of what is this direction's for good. */
static __always_inline void http1_begin(struct http1 *m)
{
	__u16 flags = m->flags & (HTTP1_LITERAL | HTTP1_REQUESTS | HTTP1_RESPONSES);

	__builtin_memset(m, 0, sizeof(*m));
	m->flags = flags;
}

/* 1: something is complete. */
static __always_inline int http1_read(struct http1 *m, struct http1_reader *r)
{
	if (m->state <= HTTP1_AT_LINE_END && !http1_read_first_line(m, r))
		return 0;
	if (m->state >= HTTP1_AT_CHUNK_SIZE && !http1_read_chunk_line(m, r))
		return 0;
	if (!http1_read_headers(m, r))
		return 0;
	r->w->events = m->flags & HTTP1_TRAILERS ? http1_end(m) : http1_begin_body(m);
	return 1;
}

struct http1_call {
	struct http1 *m;
	struct http1_window *w;
};

/*
 * One way through the stages, by a byte at least; most heads take one and one more for each header of interest. What seldom comes
 * is read by few bytes in one step: the verifier follows each of them, at every start. 1: enough.
 */
static long http1_step(__u32 i, void *ctx)
{
	struct http1_call *c = ctx;
	struct http1 *m = c->m;
	struct http1_reader r = { .w = c->w, .at = c->w->at };

	return http1_read(m, &r) || c->w->at >= c->w->end || m->state >= HTTP1_IN_BODY;
}

/* Reads on in the window: by a byte at least, up to the next event or the window's end. Events. */
static __always_inline __u32 http1_next(struct http1 *m, struct http1_window *w)
{
	struct http1_call c = { .m = m, .w = w };
	__u64 end = w->end, unseen = http1_unseen(m), left = end - w->at;

	asm volatile("" : "+r"(end));
	if (end > HTTP1_WINDOW || w->at >= end)
		return 0;
	if (unseen) {
		left = unseen < left ? unseen : left;
		w->at += left;
		return http1_pass(m, left);
	}
	if (m->state == HTTP1_AT_END)
		http1_begin(m);
	http1_put_newlines(w, end);
	w->from = w->at;
	w->events = 0;
#if defined(__bpf__)
	bpf_loop(HTTP1_WINDOW, http1_step, &c, 0);
#else
	while (!http1_step(0, &c))
		;
#endif
	m->framing += w->at - w->from;
	if (m->framing > HTTP1_MAX_HEAD && m->state < HTTP1_IN_BODY && !(m->flags & HTTP1_TRAILERS))
		return http1_not(m);
	return w->events;
}
