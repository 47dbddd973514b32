/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * http1_window - reading a window: by bytes, by words of 8, and what may come in pieces.
 *
 * Behind the window's end lies a word of newlines (http1_next): who looks for a line's end finds one, and needs no second
 * bound.
 */
#include "bpf/http1.h"

/* A step's place in the window; a stage has it in a register. */
struct http1_reader {
	struct http1_window *w;
	__u64 at;
};

/*
 * Between two stages the place goes through memory, and what else a step knows lies there all the time. It is for the verifier: it
 * forgets what it has concluded of such values, so all ways through a stage end in the same state, and the next is looked at
 * once. Else it follows each way through each stage, a million instructions.
 */
static __always_inline void http1_settle(struct http1_reader *r)
{
	*(volatile __u32 *)&r->w->at = r->at;
	r->at = *(volatile __u32 *)&r->w->at;
}

/* A stage of a step, which says whether the next may begin. */
#define HTTP1_STAGE(read)         \
	do {                      \
		int done_ = read; \
                                  \
		http1_settle(r);  \
		if (!done_)       \
			return 0; \
	} while (0)

static __always_inline __u32 http1_window_end(const struct http1_reader *r)
{
	return *(const volatile __u32 *)&r->w->end;
}

static __always_inline void http1_fail(struct http1 *m, struct http1_reader *r)
{
	r->w->events = http1_not(m);
}

#define HTTP1_EACH(byte) (0x0101010101010101ull * (byte))

/*
 * At a place in the window, or at its end. In front of each access: the verifier wants the bound to be seen there, on the
 * register that is used, and the compiler would rather know better.
 */
#define http1_inside(r)                           \
	({                                        \
		asm volatile("" : "+r"((r)->at)); \
		(r)->at <= HTTP1_WINDOW;          \
	})
#define http1_more(r) ((r)->at < http1_window_end(r) && http1_inside(r))

static __always_inline __u32 http1_byte(const struct http1_reader *r)
{
	return r->w->bytes[r->at];
}

/* At any address: x86 and arm64 do it in one load, which clang for BPF would rather not believe. */
static __always_inline __u64 http1_load(const __u8 *bytes)
{
#if defined(__bpf__)
	return *(const __u64 *)bytes;
#else
	__u64 word;

	__builtin_memcpy(&word, bytes, sizeof(word));
	return word;
#endif
}

static __always_inline __u64 http1_word(const struct http1_reader *r)
{
	return http1_load(r->w->bytes + r->at);
}

static __always_inline void http1_store(__u8 *bytes, __u64 word)
{
#if defined(__bpf__)
	*(__u64 *)bytes = word;
#else
	__builtin_memcpy(bytes, &word, sizeof(word));
#endif
}

static __always_inline void http1_put_newlines(struct http1_window *w, __u64 at)
{
	http1_store(w->bytes + at, HTTP1_EACH('\n'));
}

/* The next n bytes are there. */
#define http1_has(r, n) ((r)->at + (n) <= http1_window_end(r) && http1_inside(r))

static __always_inline int http1_is_digit(__u32 c)
{
	return c - '0' < 10;
}

static __always_inline int http1_is_letter(__u32 c)
{
	return (c | 0x20) - 'a' < 26;
}

/* Up to 8 characters as the word that they are in memory. */
#define HTTP1_CHAR(s, i) ((__u64)(__u8)(s)[(i) < sizeof(s) ? (i) : sizeof(s) - 1] << 8 * (i))
#define HTTP1_CHARS(s)                                                               \
	(HTTP1_CHAR(s, 0) | HTTP1_CHAR(s, 1) | HTTP1_CHAR(s, 2) | HTTP1_CHAR(s, 3) | \
	 HTTP1_CHAR(s, 4) | HTTP1_CHAR(s, 5) | HTTP1_CHAR(s, 6) | HTTP1_CHAR(s, 7))

/* The top bit of each byte that is zero; above the first such byte it may lie. */
static __always_inline __u64 http1_zeros(__u64 word)
{
	return (word - HTTP1_EACH(1)) & ~word & HTTP1_EACH(0x80);
}

static __always_inline __u64 http1_newlines(__u64 word)
{
	return http1_zeros(word ^ HTTP1_EACH('\n'));
}

/* How many bytes up to the first that has its bit in such a mask, it included. */
static __always_inline __u32 http1_up_to(__u64 tops)
{
	return (((tops & -tops) - 1) & HTTP1_EACH(1)) * HTTP1_EACH(1) >> 56;
}

/* To the next control character or space: 1, and r is at it; 0: at the window's end, or 128 bytes on. */
static __always_inline int http1_find_space(struct http1_reader *r)
{
	for (int i = 0; i < 16 && http1_inside(r); i++) {
		__u64 word = http1_word(r);
		__u64 spaces = (word - HTTP1_EACH(' ' + 1)) & ~word & HTTP1_EACH(0x80);

		if (spaces) {
			r->at += http1_up_to(spaces) - 1;
			return http1_more(r);
		}
		r->at += 8;
	}
	return 0;
}

enum http1_gathered { HTTP1_PART, HTTP1_WHOLE, HTTP1_CUT };

/*
 * The next want bytes (1 to 8), which may come in pieces, into m->word. PART: the window ends first. CUT: the line does; r is
 * before its end.
 */
static __always_inline enum http1_gathered http1_gather(struct http1 *m, struct http1_reader *r,
							__u32 want)
{
	__u64 word = 0;

	if (m->n) {
		word = m->word;
	} else if (http1_has(r, 8)) {
		word = http1_word(r) & ~0ull >> (64 - 8 * want);
		if (!http1_newlines(word)) {
			m->word = word;
			r->at += want;
			return HTTP1_WHOLE;
		}
		word = 0;
	}
	for (int i = 0; i < 2 && http1_more(r); i++) {
		__u32 c = http1_byte(r);

		if (c == '\n') {
			m->n = 0;
			return HTTP1_CUT;
		}
		r->at++;
		http1_settle(r);
		word |= (__u64)c << 8 * (m->n & 7);
		m->word = word;
		if (++m->n >= want) {
			m->n = 0;
			return HTTP1_WHOLE;
		}
	}
	return HTTP1_PART;
}

/* \r\n or \n and nothing else: 1, and r is behind it. Anything else is an event. */
static __always_inline int http1_read_line_end(struct http1 *m, struct http1_reader *r)
{
	if (!m->n && http1_has(r, 2) && (__u16)http1_word(r) == (__u16)HTTP1_CHARS("\r\n")) {
		r->at += 2;
		return 1;
	}
	for (int i = 0; i < 2 && http1_more(r); i++) {
		__u32 c = http1_byte(r);

		r->at++;
		if (c == '\n') {
			m->n = 0;
			return 1;
		}
		if (c != '\r' || m->n) {
			http1_fail(m, r);
			return 0;
		}
		m->n = 1;
	}
	return 0;
}
