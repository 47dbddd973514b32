/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/otlp_traces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/wire.h"

enum { SCOPE_SPANS_SPANS = 2 };
enum {
	SPAN_TRACE_ID = 1,
	SPAN_ID,
	SPAN_STATE,
	SPAN_PARENT_ID,
	SPAN_NAME,
	SPAN_KIND,
	SPAN_START,
	SPAN_END,
	SPAN_ATTRIBUTES,
	SPAN_DROPPED_ATTRIBUTES,
	SPAN_STATUS = 15,
	SPAN_FLAGS
};
enum { STATUS_MESSAGE = 2, STATUS_CODE };

/* The others must be zero in spans of our own making. */
enum { KNOWN_FLAGS = 0xff | OTLP_SPAN_KNOWS_REMOTE | OTLP_SPAN_PARENT_IS_REMOTE };

struct otlp_traces {
	struct otlp_envelope envelope;
};

int otlp_traces_new(const struct otlp_opts *opts, struct otlp_traces **ret)
{
	struct otlp_traces *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	otlp_envelope_init(&t->envelope, opts);
	*ret = t;
	return 0;
}

struct otlp_traces *otlp_traces_free(struct otlp_traces *t)
{
	if (!t)
		return NULL;
	otlp_envelope_fini(&t->envelope);
	free(t);
	return NULL;
}

static void put_status(struct buf *b, const struct otlp_span *s)
{
	size_t mark;

	if (s->status == OTLP_SPAN_UNSET)
		return;
	mark = wire_begin(b, SPAN_STATUS);
	if (s->status == OTLP_SPAN_ERROR)
		wire_utf8(b, STATUS_MESSAGE, s->message);
	wire_uint(b, STATUS_CODE, s->status);
	wire_end(b, mark);
}

static void put_span(struct buf *b, const struct otlp_span *s)
{
	static const uint8_t root[sizeof(s->parent_id)];
	size_t mark = wire_begin(b, SCOPE_SPANS_SPANS);

	wire_bytes(b, SPAN_TRACE_ID, s->trace_id, sizeof(s->trace_id));
	wire_bytes(b, SPAN_ID, s->span_id, sizeof(s->span_id));
	wire_utf8(b, SPAN_STATE, s->state);
	if (memcmp(s->parent_id, root, sizeof(root)))
		wire_bytes(b, SPAN_PARENT_ID, s->parent_id, sizeof(s->parent_id));
	wire_utf8(b, SPAN_NAME, s->name);
	wire_uint(b, SPAN_KIND, s->kind);
	wire_fixed64(b, SPAN_START, s->start_ns);
	wire_fixed64(b, SPAN_END,
		     s->end_ns < s->start_ns ? s->start_ns
					     : s->end_ns); /* a clock that was set back */
	otlp_put_attributes(b, SPAN_ATTRIBUTES, s->attributes, s->n_attributes);
	wire_uint(b, SPAN_DROPPED_ATTRIBUTES, s->dropped_attributes);
	put_status(b, s);
	wire_fixed32(b, SPAN_FLAGS, s->flags & KNOWN_FLAGS);
	wire_end(b, mark);
}

int otlp_traces_put(struct otlp_traces *t, const struct strmap *resource,
		    const struct otlp_span *span)
{
	struct otlp_envelope *e = &t->envelope;

	if (!e->is_open)
		otlp_envelope_open(e, resource);
	put_span(&e->out, span);
	e->items++;
	return otlp_envelope_is_full(e) || buf_error(&e->out) ? otlp_envelope_send(e) : 0;
}

void otlp_traces_end_resource(struct otlp_traces *t)
{
	otlp_envelope_close(&t->envelope);
}

int otlp_traces_finish(struct otlp_traces *t)
{
	return otlp_envelope_send(&t->envelope);
}
