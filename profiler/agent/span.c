/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/span.h"

#include <string.h>

#include "agent/span_target.h"
#include "bpf/http1.h"
#include "bpf/trace.h"
#include "trace/red.h"
#include "trace/request_head.h"
#include "trace/tracer.h"

/* ---- attributes ---- */

static struct attribute *add(struct span *s, struct slice key, enum attribute_type type)
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

/* text: NULL where there was no room for it. */
static void add_text(struct span *s, struct slice key, struct slice text)
{
	struct attribute *a = text.s ? add(s, key, ATTRIBUTE_TEXT) : NULL;

	if (a)
		a->text = text;
	else
		s->otlp.dropped_attributes += !text.s;
}

/* Of the request's head, up to a NUL that is in it. */
static void add_foreign(struct span *s, struct slice key, struct slice text)
{
	add_text(s, key, (struct slice){ text.s, strnlen(text.s, text.len) });
}

static struct slice put(struct texts *t, struct slice from)
{
	texts_begin(t);
	texts_add(t, from);
	return texts_end(t);
}

static void add_number(struct span *s, struct slice key, uint64_t number)
{
	struct attribute *a = add(s, key, ATTRIBUTE_INT);

	if (a)
		a->number = (int64_t)number;
}

/* ---- where to ---- */

static void add_server(struct span *s, const struct ev_request *ev, const struct span_target *t)
{
	bool server = ev->side == TRACE_SERVER;

	if (t->host.len) {
		add_text(s, SLICE("server.address"), t->host);
		add_number(s, SLICE("server.port"), t->port);
	} else if (!(ev->flags & TRACE_UNIX)) {
		add_text(s, SLICE("server.address"), span_address(ev->flags, server ? ev->local_address : ev->peer_address, &s->texts));
		add_number(s, SLICE("server.port"), server ? ev->local_port : ev->peer_port);
	}
}

static void add_network(struct span *s, const struct ev_request *ev, const struct request_head *h)
{
	struct slice peer;

	if (h->minor >= 0)
		add_text(s, SLICE("network.protocol.version"), h->minor ? SLICE("1.1") : SLICE("1.0"));
	if (ev->flags & TRACE_UNIX) {
		add_text(s, SLICE("network.transport"), SLICE("unix"));
		return;
	}
	peer = span_address(ev->flags, ev->peer_address, &s->texts);
	add_text(s, SLICE("network.peer.address"), peer);
	add_number(s, SLICE("network.peer.port"), ev->peer_port);
	if (ev->side == TRACE_SERVER)
		add_text(s, SLICE("client.address"), peer);
}

/* query: "" for none; NULL where there was no room for it. */
static void add_server_url(struct span *s, const struct span_target *t, struct slice query)
{
	if (t->path.len)
		add_text(s, SLICE("url.path"), t->path);
	add_text(s, SLICE("url.scheme"), t->scheme);
	if (query.len || !query.s)
		add_text(s, SLICE("url.query"), query);
}

static void add_client_url(struct span *s, const struct span_target *t, struct slice query)
{
	if (t->host.len && t->path.len)
		add_text(s, SLICE("url.full"), span_target_url(t, query, &s->texts));
}

static void add_url(struct span *s, const struct ev_request *ev, const struct span_target *t, bool with_query)
{
	struct slice query = with_query && t->query.len ? span_target_query(t, &s->texts) : SLICE("");

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
		add_number(s, SLICE("http.response.status_code"), ev->status);
	if (error) {
		s->otlp.status = OTLP_SPAN_ERROR;
		add_text(s, SLICE("error.type"), put(&s->texts, slice_of(error)));
	}
	add_number(s, SLICE("http.request.body.size"), ev->request_bytes);
	if (ev->status != TRACE_STATUS_NONE)
		add_number(s, SLICE("http.response.body.size"), ev->response_bytes);
	if (ev->flags & TRACE_UNFINISHED && (a = add(s, SLICE("hotspan.response.unfinished"), ATTRIBUTE_BOOL)))
		a->truth = true;
	if (ev->flags & TRACE_BY_OUTCOME)
		add_text(s, SLICE("hotspan.sampling.reason"), error || ev->flags & TRACE_UNFINISHED ? SLICE("error") : SLICE("slow"));
}

static void add_seconds(struct span *s, struct slice key, uint64_t ns)
{
	struct attribute *a = add(s, key, ATTRIBUTE_DOUBLE);

	if (a)
		a->real = (double)ns / 1e9;
}

