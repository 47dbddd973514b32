/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * buf - a growing byte buffer with a sticky error.
 *
 * Encoders append without checking each step; when memory runs out the buffer remembers it, later
 * appends do nothing, and buf_error() tells at the end. The owner calls buf_fini().
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t len, cap;
	int error; /* 0 or negative errno, sticky until buf_reset() */
};

#define BUF_INIT ((struct buf){ 0 })

/* Room for `len` more bytes, or NULL with the error set. The caller fills it and adds to ->len. */
static inline uint8_t *buf_reserve(struct buf *b, size_t len);
uint8_t *buf_grow(struct buf *b, size_t len); /* the same, where there is no room yet */
void buf_append(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
static inline void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* s with JSON string escapes and its quotes; bytes that are not UTF-8 become U+FFFD. `<` is escaped
 * too, so that the text can stand inside an HTML <script>. s may be NULL when len is 0. */
void buf_json_string(struct buf *b, const char *s, size_t len);

/* How many bytes of it are UTF-8, from the beginning. */
size_t utf8_prefix(const char *s, size_t len);
/* s, in which bytes that are no UTF-8 become U+FFFD. */
void buf_append_utf8(struct buf *b, const char *s, size_t len);

static inline uint8_t *buf_reserve(struct buf *b, size_t len)
{
	return b->data && !b->error && b->cap - b->len >= len ? b->data + b->len : buf_grow(b, len);
}

static inline void buf_putc(struct buf *b, char c)
{
	uint8_t *p = buf_reserve(b, 1);

	if (p) {
		*p = (uint8_t)c;
		b->len++;
	}
}

static inline int buf_error(const struct buf *b)
{
	return b->error;
}

/* Length of the UTF-8 sequence at s, 0 when it is none (cut short, overlong, a surrogate, too large). left > 0. */
size_t utf8_len(const void *s, size_t left);

void buf_reset(struct buf *b); /* empty, error cleared, memory kept */
void buf_fini(struct buf *b);
