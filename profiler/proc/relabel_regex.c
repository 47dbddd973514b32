/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/relabel_regex.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_REPEAT = 1000 };

#define SPACES "\\t\\n\\f\\r\\x20"

struct scan {
	const char *at;
	struct buf *out;
	bool repeated; /* what stands before is a repetition: none may follow */
	char *err;
	size_t err_len;
};

static int refuse(struct scan *s, const char *from, size_t len, const char *why)
{
	snprintf(s->err, s->err_len, "'%.*s' %s", (int)strnlen(from, len), from, why);
	return -EINVAL;
}

static int take(struct scan *s, size_t len)
{
	buf_append(s->out, s->at, len);
	s->at += len;
	return 0;
}

static int put(struct scan *s, const char *text, size_t taken)
{
	buf_puts(s->out, text);
	s->at += taken;
	return 0;
}

/* One character as itself, whatever it means elsewhere. */
static int take_literal(struct scan *s)
{
	if (ispunct((unsigned char)*s->at))
		buf_putc(s->out, '\\');
	return take(s, 1);
}

/* \x41, \x{1F600}: behind the x. */
static int take_hex(struct scan *s)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	bool braces = s->at[2] == '{';
	size_t n = strspn(s->at + 2 + braces, digits);

	if (braces ? !n || n > 8 || s->at[3 + n] != '}' : n < 2)
		return refuse(s, s->at, 4, "has no hexadecimal digits: write \\x41 or \\x{1F600}");
	return take(s, braces ? n + 4 : 4);
}

/* \pL, \p{Greek}, \p{^Lu}. PCRE2 takes a bare script's name for its extensions too. */
static int take_property(struct scan *s)
{
	const char *name = s->at + 3;
	bool not = false;
	size_t n;

	if (s->at[2] != '{')
		return isalpha((unsigned char)s->at[2]) ? take(s, 3) : refuse(s, s->at, 3, "names no class: write \\pL or \\p{Greek}");
	not = *name == '^';
	name += not;
	n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
	if (!n || name[n] != '}')
		return refuse(s, s->at, 3, "names no class: write \\pL or \\p{Greek}");
	buf_append(s->out, s->at, 3);
	buf_puts(s->out, not ? "^" : "");
	buf_puts(s->out, n > 2 && strncmp(name, "Any}", 4) ? "sc:" : "");
	buf_append(s->out, name, n + 1);
	s->at = name + n + 1;
	return 0;
}

/* An escape that stands for one character, in a class and outside. -ENOENT: it is another. */
static int take_escaped_character(struct scan *s)
{
	char c = s->at[1];

	if (c == 'v')
		return put(s, "\\x0b", 2);
	if (c == 'x')
		return take_hex(s);
	if ((c && strchr("afnrt", c)) || ispunct((unsigned char)c))
		return take(s, 2);
	return -ENOENT;
}

static int refuse_escape(struct scan *s)
{
	if (isdigit((unsigned char)s->at[1]))
		return refuse(s, s->at, 2, "is a back reference, which RE2 has not, or octal: write \\x{..}");
	return refuse(s, s->at, 2, "is no escape of RE2's");
}

/* ---- classes ---- */

/* What stands for several characters in a class: \d, [:alpha:]. -ENOENT: it is another. */
static int take_several(struct scan *s)
{
	const char *end = !strncmp(s->at, "[:", 2) ? strstr(s->at + 2, ":]") : NULL;
	char c = *s->at == '\\' ? s->at[1] : '\0';

	if (end)
		return take(s, (size_t)(end - s->at) + 2);
	if (c == 's')
		return put(s, SPACES, 2);
	if (c == 'S')
		return put(s, "\\S\\x0b", 2);
	if (c == 'p' || c == 'P')
		return take_property(s);
	return c && strchr("dDwW", c) ? take(s, 2) : -ENOENT;
}

/* All bytes of it. */
static int take_one(struct scan *s)
{
	int r = *s->at == '\\' ? take_escaped_character(s) : take_literal(s);

	while ((*s->at & 0xc0) == 0x80)
		take(s, 1);
	return r == -ENOENT ? refuse_escape(s) : r;
}

static int take_range(struct scan *s)
{
	int r = take_one(s);

	if (r < 0 || s->at[0] != '-' || s->at[1] == ']' || !s->at[1])
		return r;
	take(s, 1);
	return take_one(s);
}