static struct slice put_hex(struct texts *t, uint64_t id)
{
	texts_begin(t);
	texts_add_hex(t, id, 16);
	return texts_end(t);
}

/*
 * What its thread used, where that is known: all of it or nothing. Samples that fell on it have the id of a span that is
 * sampled, and of no other (collect/whose.h).
 */
static void add_cpu(struct span *s, const struct ev_request *ev)
{
	if (!ev->used.cpu_ns || !(ev->flags & TRACE_CPU_KNOWN))
		return;
	add_seconds(s, SLICE("hotspan.cpu.time"), ev->used.cpu_ns);
	if (ev->flags & TRACE_CPU_EXACT) {
		add_seconds(s, SLICE("hotspan.cpu.wait.time"), ev->used.queue_ns);
		add_seconds(s, SLICE("hotspan.blocked.time"), ev->used.blocked_ns);
	}
	if (!(ev->flags & TRACE_BY_OUTCOME))
		add_text(s, SLICE("pyroscope.profile.id"), put_hex(&s->texts, ev->span_id));
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

/* th: 56 bits as hexadecimal digits, without the zeros behind the last. */
static struct slice put_threshold(struct texts *t, uint64_t threshold)
{
	int digits = TRACE_RANDOM_BITS / 4;

	for (threshold &= TRACE_RANDOM_MASK; digits > 1 && !(threshold & 15); digits--)
		threshold >>= 4;
	texts_begin(t);
	texts_add(t, SLICE("ot=th:"));
	texts_add_hex(t, threshold, digits);
	return texts_end(t);
}

static const char *state_of(struct span *s, const struct ev_request *ev, const struct request_head *h, uint64_t threshold)
{
	if (ev->flags & TRACE_OURS)
		return ev->flags & TRACE_BY_OUTCOME ? NULL : put_threshold(&s->texts, threshold).s;
	return ev->flags & TRACE_LOCAL ? NULL : request_head_tracestate(h, &s->texts).s;
}

/* ---- all of it ---- */

static struct slice put_name(struct texts *t, struct slice method, struct slice route)
{
	texts_begin(t);
	texts_add(t, method);
	texts_add(t, SLICE(" "));
	texts_add(t, route);
	return texts_end(t);
}

static void fill_name(struct span *s, const struct ev_request *ev, const struct request_head *h, struct slice route)
{
	bool known = ev->method != HTTP1_METHOD_OTHER;
	struct slice method = slice_of(tracer_method(ev->method)), name = known ? method : SLICE("HTTP"), full = { 0 };

	add_text(s, SLICE("http.request.method"), method);
	if (!known && h->method.len)
		add_foreign(s, SLICE("http.request.method_original"), h->method);
	if (route.len) {
		add_text(s, ev->side == TRACE_SERVER ? SLICE("http.route") : SLICE("url.template"), route);
		full = put_name(&s->texts, name, route);
	}
	s->otlp.name = full.s ? full.s : name.s;
}

void span_fill(struct span *s, const struct ev_request *ev, const char *route, const struct span_opts *o)
{
	struct span_target t;
	struct request_head h;

	s->texts = (struct texts){ .room = s->text, .size = sizeof(s->text) };
	s->otlp = (struct otlp_span){ .kind = ev->side == TRACE_SERVER ? OTLP_SPAN_SERVER : OTLP_SPAN_CLIENT, .attributes = s->attributes,
				      .start_ns = ev->start_ns + o->utc_at_boot_ns, .end_ns = ev->end_ns + o->utc_at_boot_ns };
	request_head_parse(ev->head, ev->head_len < TRACE_HEAD_BYTES ? ev->head_len : TRACE_HEAD_BYTES, &h);
	span_target_find(ev, &h, &t);
	fill_ids(s, ev);
	s->otlp.state = state_of(s, ev, &h, o->threshold);
	fill_name(s, ev, &h, slice_of(route));
	add_url(s, ev, &t, o->query);
	add_server(s, ev, &t);
	add_network(s, ev, &h);
	if (h.user_agent.len)
		add_foreign(s, SLICE("user_agent.original"), h.user_agent);
	add_outcome(s, ev);
	add_number(s, SLICE("process.pid"), ev->tgid);
	add_number(s, SLICE("thread.id"), ev->tid);
	add_cpu(s, ev);
}
