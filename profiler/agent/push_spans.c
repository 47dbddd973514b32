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

/* A request that waits. */
struct waiting {
	uint32_t labels, route; /* in texts */
	uint32_t at;            /* in bytes */
};

struct push_spans {
	struct push_spans_opts opts;
	const struct strmap *labels; /* NULL: none */
	vec(struct waiting) waiting;
	struct buf bytes;     /* struct ev_request each, up to the end of its head */
	struct strpool texts; /* labels and routes */
	uint64_t since_ns;    /* CLOCK_BOOTTIME: the first of them came; as push_spans_tick() has it */
	struct otlp_sender sender;
	struct otlp_traces *out;
	struct span span;     /* being made */
	struct ev_request ev; /* it is made of */
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
	buf_fini(&s->bytes);
	strpool_fini(&s->texts);
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
	s->waiting.n = 0;
	s->since_ns = 0;
	buf_reset(&s->bytes);
	strpool_reset(&s->texts);
}

static void read_request(struct push_spans *s, const struct waiting *w)
{
	const uint8_t *from = s->bytes.data + w->at;

	memcpy(&s->ev, from, offsetof(struct ev_request, head));
	memcpy(s->ev.head, from + offsetof(struct ev_request, head), s->ev.head_len);
}

/* Of one service. */
static int send_service(struct push_spans *s, const struct waiting *w, uint32_t n, const struct span_opts *o)
{
	_cleanup_(strmap_fini) struct strmap resource = { 0 };
	int r = resource_of_target(strpool_str(&s->texts, w->labels), s->labels, &resource);

	for (uint32_t i = 0; i < n && r >= 0; i++) {
		read_request(s, &w[i]);
		span_fill(&s->span, &s->ev, strpool_str(&s->texts, w[i].route), o);
		r = otlp_traces_put(s->out, &resource, &s->span.otlp);
	}
	otlp_traces_end_resource(s->out);
	return r;
}

static int by_service(const void *a, const void *b)
{
	const struct waiting *x = a, *y = b;

	if (x->labels != y->labels)
		return x->labels < y->labels ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static void send_all(struct push_spans *s)
{
	struct span_opts o = { .utc_at_boot_ns = time_utc_ns() - time_boot_ns(), .threshold = s->opts.threshold, .query = s->opts.query };
	const struct waiting *v = s->waiting.v;
	int r = 0;

	s->sender.time_ns = s->since_ns + o.utc_at_boot_ns;
	qsort(s->waiting.v, s->waiting.n, sizeof(*v), by_service);
	for (uint32_t i = 0, n; i < s->waiting.n && r >= 0; i += n) {
		for (n = 1; i + n < s->waiting.n && v[i].labels == v[i + n].labels;)
			n++;
		r = send_service(s, v + i, n, &o);
	}
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

static bool keep(struct push_spans *s, const struct ev_request *ev, const char *labels, const char *route)
{
	uint32_t at = (uint32_t)s->bytes.len;
	struct waiting *w = vec_push(&s->waiting);

	buf_append(&s->bytes, ev, offsetof(struct ev_request, head) + ev->head_len);
	if (w)
		*w = (struct waiting){ .labels = strpool_add(&s->texts, labels), .route = strpool_add(&s->texts, route), .at = at };
	if (w && !buf_error(&s->bytes) && !strpool_error(&s->texts))
		return true;
	s->waiting.n -= w != NULL;
	return false;
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
