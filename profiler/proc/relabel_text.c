/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/relabel_text.h"

#include <ctype.h>
#include <locale.h>
#include <nettle/md5.h>
#include <string.h>
#include <wctype.h>

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool relabel_is_name(const char *s, size_t len)
{
	if (!len || is_digit(s[0]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_word(s[i]))
			return false;
	return true;
}

static size_t word_len(const char *s)
{
	size_t n = 0;

	while (is_word(s[n]))
		n++;
	return n;
}

/* The name behind a dollar; NULL: there is none. *ret_end: behind it. */
static const char *group_name(const char *s, size_t *ret_len, const char **ret_end)
{
	bool braces = *s == '{';
	const char *name = s + braces;
	size_t n = word_len(name);

	if (!n || (braces && name[n] != '}'))
		return NULL;
	*ret_len = n;
	*ret_end = name + n + braces;
	return name;
}

bool relabel_is_name_template(const char *s)
{
	const char *end;
	size_t n;

	if (!*s || is_digit(*s))
		return false;
	while (*s) {
		if (is_word(*s)) {
			s++;
		} else if (*s == '$' && group_name(s + 1, &n, &end)) {
			s = end;
		} else {
			return false;
		}
	}
	return true;
}

/* -1: it is a name. As Go reads it: no leading zero, below 10^8. */
static int group_number(const char *s, size_t len)
{
	int n = 0;

	if (len > 1 && s[0] == '0')
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (!is_digit(s[i]) || n >= 100000000)
			return -1;
		n = n * 10 + (s[i] - '0');
	}
	return n;
}

void relabel_expand(const char *template, relabel_group_fn *group, void *ctx, struct buf *out)
{
	for (const char *s = template; *s;) {
		const char *name, *end, *text;
		size_t n, len;

		if (*s != '$') {
			buf_putc(out, *s++);
			continue;
		}
		s++;
		name = group_name(s, &n, &end);
		if (!name) {
			s += *s == '$';
			buf_putc(out, '$');
			continue;
		}
		text = group(ctx, group_number(name, n), name, n, &len);
		if (text)
			buf_append(out, text, len);
		s = end;
	}
}

/* A character of so many bytes, which are UTF-8. */
static uint32_t decode(const char *s, size_t n)
{
	static const uint8_t first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c = (uint8_t)s[0] & first[n];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((uint8_t)s[i] & 0x3f);
	return c;
}

static void encode(uint32_t c, struct buf *out)
{
	static const uint8_t first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	buf_putc(out, (char)(first[n] | c >> (6 * (n - 1))));
	for (size_t i = n - 1; i-- > 0;)
		buf_putc(out, (char)(0x80 | (c >> (6 * i) & 0x3f)));
}

void relabel_change_case(const char *s, size_t len, bool upper, struct buf *out)
{
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

	for (size_t at = 0, n; at < len; at += n ? n : 1) {
		wint_t c;

		n = utf8_len(s + at, len - at);
		if (!n) {
			buf_putc(out, s[at]);
			continue;
		}
		c = decode(s + at, n);
		if (utf8)
			c = upper ? towupper_l(c, utf8) : towlower_l(c, utf8);
		else if (c < 0x80)
			c = (wint_t)(upper ? toupper((int)c) : tolower((int)c));
		encode(c, out);
	}
	if (utf8)
		freelocale(utf8);
}

uint64_t relabel_hash(const char *s, size_t len)
{
	uint8_t digest[MD5_DIGEST_SIZE];
	struct md5_ctx md5;
	uint64_t v = 0;

	md5_init(&md5);
	md5_update(&md5, len, (const uint8_t *)s);
	md5_digest(&md5, sizeof(digest), digest);
	for (int i = 8; i < MD5_DIGEST_SIZE; i++)
		v = v << 8 | digest[i];
	return v;
}
