/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/columns.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "pprof/profile.h"

enum { MAX_SOURCE = 30 };

/* Bytes of the character at s: what follows it as continuation belongs to it. */
static size_t character(const char *s)
{
	size_t n = 1;

	while (n < 4 && ((uint8_t)s[n] & 0xc0) == 0x80)
		n++;
	return n;
}

/* C0, DEL, and C1 as UTF-8 writes it. */
static bool is_control(const char *s)
{
	uint8_t c = (uint8_t)s[0];

	return c < 0x20 || c == 0x7f || (c == 0xc2 && (uint8_t)s[1] >= 0x80 && (uint8_t)s[1] < 0xa0);
}

/* Up to width characters; returns where it stopped. */
static const char *put(struct buf *b, const char *s, int width, int *ret_used)
{
	int used = 0;

	for (; *s && used < width; used++) {
		size_t n = character(s);

		if (is_control(s))
			buf_putc(b, '?');
		else
			buf_append(b, s, n);
		s += n;
	}
	*ret_used = used;
	return s;
}

void columns_put(struct buf *b, const char *s, int width)
{
	int used;

	put(b, s, width, &used);
	buf_printf(b, "%*s", width - used, "");
}

void columns_put_last(struct buf *b, const char *s, int width)
{
	size_t begin = b->len;
	int used;

	if (!*put(b, s, width, &used))
		return;
	b->len = begin;
	put(b, s, width > 3 ? width - 3 : 0, &used);
	buf_puts(b, "...");
}

/* " list.c:120"; a base name longer than any should be is cut. Returns its columns. */
static int put_source(struct buf *b, const char *file, int64_t line)
{
	int used;

	if (!file || !*file)
		return 0;
	buf_putc(b, ' ');
	put(b, profile_base_name(file), MAX_SOURCE, &used);
	used++;
	if (line > 0) {
		size_t begin = b->len;

		buf_printf(b, ":%lld", (long long)line);
		used += (int)(b->len - begin);
	}
	return used;
}

void columns_put_function(struct buf *b, const char *name, const char *file, int64_t line, const char *mark, int width)
{
	_cleanup_(buf_fini) struct buf source = BUF_INIT;
	int behind = put_source(&source, file, line) + (int)strlen(mark);

	columns_put_last(b, name, width > behind ? width - behind : 0);
	if (source.len)
		buf_append(b, source.data, source.len);
	buf_puts(b, mark);
}