static int take_class(struct scan *s)
{
	int r = take(s, s->at[1] == '^' ? 2 : 1);

	if (*s->at == ']')
		take_literal(s);
	while (r >= 0 && *s->at && *s->at != ']') {
		r = take_several(s);
		if (r == -ENOENT)
			r = take_range(s);
	}
	return r < 0 || !*s->at ? r : take(s, 1);
}

/* ---- the rest ---- */

/* \Q...\E: all of it as itself. */
static int take_quoted(struct scan *s)
{
	s->at += 2;
	while (*s->at && strncmp(s->at, "\\E", 2))
		take_literal(s);
	s->at += *s->at ? 2 : 0;
	return 0;
}

static int take_escape(struct scan *s)
{
	char c = s->at[1];
	int r;

	if (c == 'Q')
		return take_quoted(s);
	if (c == 's')
		return put(s, "[" SPACES "]", 2);
	if (c == 'S')
		return put(s, "[^" SPACES "]", 2);
	if (c == 'p' || c == 'P')
		return take_property(s);
	if (c && strchr("AbBdDwWz", c))
		return take(s, 2);
	r = take_escaped_character(s);
	return r == -ENOENT ? refuse_escape(s) : r;
}

/* (...), (?:...), (?P<name>...), (?i), (?i-s:...) */
static int take_open(struct scan *s)
{
	const char *name = !strncmp(s->at, "(?P<", 4) ? s->at + 4 : !strncmp(s->at, "(?<", 3) ? s->at + 3 : NULL, *flags = s->at + 2;
	size_t n;

	if (s->at[1] == '*')
		return refuse(s, s->at, 2, "has nothing to repeat");
	if (s->at[1] != '?')
		return take(s, 1);
	if (name) {
		for (n = 0; isalnum((unsigned char)name[n]) || name[n] == '_';)
			n++;
		return n && name[n] == '>' ? take(s, (size_t)(name - s->at) + n + 1) : refuse(s, s->at, 4, "begins no group of RE2's");
	}
	flags += strspn(flags, "imsU");
	n = *flags == '-' ? strspn(flags + 1, "imsU") : 0;
	flags += n ? n + 1 : 0;
	if (*flags != ':' && *flags != ')')
		return refuse(s, s->at, 3, "begins no group of RE2's");
	return take(s, (size_t)(flags - s->at) + 1);
}

/* Decimal as RE2 takes it, with no leading zero. Digits read; 0: none. */
static size_t read_count(const char *s, unsigned long *ret)
{
	size_t n = strspn(s, "0123456789");

	*ret = n > 8 ? MAX_REPEAT + 1 : strtoul(s, NULL, 10);
	return n > 1 && *s == '0' ? 0 : n;
}

/* {2}, {2,}, {2,5}: its length. 0: it is no repetition, but itself. */
static size_t repetition(const char *s, unsigned long *ret_min, unsigned long *ret_max)
{
	size_t n = read_count(s + 1, ret_min), more;

	*ret_max = *ret_min;
	if (!n)
		return 0;
	n++;
	if (s[n] == ',') {
		n++;
		more = read_count(s + n, ret_max);
		if (!more) {
			*ret_max = *ret_min;
			if (s[n] != '}')
				return 0;
		}
		n += more;
	}
	return s[n] == '}' ? n + 1 : 0;
}

static int take_repetition(struct scan *s)
{
	unsigned long min = 0, max = 0;
	size_t n = *s->at == '{' ? repetition(s->at, &min, &max) : 1;

	if (!n) {
		s->repeated = false;
		return take_literal(s);
	}
	if (s->repeated)
		return refuse(s, s->at, n, "repeats a repetition");
	if (max > MAX_REPEAT || min > max)
		return refuse(s, s->at, n, "is no repetition of RE2's: at most 1000, and the smaller number first");
	s->repeated = true;
	return take(s, n + (s->at[n] == '?'));
}

static int take_next(struct scan *s)
{
	if (*s->at && strchr("*+?{", *s->at))
		return take_repetition(s);
	s->repeated = false;
	if (*s->at == '\\')
		return take_escape(s);
	if (*s->at == '[')
		return take_class(s);
	return *s->at == '(' ? take_open(s) : take(s, 1);
}

int relabel_regex(const char *re2, struct buf *out, char *err, size_t err_len)
{
	struct scan s = { .at = re2, .out = out, .err = err, .err_len = err_len };
	int r = 0;

	while (r >= 0 && *s.at)
		r = take_next(&s);
	return r < 0 ? r : buf_error(out);
}
