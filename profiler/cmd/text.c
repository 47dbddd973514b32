/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/text.h"

#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include "base/buf.h"

enum { ELLIPSIS = 0x2026 };

void text_init(int to_file)
{
	setlocale(LC_CTYPE, "");
	if (to_file && strcmp(nl_langinfo(CODESET), "UTF-8"))
		setlocale(LC_CTYPE, "C.UTF-8");
}

/* Bytes of the character at s, 0 when they are not UTF-8; overlong forms and surrogates are not. */
static int decode(const uint8_t *s, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	int len = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : (s[0] & 0xf8) == 0xf0 ? 4 : 0;
	uint32_t c = len == 1 ? s[0] : len ? s[0] & (0x7fu >> len) : 0;

	for (int i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80) /* the NUL at the end is none either */
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (!len || c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*ret = c;
	return len;
}

/* One character: its bytes, and its columns; 0 columns: it is shown as '?'. */
static int next(const char *s, int *ret_width)
{
	uint32_t c = 0;
	int len = decode((const uint8_t *)s, &c), width = len ? wcwidth((wchar_t)c) : 0;

	/* Width 0 is what joins, hides or turns the direction of its neighbours; the soft hyphen claims 1. */
	*ret_width = width > 0 && c != 0xad ? width : 0;
	return len ? len : 1;
}

static int columns(const char *s, int enough)
{
	int used = 0, width;

	for (; *s && used <= enough; used += width ? width : 1)
		s += next(s, &width);
	return used;
}

int text_fit(const char *s, int width, struct buf *out)
{
	int used = 0, w, len, room = columns(s, width) <= width ? width : width - 1;

	for (; *s; s += len, used += w ? w : 1) {
		len = next(s, &w);
		if (used + (w ? w : 1) > room)
			break;
		buf_append(out, w ? s : "?", w ? (size_t)len : 1);
	}
	if (!*s || width <= 0)
		return used;
	buf_puts(out, wcwidth(ELLIPSIS) == 1 ? "\xe2\x80\xa6" : "~");
	return used + 1;
}

void text_pad(const char *s, int width, struct buf *out)
{
	int used = text_fit(s, width, out);

	buf_printf(out, "%*s", width - used, "");
}

void text_pad_left(const char *s, int width, struct buf *out)
{
	int used = columns(s, width);

	if (used < width)
		buf_printf(out, "%*s", width - used, "");
	text_fit(s, width, out);
}
