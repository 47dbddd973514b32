/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint8_t *buf_grow(struct buf *b, size_t len)
{
	size_t cap = b->cap ? b->cap : 256;
	uint8_t *bigger;

	if (b->error)
		return NULL;
	if (len > SIZE_MAX / 4 || b->len > SIZE_MAX / 4) {
		b->error = -ENOMEM;
		return NULL;
	}
	while (cap < b->len + len)
		cap += cap / 2;
	bigger = realloc(b->data, cap);
	if (!bigger) {
		b->error = -ENOMEM;
		return NULL;
	}
	b->data = bigger;
	b->cap = cap;
	return b->data + b->len;
}

void buf_append(struct buf *b, const void *data, size_t len)
{
	uint8_t *p = buf_reserve(b, len);

	if (!p || !len)
		return;
	memcpy(p, data, len);
	b->len += len;
}

void buf_puts(struct buf *b, const char *s)
{
	buf_append(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	uint8_t *p = buf_reserve(b, 128);
	size_t room = b->cap - b->len;
	int n;

	if (!p)
		return;
	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf((char *)p, room, fmt, ap);
	va_end(ap);
	if ((size_t)n >= room) {
		p = buf_reserve(b, (size_t)n + 1);
		if (p)
			vsnprintf((char *)p, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	if (p)
		b->len += (size_t)n;
}

size_t utf8_len(const void *text, size_t left)
{
	const unsigned char *s = text;
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 :
		   s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static uint64_t load64(const char *s)
{
	uint64_t v;

	memcpy(&v, s, sizeof(v));
	return v;
}

#define NOT_ASCII 0x8080808080808080

/* Most of all text is. By eight, of which the last may have been looked at before. */
static bool is_ascii(const char *s, size_t len)
{
	uint64_t all = 0;

	if (len < sizeof(all)) {
		for (size_t i = 0; i < len; i++)
			all |= (unsigned char)s[i];
		return !(all & NOT_ASCII);
	}
	for (size_t i = 0; i + sizeof(all) < len && !(all & NOT_ASCII); i += sizeof(all))
		all |= load64(s + i);
	return !((all | load64(s + len - sizeof(all))) & NOT_ASCII);
}

static size_t good_prefix(const char *s, size_t len)
{
	size_t at = 0, n;

	do {
		while (at + sizeof(uint64_t) <= len && !(load64(s + at) & NOT_ASCII))
			at += sizeof(uint64_t);
		n = at < len ? utf8_len(s + at, len - at) : 0;
		at += n;
	} while (n);
	return at;
}

size_t utf8_prefix(const char *s, size_t len)
{
	return is_ascii(s, len) ? len : good_prefix(s, len);
}

void buf_append_utf8(struct buf *b, const char *s, size_t len)
{
	for (size_t good; (good = good_prefix(s, len)) < len;) {
		buf_append(b, s, good);
		buf_puts(b, "\xef\xbf\xbd");
		s += good + 1;
		len -= good + 1;
	}
	buf_append(b, s, len);
}

void buf_json_string(struct buf *b, const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)(len ? s : ""), *end = p + len;

	buf_putc(b, '"');
	while (p < end) {
		size_t n = utf8_len(p, (size_t)(end - p));

		if (n == 0) {
			buf_puts(b, "\\ufffd");
			n = 1;
		} else if (*p == '"' || *p == '\\') {
			buf_putc(b, '\\');
			buf_putc(b, (char)*p);
		} else if (*p < 0x20 || *p == '<' || *p == 0x7f) {
			buf_printf(b, "\\u%04x", *p);
		} else {
			buf_append(b, p, n);
		}
		p += n;
	}
	buf_putc(b, '"');
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->error = 0;
}

void buf_fini(struct buf *b)
{
	free(b->data);
	*b = BUF_INIT;
}
