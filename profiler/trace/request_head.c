/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/request_head.h"

#include <string.h>
#include <strings.h>

enum { TRACESTATE_LEN = sizeof("tracestate") - 1, MAX_MEMBERS = 32 };

static struct slice behind(struct slice s, size_t n)
{
	return (struct slice){ s.s + n, s.len - n };
}

/* Up to the first of these bytes. Each is looked for before those that were found: the nearest is best told first. */
static struct slice up_to(struct slice s, const char *stops, bool *found)
{
	*found = false;
	for (; *stops; stops++) {
		const char *stop = s.len ? memchr(s.s, *stops, s.len) : NULL;

		if (stop) {
			s.len = (size_t)(stop - s.s);
			*found = true;
		}
	}
	return s;
}

/* The same of what is left, which begins behind that byte then. */
static struct slice take_until(struct slice *left, const char *stops, bool *found)
{
	struct slice s = up_to(*left, stops, found);

	*left = behind(*left, s.len + *found);
	return s;
}

/* Slices of a slice: before the first of these bytes, and from it on. */
static struct slice before(struct slice *s, const char *stops)
{
	bool found;
	struct slice first = up_to(*s, stops, &found);

	*s = behind(*s, first.len);
	return first;
}

static bool begins_with(struct slice s, const char *with, size_t len)
{
	return s.len >= len && !strncasecmp(s.s, with, len);
}

static bool is_absolute(struct slice target)
{
	return target.len && *target.s != '/' && (begins_with(target, "http://", 7) || begins_with(target, "https://", 8));
}

static void parse_target(struct request_head *h)
{
	struct slice rest = h->target;

	if (is_absolute(rest)) {
		h->scheme = before(&rest, ":");
		rest = behind(rest, 3);
		h->authority = before(&rest, "/?#");
	}
	h->path = before(&rest, "?#");
	if (rest.len && *rest.s == '?') {
		rest = behind(rest, 1);
		h->query = before(&rest, "#");
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trim(struct slice s)
{
	while (s.len && is_blank(*s.s)) {
		s.s++;
		s.len--;
	}
	while (s.len && is_blank(s.s[s.len - 1]))
		s.len--;
	return s;
}

static bool is_header(struct slice line, const char *name, size_t len)
{
	return line.len > len && line.s[len] == ':' && begins_with(line, name, len);
}

/* The first of each name that says something counts. */
static void parse_header(struct request_head *h, struct slice line)
{
	static const struct {
		const char *name;
		size_t len, offset;
	} wanted[] = {
#define WANTED(name, member) { name, sizeof(name) - 1, offsetof(struct request_head, member) }
		WANTED("host", host), WANTED("user-agent", user_agent)
#undef WANTED
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		struct slice *to = (struct slice *)((char *)h + wanted[i].offset);

		if (is_header(line, wanted[i].name, wanted[i].len) && !to->len)
			*to = trim(behind(line, wanted[i].len + 1));
	}
}

static bool is_tracestate(struct slice line)
{
	return is_header(line, "tracestate", TRACESTATE_LEN);
}

/* One that is cut off says something else, maybe: it is none. */
static bool next_line(struct slice *left, struct slice *ret)
{
	const char *end = left->len ? memchr(left->s, '\n', left->len) : NULL;

	if (!end)
		return false;
	*ret = (struct slice){ left->s, (size_t)(end - left->s) };
	*left = behind(*left, ret->len + 1);
	return true;
}

void request_head_parse(const void *bytes, size_t len, struct request_head *ret)
{
	struct slice left = { bytes, len }, line;
	bool whole;

	*ret = (struct request_head){ .minor = -1 };
	while (left.len && (*left.s == '\r' || *left.s == '\n'))
		left = behind(left, 1);
	ret->method = take_until(&left, " \n", &whole);
	ret->target = take_until(&left, " \r\n", &whole);
	ret->target_cut = !whole;
	parse_target(ret);
	line = trim(take_until(&left, "\n", &whole));
	if (line.len == 8 && begins_with(line, "HTTP/1.", 7))
		ret->minor = line.s[7] - '0';
	for (struct slice at = left; next_line(&left, &line); at = left) {
		parse_header(ret, line);
		if (!ret->tracestates.len && is_tracestate(line))
			ret->tracestates = at;
	}
}

static bool is_printable(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.s[i] < ' ' || s.s[i] > '~')
			return false;
	return true;
}

/* Of one such header. -1: it is none. */
static int add_members(struct texts *t, struct slice list, int *n)
{
	bool more = true;

	while (more && *n < MAX_MEMBERS) {
		struct slice member = trim(take_until(&list, ",", &more));

		if (!is_printable(member))
			return -1;
		if (!member.len)
			continue;
		texts_add(t, (*n)++ ? SLICE(",") : SLICE(""));
		texts_add(t, member);
	}
	return 0;
}

struct slice request_head_tracestate(const struct request_head *h, struct texts *t)
{
	struct slice left = h->tracestates, line;
	int n = 0;

	texts_begin(t);
	while (next_line(&left, &line))
		if (is_tracestate(line) && add_members(t, behind(line, TRACESTATE_LEN + 1), &n) < 0)
			return (struct slice){ 0 };
	return n ? texts_end(t) : (struct slice){ 0 };
}

struct slice request_head_host(struct slice authority, uint16_t *ret_port)
{
	struct slice host = authority;
	uint32_t port = 0;
	size_t at = authority.len;

	*ret_port = 0;
	while (at && authority.s[at - 1] >= '0' && authority.s[at - 1] <= '9')
		at--;
	if (at && at < authority.len && authority.s[at - 1] == ':') {
		for (size_t i = at; i < authority.len && port <= UINT16_MAX; i++)
			port = port * 10 + (uint32_t)(authority.s[i] - '0');
		*ret_port = port <= UINT16_MAX ? (uint16_t)port : 0;
		host.len = at - 1;
	}
	if (host.len > 2 && host.s[0] == '[' && host.s[host.len - 1] == ']')
		host = (struct slice){ host.s + 1, host.len - 2 };
	return host;
}
