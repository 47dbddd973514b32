/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pairs.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/units.h"

/* Decodes %XX of s, spaces around it left out. False: a % that begins no byte, or that of a NUL. */
static bool decode(const char *s, size_t len, struct buf *out)
{
	while (len && isspace((unsigned char)*s))
		s++, len--;
	while (len && isspace((unsigned char)s[len - 1]))
		len--;
	for (size_t i = 0; i < len; i++) {
		int high, low;

		if (s[i] != '%') {
			buf_putc(out, s[i]);
			continue;
		}
		high = i + 2 < len ? hex_digit(s[i + 1]) : -1;
		low = i + 2 < len ? hex_digit(s[i + 2]) : -1;
		if (high < 0 || low < 0 || !(high | low))
			return false;
		buf_putc(out, (char)(high << 4 | low));
		i += 2;
	}
	return true;
}

static int one(const char *pair, size_t len, int (*on_pair)(void *ctx, const char *key, const char *value), void *ctx)
{
	_cleanup_(buf_fini) struct buf key = BUF_INIT;
	_cleanup_(buf_fini) struct buf value = BUF_INIT;
	const char *eq = memchr(pair, '=', len);
	bool good = eq && decode(pair, (size_t)(eq - pair), &key) && decode(eq + 1, len - (size_t)(eq - pair) - 1, &value);

	if (!good) {
		value.len = 0;
		buf_append(&value, pair, len);
	}
	buf_putc(&key, '\0');
	buf_putc(&value, '\0');
	if (buf_error(&key) || buf_error(&value))
		return buf_error(&key) ? buf_error(&key) : buf_error(&value);
	return on_pair(ctx, good ? (const char *)key.data : NULL, (const char *)value.data);
}

int pairs_each(const char *text, size_t len, int (*on_pair)(void *ctx, const char *key, const char *value), void *ctx)
{
	int r = 0;

	while (len && !r) {
		const char *comma = memchr(text, ',', len);
		size_t n = comma ? (size_t)(comma - text) : len;

		r = one(text, n, on_pair, ctx);
		text += n + (comma != NULL);
		len -= n + (comma != NULL);
	}
	return r;
}
