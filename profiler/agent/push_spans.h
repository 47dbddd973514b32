/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * push_spans - requests that become spans, gathered by service and sent to the receivers of traces.
 *
 *	tracing's on_span() -> push_spans_add(): a copy of what was seen -> two seconds, or so many bytes -> by service: span.h ->
 *	otlp_traces.h -> net_send(): the receivers' queues, retries and spools
 *
 * A second-hand copy is kept, not a span: it is a third as large, and spans of one service, which come in any order,
 * are to lie in one resource.
 * Memory: one batch, PUSH_SPANS_BATCH_BYTES of copies, and one request. Threads: one.
 */
#include <stdbool.h>
#include <stdint.h>

struct ev_request;
struct net;
struct push_spans;
struct strmap;

enum { PUSH_SPANS_BATCH_BYTES = 512 * 1024 };

struct push_spans_opts {
	struct net *net;     /* borrowed for good */
	uint64_t threshold;  /* span.h */
	bool query;
};

/* Why a span was not sent. */
enum push_spans_drop {
	PUSH_SPANS_DROP_NO_MEMORY,
	PUSH_SPANS_DROP_NO_RECEIVER, /* there was one when tracing began */
	PUSH_SPANS_DROPS
};

struct push_spans_stats {
	uint64_t sent; /* handed to the receivers' queues */
	uint64_t dropped[PUSH_SPANS_DROPS];
};

/* 0 or -ENOMEM. */
int push_spans_new(const struct push_spans_opts *opts, struct push_spans **ret);
/* What was not sent is gone. */
struct push_spans *push_spans_free(struct push_spans *s);

/* The configuration's, of every service; borrowed until the next call. */
void push_spans_set_labels(struct push_spans *s, const struct strmap *labels);

/* labels: of its service, route: "" for none; both borrowed in the call. Sends when the batch is full. */
void push_spans_add(struct push_spans *s, const struct ev_request *ev, const char *labels, const char *route);
/* Sends what has waited two seconds; now: CLOCK_BOOTTIME. */
void push_spans_tick(struct push_spans *s, uint64_t now_ns);
/* Sends all there is. */
void push_spans_flush(struct push_spans *s);

void push_spans_stats(const struct push_spans *s, struct push_spans_stats *ret);
const char *push_spans_drop_name(enum push_spans_drop d);
