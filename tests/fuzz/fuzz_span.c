/* SPDX-License-Identifier: Apache-2.0 */
/* Any head of a request becomes a span: nothing is read behind it, and what is sent is UTF-8. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/span.h"
#include "base/buf.h"
#include "base/strmap.h"
#include "base/wire.h"
#include "base/wire_reader.h"
#include "bpf/http1.h"
#include "bpf/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool is_good(struct slice s)
{
	return utf8_prefix(s.s, s.len) == s.len;
}

/* KeyValue { key, AnyValue { string } } */
static void check_attribute(struct wire_reader pair)
{
	struct wire_field f, any;

	while (wire_next(&pair, &f) > 0) {
		struct wire_reader r = wire_reader_of(f.data, f.value);

		if (f.number == 2 && (wire_next(&r, &any) <= 0 || (any.type == WIRE_LEN && !is_good((struct slice){ (const char *)any.data, any.value }))))
			abort();
	}
}

static void check_span(struct wire_reader span, uint32_t n_attributes)
{
	enum { STATE = 3, NAME = 5, ATTRIBUTE = 9 };
	struct wire_field f;

	while (wire_next(&span, &f) > 0) {
		if ((f.number == STATE || f.number == NAME) && !is_good((struct slice){ (const char *)f.data, f.value }))
			abort();
		if (f.number == ATTRIBUTE) {
			check_attribute(wire_reader_of(f.data, f.value));
			n_attributes--;
		}
	}
	if (span.at != span.end || n_attributes)
		abort();
}

/* The only one: of resources, scopes, spans. */
static int on_request(void *ctx, const struct buf *request, uint32_t items)
{
	static const uint32_t path[] = { 1, 2, 2 };
	struct wire_reader r = wire_reader_of(request->data, request->len);
	const struct span *s = ctx;
	struct wire_field f;

	for (int i = 0; i < 3; i++) {
		do
			if (wire_next(&r, &f) <= 0)
				abort();
		while (f.number != path[i]);
		r = wire_reader_of(f.data, f.value);
	}
	check_span(r, s->otlp.n_attributes);
	return 0;
}

static void send(struct span *s)
{
	const struct otlp_opts opts = { .scope_name = "fuzz", .scope_version = "1", .send = on_request, .ctx = s };
	struct strmap resource = { 0 };
	struct otlp_traces *t;

	if (otlp_traces_new(&opts, &t) < 0)
		abort();
	otlp_traces_put(t, &resource, &s->otlp);
	otlp_traces_finish(t);
	otlp_traces_free(t);
}

/* How it is: four bytes; then its head. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct span span;
	size_t n = len < 4 ? 0 : len - 4 > TRACE_HEAD_BYTES ? TRACE_HEAD_BYTES : len - 4;
	struct ev_request *ev = calloc(1, offsetof(struct ev_request, head) + n); /* no more than there is of it */

	if (len >= 4 && ev) {
		ev->flags = data[0] | (uint32_t)data[1] << 8;
		ev->method = data[2] % HTTP1_METHOD_MAX;
		ev->side = data[3] & 1;
		ev->status = (uint16_t)(data[3] * 4);
		ev->head_len = (uint16_t)n;
		memcpy(ev->head, data + 4, n);
		span_fill(&span, ev, data[3] & 2 ? "/items/*" : "", &(struct span_opts){ .threshold = data[2], .query = data[2] & 128 });
		send(&span);
	}
	free(ev);
	return 0;
}
