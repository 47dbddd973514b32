/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * span - a request that was seen (bpf/trace.h) as a span of OpenTelemetry, by its stable conventions for HTTP. Pure.
 *
 *	addresses, ids, times, sizes, status   from the program that saw it
 *	path, host, user agent, tracestate     from the request's head (trace/request_head.h), which may be cut off
 *
 * What may be a secret stays here: user and password of an absolute target always; the query unless it is asked for, and
 * then without the values of keys that sign.
 * Of the sampling it says: tracestate's ot=th, so that who counts spans knows how many requests each stands for, where the
 * trace began on this host; hotspan.sampling.reason where it is there because of its outcome only, and stands for itself.
 * A client's span under the server's for which it asked has no tracestate, where that came with the request: the program does not
 * read it, and the server's head is told when its answer is written, which is later, maybe by minutes. Spans are not held
 * back until then; who wants the trace's state finds it at the parent.
 * Source: semantic conventions 1.44, HTTP spans; W3C trace context; OpenTelemetry's tracestate handling.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/texts.h"
#include "exporter/attribute.h"
#include "exporter/otlp_traces.h"

struct ev_request;

enum { SPAN_ATTRIBUTES = 30, SPAN_TEXT_BYTES = 4096 };

struct span_opts {
	uint64_t utc_at_boot_ns;
	uint64_t threshold; /* tracer_threshold() of those that begin a trace */
	bool query;
};

/* Attributes point into it and into the request: neither moves. */
struct span {
	struct otlp_span otlp;
	struct attribute attributes[SPAN_ATTRIBUTES];
	struct texts texts; /* in text: what is in no other place */
	char text[SPAN_TEXT_BYTES];
};

/* route: "" where there is none; it and the request are borrowed as long as the span is used. What finds no room is counted as dropped in it. */
void span_fill(struct span *s, const struct ev_request *ev, const char *route, const struct span_opts *o);
