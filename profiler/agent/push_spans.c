/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/push_spans.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/resource.h"
#include "agent/span.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strmap.h"
#include "base/strpool.h"
#include "base/units.h"
#include "base/vec.h"
#include "bpf/trace.h"
#include "exporter/net.h"
#include "exporter/otlp_send.h"
#include "exporter/otlp_traces.h"
#include "version.h"

#define WAIT_NS (2 * NSEC_PER_SEC)

#define NONE UINT32_MAX

/* A request that waits. */
struct waiting {
	uint32_t route; /* in routes */
	uint32_t at;    /* in bytes */
	uint32_t next;  /* of its service; NONE: no other is */
};

/* A service's, in the order in which they came; NONE: it has none. */
struct queue {
	uint32_t first, last;
};

struct push_spans {
	struct push_spans_opts opts;
	const struct strmap *labels; /* NULL: none */
	vec(struct waiting) waiting;
	vec(struct queue) queues; /* by the id of the service's labels */
	struct buf bytes; /* struct ev_request each, up to the end of its head, and on to where the next may begin */
	struct strpool services, routes; /* their labels; their texts */
	uint32_t last_service, last_route; /* as often as not the next one's too */
	uint64_t since_ns;    /* CLOCK_BOOTTIME: the first of them came; as push_spans_tick() has it */
	struct otlp_sender sender;
	struct otlp_traces *out;
	struct span span; /* being made */
	struct push_spans_stats stats;
};

int push_spans_new(const struct push_spans_opts *opts, struct push_spans **ret)
{
	struct push_spans *s = calloc(1, sizeof(*s));
	struct otlp_opts out = { .scope_name = "hotspan", .scope_version = HOTSPAN_VERSION, .send = otlp_send };
	int r = -ENOMEM;

	if (s) {
		s->opts = *opts;
		s->sender = (struct otlp_sender){ .net = opts->net, .signal = PARCEL_TRACES };
		out.ctx = &s->sender;
		r = otlp_traces_new(&out, &s->out);
	}
	if (r < 0) {
		push_spans_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

struct push_spans *push_spans_free(struct push_spans *s)
{
	if (!s)
		return NULL;
	otlp_traces_free(s->out);
	vec_fini(&s->waiting);
	vec_fini(&s->queues);
	buf_fini(&s->bytes);
	strpool_fini(&s->services);
	strpool_fini(&s->routes);
	free(s);
	return NULL;
}

void push_spans_set_labels(struct push_spans *s, const struct strmap *labels)
{
	s->labels = labels;
}

/* ---- sending ---- */

static void forget(struct push_spans *s)
{
	s->waiting.n = s->queues.n = 0;
	s->since_ns = 0;
	s->last_service = s->last_route = 0;
	buf_reset(&s->bytes);
	strpool_reset(&s->services);
	strpool_reset(&s->routes);
}

/* What waits of one service. */
static int send_service(struct push_spans *s, uint32_t service, const struct span_opts *o)
{
	_cleanup_(strmap_fini) struct strmap resource = { 0 };
	int r = resource_of_target(strpool_str(&s->services, service), s->labels, &resource);

	for (uint32_t i = s->queues.v[service].first; i != NONE && r >= 0; i = s->waiting.v[i].next) {
		const struct waiting *w = &s->waiting.v[i];

		span_fill(&s->span, (const struct ev_request *)(s->bytes.data + w->at), strpool_str(&s->routes, w->route), o);
		r = otlp_traces_put(s->out, &resource, &s->span.otlp);
	}
	otlp_traces_end_resource(s->out);
	return r;
}

static void send_all(struct push_spans *s)
{
	struct span_opts o = { .utc_at_boot_ns = time_utc_ns() - time_boot_ns(), .threshold = s->opts.threshold, .query = s->opts.query };
	int r = 0;

	s->sender.time_ns = s->since_ns + o.utc_at_boot_ns;
	for (uint32_t i = 0; i < s->queues.n && r >= 0; i++)
		if (s->queues.v[i].first != NONE)
			r = send_service(s, i, &o);
	otlp_traces_finish(s->out); /* what had room, whatever became of the rest */
}

void push_spans_flush(struct push_spans *s)
{
	uint64_t before = s->sender.items;
	uint32_t n = s->waiting.n;

	if (!n)
		return;
	if (!net_formats(s->opts.net, PARCEL_TRACES)) {
		s->stats.dropped[PUSH_SPANS_DROP_NO_RECEIVER] += n;
	} else {
		send_all(s);
		s->stats.sent += s->sender.items - before;
		s->stats.dropped[PUSH_SPANS_DROP_NO_MEMORY] += n - (s->sender.items - before);
	}
	forget(s);
}

/* ---- gathering ---- */

static uint32_t text_id(struct strpool *p, uint32_t last, const char *text)
{
	return last && !strcmp(strpool_str(p, last), text) ? last : strpool_add(p, text);
}

static struct queue *queue_of(struct push_spans *s, uint32_t service)
{
	while (s->queues.n <= service) {
		struct queue *q = vec_push(&s->queues);

		if (!q)
			return NULL;
		*q = (struct queue){ NONE, NONE };
	}
	return &s->queues.v[service];
}

/* The next one begins where a struct ev_request may. */
static void copy_request(struct buf *to, const struct ev_request *ev)
{
	static const uint8_t zeros[_Alignof(struct ev_request)];

	buf_append(to, ev, offsetof(struct ev_request, head) + ev->head_len);
	buf_append(to, zeros, -to->len % sizeof(zeros));
}

static bool keep(struct push_spans *s, const struct ev_request *ev, const char *labels, const char *route)
{
	struct waiting w = { .at = (uint32_t)s->bytes.len, .next = NONE }, *slot;
	uint32_t i = s->waiting.n;
	struct queue *q;

	s->last_service = text_id(&s->services, s->last_service, labels);
	w.route = s->last_route = text_id(&s->routes, s->last_route, route);
	copy_request(&s->bytes, ev);
	q = queue_of(s, s->last_service);
	if (!q || strpool_error(&s->services) || strpool_error(&s->routes) || buf_error(&s->bytes) || !(slot = vec_push(&s->waiting)))
		return false;
	*slot = w;
	if (q->first == NONE)
		q->first = i;
	else
		s->waiting.v[q->last].next = i;
	q->last = i;
	return true;
}

void push_spans_add(struct push_spans *s, const struct ev_request *ev, const char *labels, const char *route)
{
	if (!s->since_ns)
		s->since_ns = ev->start_ns;
	if (!keep(s, ev, labels, route)) {
		s->stats.dropped[PUSH_SPANS_DROP_NO_MEMORY]++;
		push_spans_flush(s);
	}
	if (s->bytes.len >= PUSH_SPANS_BATCH_BYTES)
		push_spans_flush(s);
}

void push_spans_tick(struct push_spans *s, uint64_t now_ns)
{
	if (s->since_ns && now_ns - s->since_ns >= WAIT_NS)
		push_spans_flush(s);
}

void push_spans_stats(const struct push_spans *s, struct push_spans_stats *ret)
{
	*ret = s->stats;
}

const char *push_spans_drop_name(enum push_spans_drop d)
{
	static const char *const names[] = { [PUSH_SPANS_DROP_NO_MEMORY] = "no_memory", [PUSH_SPANS_DROP_NO_RECEIVER] = "no_receiver" };

	return names[d];
}
