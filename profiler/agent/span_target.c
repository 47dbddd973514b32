/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/span_target.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/texts.h"
#include "bpf/http1.h"
#include "bpf/trace.h"
#include "trace/request_head.h"

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

bool span_target_is_https(const struct span_target *t)
{
	return t->scheme.len == 5;
}

static uint16_t default_port(const struct span_target *t)
{
	return span_target_is_https(t) ? HTTPS_PORT : HTTP_PORT;
}

/* user:password@ goes. */
static struct slice without_user(struct slice s)
{
	const char *at = s.len ? memrchr(s.s, '@', s.len) : NULL;

	return at ? (struct slice){ at + 1, (size_t)(s.s + s.len - at - 1) } : s;
}

static struct slice up_to(struct slice s, char stop)
{
	const char *end = s.len ? memchr(s.s, stop, s.len) : NULL;

	return end ? (struct slice){ s.s, (size_t)(end - s.s) } : s;
}

static bool is_path(struct slice s)
{
	return s.len && (*s.s == '/' || *s.s == '*');
}

/*
 * Of a target that is cut off inside its authority, or that is of no form there is, what is a password nobody knows: none
 * of it is told.
 */
void span_target_find(const struct ev_request *ev, const struct request_head *h, struct span_target *t)
{
	struct slice authority = h->authority;

	*t = (struct span_target){ .scheme = h->scheme.len == 5 ? SLICE("https") : SLICE("http"), .path = up_to(h->path, '\0'), .query = up_to(h->query, '\0') };
	if (authority.len && !t->path.len)
		t->path = SLICE("/");
	if (authority.len && !h->path.len && h->target_cut)
		authority.len = t->path.len = 0;
	if (ev->method == HTTP1_METHOD_CONNECT && !h->target_cut)
		authority = h->path;
	if (!is_path(t->path))
		t->path.len = t->query.len = 0;
	if (!authority.len)
		authority = h->host;
	authority = without_user(authority);
	t->host = up_to(request_head_host(authority, &t->port), '\0');
	if (authority.len && *authority.s != '[')
		t->host = up_to(t->host, ':'); /* no port behind it: no number is */
	if (t->host.len && !t->port)
		t->port = ev->method == HTTP1_METHOD_CONNECT ? HTTPS_PORT : default_port(t);
}

/* ---- the query ---- */

static bool signs(struct slice key)
{
	static const char *const keys[] = { "AWSAccessKeyId", "Signature", "sig", "X-Amz-Credential", "X-Amz-Security-Token", "X-Amz-Signature", "X-Goog-Signature" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (key.len == strlen(keys[i]) && !strncasecmp(key.s, keys[i], key.len))
			return true;
	return false;
}

struct slice span_target_query(const struct span_target *t, struct texts *texts)
{
	struct slice query = t->query;

	texts_begin(texts);
	while (query.len) {
		struct slice pair = up_to(query, '&'), key = up_to(pair, '=');
		size_t n = pair.len + (pair.len < query.len);

		if (key.len < pair.len && signs(key)) {
			texts_add(texts, key);
			texts_add(texts, SLICE("=REDACTED"));
			texts_add(texts, (struct slice){ "&", n - pair.len });
		} else {
			texts_add(texts, (struct slice){ query.s, n });
		}
		query = (struct slice){ query.s + n, query.len - n };
	}
	return texts_end(texts);
}

/* ---- texts ---- */

struct slice span_target_url(const struct span_target *t, struct slice query, struct texts *texts)
{
	bool v6 = memchr(t->host.s, ':', t->host.len);

	texts_begin(texts);
	texts_add(texts, t->scheme);
	texts_add(texts, v6 ? SLICE("://[") : SLICE("://"));
	texts_add(texts, t->host);
	texts_add(texts, v6 ? SLICE("]") : SLICE(""));
	if (t->port != default_port(t)) {
		texts_add(texts, SLICE(":"));
		texts_add_number(texts, t->port);
	}
	texts_add(texts, t->path);
	if (query.len)
		texts_add(texts, SLICE("?"));
	texts_add(texts, query);
	return texts_end(texts);
}

static struct slice ipv4(const uint8_t address[4], struct texts *texts)
{
	texts_begin(texts);
	for (int i = 0; i < 4; i++) {
		texts_add(texts, i ? SLICE(".") : SLICE(""));
		texts_add_number(texts, address[i]);
	}
	return texts_end(texts);
}

static struct slice ipv6(const uint8_t address[16], struct texts *texts)
{
	char text[INET6_ADDRSTRLEN];

	texts_begin(texts);
	texts_add(texts, slice_of(inet_ntop(AF_INET6, address, text, sizeof(text))));
	return texts_end(texts);
}

struct slice span_address(uint32_t flags, const uint8_t address[16], struct texts *texts)
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };

	if (!(flags & TRACE_IPV6))
		return ipv4(address, texts);
	return memcmp(address, mapped, sizeof(mapped)) ? ipv6(address, texts) : ipv4(address + sizeof(mapped), texts);
}
