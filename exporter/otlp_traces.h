/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * otlp_traces - spans as ExportTraceServiceRequests of OpenTelemetry.
 *
 *	otlp_traces_new -> (otlp_traces_put(resource, span) ... -> otlp_traces_end_resource) ... -> otlp_traces_finish(): all is sent,
 *	and it is empty again
 *
 * Requests go to opts.send as they fill up (otlp_envelope.h). Nothing is copied but into them.
 * Memory: one request. Threads: one.
 * Source: opentelemetry-proto v1.11.0, trace/v1/trace.proto.
 */
#include <stddef.h>
#include <stdint.h>

#include "exporter/attribute.h"
#include "exporter/otlp_envelope.h"

enum otlp_span_kind {
	OTLP_SPAN_INTERNAL = 1,
	OTLP_SPAN_SERVER,
	OTLP_SPAN_CLIENT,
	OTLP_SPAN_PRODUCER,
	OTLP_SPAN_CONSUMER
};
enum otlp_span_status { OTLP_SPAN_UNSET, OTLP_SPAN_OK, OTLP_SPAN_ERROR };

/* Above the W3C trace flags: whether we know where the parent runs, and that it is in another process. */
enum { OTLP_SPAN_KNOWS_REMOTE = 0x100, OTLP_SPAN_PARENT_IS_REMOTE = 0x200 };

struct otlp_span {
	uint8_t trace_id[16], span_id[8]; /* neither is all zero: servers refuse such spans */
	uint8_t parent_id[8];             /* all zero: it is a root */
	uint32_t flags;
	enum otlp_span_kind kind;
	enum otlp_span_status status;
	const char *state; /* W3C's tracestate; NULL or "": none */
	const char *name;
	const char *message; /* of an error that the attributes do not tell; NULL or "": none */
	uint64_t start_ns, end_ns; /* UTC */
	const struct attribute *attributes;
	uint32_t n_attributes, dropped_attributes;
};

struct otlp_traces;

/* 0 or -ENOMEM. */
int otlp_traces_new(const struct otlp_opts *opts, struct otlp_traces **ret);
struct otlp_traces *otlp_traces_free(struct otlp_traces *t);

/* A span of one resource, which is the same until that ends; attributes of it: texts. 0, -ENOMEM, or what send answers: what was not sent
 * is gone. */
int otlp_traces_put(struct otlp_traces *t, const struct strmap *resource,
		    const struct otlp_span *span);
void otlp_traces_end_resource(struct otlp_traces *t);
/* Sends what is left. The same. */
int otlp_traces_finish(struct otlp_traces *t);
