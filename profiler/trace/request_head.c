/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/request_head.h"

#include <string.h>
#include <strings.h>

/* Up to one of the bytes; *at moves behind it. found: whether there was one. */
static struct slice take_until(const char **at, const char *end, const char *stop, bool *found)
{
	struct slice s = { *at, 0 };

	while (*at < end && !memchr(stop, **at, strlen(stop)))
		++*at;
	s.len = (size_t)(*at - s.s);
	*found = *at < end;
	*at += *found;
	return s;
}

/* Slices of a slice: before the first of these bytes, and from it on. */
static struct slice before(struct slice *s, const char *stop)
{
	const char *at = s->s, *end = s->s + s->len;
	struct slice first;

	while (at < end && !memchr(stop, *at, strlen(stop)))
		at++;
	first = (struct slice){ s->s, (size_t)(at - s->s) };
	*s = (struct slice){ at, (size_t)(end - at) };
	return first;
}

static bool begins_with(struct slice s, const char *with)
{
	return s.len >= strlen(with) && !strncasecmp(s.s, with, strlen(with));
}

static void parse_target(struct request_head *h)
{
	struct slice rest = h->target;

	if (begins_with(rest, "http://") || begins_with(rest, "https://")) {
		h->scheme = before(&rest, ":");
		rest = (struct slice){ rest.s + 3, rest.len - 3 };
		h->authority = before(&rest, "/?#");
	}
	h->path = before(&rest, "?#");
	if (rest.len && *rest.s == '?') {
		rest = (struct slice){ rest.s + 1, rest.len - 1 };
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

static void parse_header(struct request_head *h, struct slice line)
{
	const struct {
		const char *name;
		struct slice *to;
	} wanted[] = { { "host", &h->host }, { "user-agent", &h->user_agent }, { "tracestate", &h->tracestate } };
	struct slice name = before(&line, ":");

	if (!line.len)
		return;
	line = trim((struct slice){ line.s + 1, line.len - 1 });
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!wanted[i].to->len && name.len == strlen(wanted[i].name) && !strncasecmp(name.s, wanted[i].name, name.len))
			*wanted[i].to = line;
}

void request_head_parse(const void *bytes, size_t len, struct request_head *ret)
{
	const char *at = bytes, *end = at + len;
	struct slice line;
	bool whole;

	*ret = (struct request_head){ .minor = -1 };
	while (at < end && (*at == '\r' || *at == '\n'))
		at++;
	ret->method = take_until(&at, end, " \n", &whole);
	ret->target = take_until(&at, end, " \r\n", &whole);
	ret->target_cut = !whole;
	parse_target(ret);
	line = trim(take_until(&at, end, "\n", &whole));
	if (begins_with(line, "HTTP/1.") && line.len == 8)
		ret->minor = line.s[7] - '0';
	while (at < end) {
		line = take_until(&at, end, "\n", &whole);
		if (whole) /* one that is cut off says something else, maybe */
			parse_header(ret, line);
	}
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
