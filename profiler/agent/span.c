/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/span.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "bpf/http1.h"
#include "bpf/trace.h"
#include "trace/red.h"
#include "trace/request_head.h"
#include "trace/tracer.h"

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

/* ---- texts and attributes ---- */

/* NULL: there is no room. */
__attribute__((format(printf, 2, 3))) static const char *put(struct span *s, const char *fmt, ...)
{
	char *to = s->text + s->used;
	size_t room = sizeof(s->text) - s->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(to, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		return NULL;
	s->used += (size_t)n + 1;
	return to;
}

static const char *put_slice(struct span *s, struct slice from)
{
	return put(s, "%.*s", (int)from.len, from.s);
}

static struct attribute *add(struct span *s, const char *key, enum attribute_type type)
{
	struct attribute *a = &s->attributes[s->otlp.n_attributes];

	if (s->otlp.n_attributes == SPAN_ATTRIBUTES) {
		s->otlp.dropped_attributes++;
		return NULL;
	}
	s->otlp.n_attributes++;
	a->key = key;
	a->type = type;
	return a;
}

static void add_text(struct span *s, const char *key, const char *text)
{
	struct attribute *a = text ? add(s, key, ATTRIBUTE_TEXT) : NULL;

	if (a)
		a->text = text;
	else
		s->otlp.dropped_attributes += !text;
}

static void add_number(struct span *s, const char *key, uint64_t number)
{
	struct attribute *a = add(s, key, ATTRIBUTE_INT);

	if (a)
		a->number = (int64_t)number;
}

/* ---- where to ---- */

struct target {
	struct slice scheme, host, path, query; /* host: "" where nobody says */
	uint16_t port;
};

/* user:password@ goes. */
static struct slice without_user(struct slice s)
{
	for (size_t i = s.len; i--;)
		if (s.s[i] == '@')
			return (struct slice){ s.s + i + 1, s.len - i - 1 };
	return s;
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
static void find_target(const struct ev_request *ev, const struct request_head *h, struct target *t)
{
	struct slice authority = h->authority;

	*t = (struct target){ .scheme = { "http", 4 }, .path = h->path, .query = h->query };
	if (h->scheme.len == 5)
		t->scheme = (struct slice){ "https", 5 };
	if (authority.len && !t->path.len)
		t->path = (struct slice){ "/", 1 };
	if (authority.len && !h->path.len && h->target_cut)
		authority.len = t->path.len = 0;
	if (ev->method == HTTP1_METHOD_CONNECT && !h->target_cut)
		authority = h->path;
	if (!is_path(t->path))
		t->path.len = t->query.len = 0;
	if (!authority.len)
		authority = h->host;
	authority = without_user(authority);
	t->host = request_head_host(authority, &t->port);
	if (authority.len && *authority.s != '[')
		t->host = up_to(t->host, ':'); /* no port behind it: no number is */
	if (t->host.len && !t->port)
		t->port = t->scheme.len == 5 || ev->method == HTTP1_METHOD_CONNECT ? HTTPS_PORT : HTTP_PORT;
}

static const char *put_address(struct span *s, const struct ev_request *ev, const uint8_t address[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };
	bool v4 = !(ev->flags & TRACE_IPV6);
	char text[INET6_ADDRSTRLEN];

	if (!v4 && !memcmp(address, mapped, sizeof(mapped))) {
		v4 = true;
		address += sizeof(mapped);
	}
	return inet_ntop(v4 ? AF_INET : AF_INET6, address, text, sizeof(text)) ? put(s, "%s", text) : NULL;
}

static void add_server(struct span *s, const struct ev_request *ev, const struct target *t)
{
	bool server = ev->side == TRACE_SERVER;

	if (t->host.len) {
		add_text(s, "server.address", put_slice(s, t->host));
		add_number(s, "server.port", t->port);
	} else if (!(ev->flags & TRACE_UNIX)) {
		add_text(s, "server.address", put_address(s, ev, server ? ev->local_address : ev->peer_address));
		add_number(s, "server.port", server ? ev->local_port : ev->peer_port);
	}
}

static void add_network(struct span *s, const struct ev_request *ev, const struct request_head *h)
{
	const char *peer;

	if (h->minor >= 0)
		add_text(s, "network.protocol.version", h->minor ? "1.1" : "1.0");
	if (ev->flags & TRACE_UNIX) {
		add_text(s, "network.transport", "unix");
		return;
	}
	peer = put_address(s, ev, ev->peer_address);
	add_text(s, "network.peer.address", peer);
	add_number(s, "network.peer.port", ev->peer_port);
	if (ev->side == TRACE_SERVER)
		add_text(s, "client.address", peer);
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

/* Behind what was put last, whose NUL it takes the place of. */
static bool append(struct span *s, struct slice more)
{
	s->used--;
	if (put_slice(s, more))
		return true;
	s->used++;
	return false;
}

/* With the values of keys that sign REDACTED. NULL: no room. */
static const char *put_query(struct span *s, struct slice query)
{
	const char *text = put(s, "%s", "");
	bool fits = text;

	while (query.len && fits) {
		struct slice pair = up_to(query, '&'), key = up_to(pair, '=');
		size_t n = pair.len + (pair.len < query.len);

		if (key.len < pair.len && signs(key))
			fits = append(s, key) && append(s, (struct slice){ "=REDACTED", 9 }) && (n == pair.len || append(s, (struct slice){ "&", 1 }));
		else
			fits = append(s, (struct slice){ query.s, n });
		query = (struct slice){ query.s + n, query.len - n };
	}
	return fits ? text : NULL;
}

/* ---- what each side says ---- */

static void add_server_url(struct span *s, const struct target *t, const char *query)
{
	if (t->path.len)
		add_text(s, "url.path", put_slice(s, t->path));
	add_text(s, "url.scheme", t->scheme.len == 5 ? "https" : "http");
	if (query)
		add_text(s, "url.query", query);
}

static void add_client_url(struct span *s, const struct target *t, const char *query)
{
	bool v6 = t->host.len && memchr(t->host.s, ':', t->host.len);
	char port[8] = "";

	if (!t->host.len || !t->path.len)
		return;
	if (t->port != (t->scheme.len == 5 ? HTTPS_PORT : HTTP_PORT))
		snprintf(port, sizeof(port), ":%u", t->port);
	add_text(s, "url.full", put(s, v6 ? "%.*s://[%.*s]%s%.*s%s%s" : "%.*s://%.*s%s%.*s%s%s", (int)t->scheme.len, t->scheme.s, (int)t->host.len, t->host.s,
				    port, (int)t->path.len, t->path.s, query ? "?" : "", query ? query : ""));
}

static void add_url(struct span *s, const struct ev_request *ev, const struct target *t, bool with_query)
{
	const char *query = with_query && t->query.len ? put_query(s, t->query) : NULL;

	if (ev->side == TRACE_SERVER)
		add_server_url(s, t, query);
	else
		add_client_url(s, t, query);
}

/* ---- what came of it ---- */

static void add_outcome(struct span *s, const struct ev_request *ev)
{
	char text[RED_ERROR_BYTES];
	const char *error = red_error(ev->side, ev->status, text);
	struct attribute *a;

	if (ev->status != TRACE_STATUS_NONE)
		add_number(s, "http.response.status_code", ev->status);
	if (error) {
		s->otlp.status = OTLP_SPAN_ERROR;
		add_text(s, "error.type", put(s, "%s", error));
	}
	add_number(s, "http.request.body.size", ev->request_bytes);
	if (ev->status != TRACE_STATUS_NONE)
		add_number(s, "http.response.body.size", ev->response_bytes);
	if (ev->flags & TRACE_UNFINISHED && (a = add(s, "hotspan.response.unfinished", ATTRIBUTE_BOOL)))
		a->truth = true;
	if (ev->flags & TRACE_BY_OUTCOME)
		add_text(s, "hotspan.sampling.reason", error || ev->flags & TRACE_UNFINISHED ? "error" : "slow");
}

static void add_seconds(struct span *s, const char *key, uint64_t ns)
{
	struct attribute *a = add(s, key, ATTRIBUTE_DOUBLE);

	if (a)
		a->real = (double)ns / 1e9;
}

/*
 * What its thread used, where that is known: all of it or nothing. Samples that fell on it have the id of a span that is
 * sampled, and of no other (collect/whose.h).
 */
static void add_cpu(struct span *s, const struct ev_request *ev)
{
	if (!ev->used.cpu_ns || !(ev->flags & TRACE_CPU_KNOWN))
		return;
	add_seconds(s, "hotspan.cpu.time", ev->used.cpu_ns);
	if (ev->flags & TRACE_CPU_EXACT) {
		add_seconds(s, "hotspan.cpu.wait.time", ev->used.queue_ns);
		add_seconds(s, "hotspan.blocked.time", ev->used.blocked_ns);
	}
	if (!(ev->flags & TRACE_BY_OUTCOME))
		add_text(s, "pyroscope.profile.id", put(s, "%016llx", (unsigned long long)ev->span_id));
}

/* ---- its place in the trace ---- */

static void fill_id(uint8_t to[8], uint64_t id)
{
	uint64_t big = __builtin_bswap64(id);

	memcpy(to, &big, sizeof(big));
}

static void fill_ids(struct span *s, const struct ev_request *ev)
{
	struct otlp_span *o = &s->otlp;

	memcpy(o->trace_id, ev->trace_id, sizeof(o->trace_id));
	fill_id(o->span_id, ev->span_id);
	o->flags = ev->trace_flags;
	if (!(ev->flags & TRACE_PARENT))
		return;
	if (ev->flags & TRACE_LOCAL) {
		fill_id(o->parent_id, ev->parent_id);
		o->flags |= OTLP_SPAN_KNOWS_REMOTE;
		return;
	}
	memcpy(o->parent_id, &ev->parent_id, sizeof(o->parent_id));
	/* A client's parent is in its own process, or in another one whose header it passed on: nobody knows. */
	if (ev->side == TRACE_SERVER)
		o->flags |= OTLP_SPAN_KNOWS_REMOTE | OTLP_SPAN_PARENT_IS_REMOTE;
}

static bool is_printable(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.s[i] < ' ' || s.s[i] > '~')
			return false;
	return true;
}

/* th: 56 bits as hexadecimal digits, without the zeros behind the last. */
static const char *put_threshold(struct span *s, uint64_t threshold)
{
	char digits[TRACE_RANDOM_BITS / 4 + 4];
	size_t n = (size_t)snprintf(digits, sizeof(digits), "%014llx", (unsigned long long)(threshold & TRACE_RANDOM_MASK));

	while (n > 1 && digits[n - 1] == '0')
		n--;
	return put(s, "ot=th:%.*s", (int)n, digits);
}

static const char *state_of(struct span *s, const struct ev_request *ev, const struct request_head *h, uint64_t threshold)
{
	if (ev->flags & TRACE_OURS)
		return ev->flags & TRACE_BY_OUTCOME ? NULL : put_threshold(s, threshold);
	if (ev->flags & TRACE_LOCAL || !is_printable(h->tracestate))
		return NULL;
	return h->tracestate.len ? put_slice(s, h->tracestate) : NULL;
}

/* ---- all of it ---- */

static void fill_name(struct span *s, const struct ev_request *ev, const struct request_head *h, const char *route)
{
	bool known = ev->method != HTTP1_METHOD_OTHER;
	const char *method = tracer_method(ev->method), *name = known ? method : "HTTP", *full = NULL;

	add_text(s, "http.request.method", method);
	if (!known && h->method.len)
		add_text(s, "http.request.method_original", put_slice(s, h->method));
	if (*route) {
		add_text(s, ev->side == TRACE_SERVER ? "http.route" : "url.template", route);
		full = put(s, "%s %s", name, route);
	}
	s->otlp.name = full ? full : name;
}

void span_fill(struct span *s, const struct ev_request *ev, const char *route, const struct span_opts *o)
{
	struct request_head h;
	struct target t;

	s->used = 0;
	s->otlp = (struct otlp_span){ .kind = ev->side == TRACE_SERVER ? OTLP_SPAN_SERVER : OTLP_SPAN_CLIENT, .attributes = s->attributes,
				      .start_ns = ev->start_ns + o->utc_at_boot_ns, .end_ns = ev->end_ns + o->utc_at_boot_ns };
	request_head_parse(ev->head, ev->head_len < TRACE_HEAD_BYTES ? ev->head_len : TRACE_HEAD_BYTES, &h);
	find_target(ev, &h, &t);
	fill_ids(s, ev);
	s->otlp.state = state_of(s, ev, &h, o->threshold);
	fill_name(s, ev, &h, route);
	add_url(s, ev, &t, o->query);
	add_server(s, ev, &t);
	add_network(s, ev, &h);
	if (h.user_agent.len)
		add_text(s, "user_agent.original", put_slice(s, h.user_agent));
	add_outcome(s, ev);
	add_number(s, "process.pid", ev->tgid);
	add_number(s, "thread.id", ev->tid);
	add_cpu(s, ev);
}
