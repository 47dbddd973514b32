/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/route_pattern.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum { MAX_PATTERNS = 1000, MAX_PATTERN = 512 };

/* The segment at *at, which is a slash or the end; moves behind it. False: there is none left. */
static bool next_segment(const char **at, const char *end, const char **ret, size_t *ret_len)
{
	const char *slash;

	if (*at >= end)
		return false;
	*ret = *at + 1;
	slash = memchr(*ret, '/', (size_t)(end - *ret));
	*ret_len = (size_t)((slash ? slash : end) - *ret);
	*at = *ret + *ret_len;
	return true;
}

/* at: behind the segment. */
static bool is_rest(const char *s, size_t len, const char *at, const char *end)
{
	return (len == 2 && !memcmp(s, "**", 2)) || (len == 1 && *s == '*' && at >= end);
}

static bool is_place(const char *s, size_t len)
{
	return (len == 1 && *s == '*') || (len > 1 && *s == ':') || (len > 2 && *s == '{' && s[len - 1] == '}');
}

static int refuse(const char *text, const char *why, char *err, size_t err_len)
{
	snprintf(err, err_len, "the route '%s' %s", text, why);
	return -EINVAL;
}

/* Does http1.h take this word for any other? */
static bool is_told_apart(const char *s, size_t len)
{
	bool version = (len == 2 || len == 3) && *s == 'v' && strspn(s + 1, "0123456789") >= len - 1;

	for (size_t i = 0; i < len && !version; i++)
		if (s[i] >= '0' && s[i] <= '9')
			return true;
	return false;
}

int route_patterns_add(struct route_patterns *p, const char *text, char *err, size_t err_len)
{
	const char *at = text, *end = text + strlen(text), *s;
	struct route_pattern *slot;
	size_t len;

	if (*text != '/')
		return refuse(text, "does not begin with /: write it like /users/{id}", err, err_len);
	if (end - text > MAX_PATTERN || p->v.n >= MAX_PATTERNS)
		return refuse(text, "is one too many, or too long: 1,000 of 512 bytes are taken", err, err_len);
	while (next_segment(&at, end, &s, &len)) {
		if (is_rest(s, len, at, end) && at < end)
			return refuse(text, "has ** before its end: only a last segment can be any rest", err, err_len);
		if (!is_place(s, len) && !is_rest(s, len, at, end))
			p->literal |= is_told_apart(s, len);
	}
	slot = vec_push(&p->v);
	if (slot)
		slot->text = strdup(text);
	if (slot && slot->text)
		return 0;
	p->v.n -= slot != NULL;
	return -ENOMEM;
}

static bool fits(const char *pattern, const char *path, size_t len)
{
	const char *at = pattern, *pattern_end = pattern + strlen(pattern), *end = path + len, *want, *have;
	size_t want_len, have_len;

	while (next_segment(&at, pattern_end, &want, &want_len)) {
		if (is_rest(want, want_len, at, pattern_end))
			return path < end;
		if (!next_segment(&path, end, &have, &have_len))
			return false;
		if (is_place(want, want_len) ? !have_len : want_len != have_len || memcmp(want, have, have_len))
			return false;
	}
	return path >= end;
}

const char *route_patterns_match(const struct route_patterns *p, const char *path, size_t len)
{
	if (!len || *path != '/')
		return NULL;
	vec_foreach(pattern, &p->v)
		if (fits(pattern->text, path, len))
			return pattern->text;
	return NULL;
}

void route_patterns_fini(struct route_patterns *p)
{
	vec_foreach(pattern, &p->v)
		free(pattern->text);
	vec_fini(&p->v);
}
