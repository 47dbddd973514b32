/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * tracing - the story of a request, from the programs that saw it to the series it counts in and the span it becomes.
 *
 *	requests (ring) -> whose -> route, learned and taught -> moved out of "unknown" -> on_route(), on_span()
 *	cells (BPF)     -> whose -> red series
 *
 * A process is judged at its first request that is told: that is the one whose route is not known yet. What is not
 * wanted is left out in the kernel from then on, and its counts here.
 * What a process counted is read once more when it has ended, before it is let go of. A service stays for a while when its
 * last process has gone (services.h), then its series go too.
 * Threads: one. Memory: bounded by routes and series.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/red.h"
#include "trace/routes.h"
#include "trace/tracer.h"

struct tracing;

struct tracing_opts {
	struct tracer_opts tracer;
	struct routes_opts routes;
	const char *routes_file; /* of what was learned; NULL: it is not kept. Borrowed in the call */
	uint32_t max_series;     /* 0: 10,000 */
	uint64_t forget_ns;      /* how long series stay when the last process of their service has gone; 0: five minutes */
	/* The session's to set: the labels of a process's service, borrowed until the next call; NULL: it is not wanted. */
	const char *(*labels_of)(void *ctx, uint32_t tgid, uint64_t cgroup_id);
	/* The same: the route of a request whose samples may say none. NULL: nobody takes samples. */
	void (*on_route)(void *ctx, const struct ev_request *ev, uint32_t route);
	uint64_t (*known_ns)(void *ctx); /* it knows of all that processes did until then */
	void *labels_ctx; /* of the three */
	/* A request that becomes a span. NULL: none do. */
	void (*on_span)(void *ctx, const struct ev_request *ev, const char *labels, const char *route);
	void *ctx;
};

/* Errors as of tracer_new() and routes_new(), or of the routes' file: err says it. */
int tracing_new(const struct tracing_opts *opts, struct tracing **ret, char *err, size_t err_len);
struct tracing *tracing_free(struct tracing *t);

struct tracer *tracing_tracer(struct tracing *t);
/* Judges a process before its first request: its threads' work is known from that one on. */
void tracing_know(struct tracing *t, uint32_t tgid);
/* Works on what waits. 0 or negative errno. */
int tracing_poll(struct tracing *t);
/* Reads all counts: what tracing_series() says is true from here on. About once a second, and before it is asked. */
int tracing_count(struct tracing *t);
/* What was counted so far is left out: of a recording, whose samples begin here. 0 or negative errno. */
int tracing_clear(struct tracing *t);
const struct red_series *tracing_series(const struct tracing *t, uint32_t *ret_n);
/* CPU time of a service's processes by whose request it was, by samples; zero of one that is not known. */
void tracing_joined(const struct tracing *t, uint32_t service, uint64_t ret[EV_JOIN_MAX]);
/* The same of all services. */
void tracing_joined_all(const struct tracing *t, uint64_t ret[EV_JOIN_MAX]);
/* Requests that are in no series: there was no room for another one. */
uint64_t tracing_lost(const struct tracing *t);
/* Requests that were told before it was known whose they are, and for which there was no room until then: like those that the ring lost. */
uint64_t tracing_not_held(const struct tracing *t);
/* Why what was learned could not be written to routes_file: negative errno; 0: it is there. */
int tracing_routes_error(const struct tracing *t);
/* Of a series; of one of red_series() never NULL. */
const char *tracing_labels(const struct tracing *t, uint32_t service);
const char *tracing_route(const struct tracing *t, uint32_t route);
