/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * route_table - what each route of each service costs: requests as the kernel counted them, CPU time as it was sampled.
 *
 *	route_cpu        windows -> CPU time of each service, and what of it fell on requests
 *	route_table_add  series (trace/red.h) -> rows by service, route, method and class of status
 *	route_table_end  adds two rows to each service that served: requests that have not ended, and time on no request
 *
 * So the rows of a service add up to its CPU time, with two exceptions that are counted elsewhere: a sample may be lost
 * after it was counted on its request, and a table built while samples are under way is behind by as much.
 * Threads: one at a time. Memory: owns all of it.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/strpool.h"
#include "base/vec.h"
#include "bpf/trace.h"

struct profile;
struct red_series;
struct tracing;
struct window;

struct route_cpu_service {
	uint64_t cpu_ns, request_ns; /* all; of samples that fell on a request */
};

struct route_cpu {
	struct strpool names; /* of services: id - 1 in services */
	vec(struct route_cpu_service) services;
	uint64_t cpu_ns; /* of all */
};

/* A window of samples that have a target (COLLECT_BY_TARGET). 0 or -ENOMEM. */
int route_cpu_add(struct route_cpu *c, const struct window *w);
int route_cpu_count(struct route_cpu *c, const char *service, uint64_t cpu_ns, bool in_request);
void route_cpu_fini(struct route_cpu *c);

enum route_kind {
	ROUTE_SERVED,
	ROUTE_OPEN,         /* CPU time on requests that have not ended */
	ROUTE_UNATTRIBUTED, /* on none, or nobody knows on which */
};

struct route_row {
	uint32_t service, route; /* in strings; route 0: not known yet */
	uint8_t kind;            /* enum route_kind; the others have CPU time and share only */
	uint8_t method;          /* enum http1_method */
	bool first;              /* of the rows of its service, route and method, which differ by status */
	uint8_t status;          /* its first digit; 0: the connection ended before an answer came */
	uint64_t requests, duration_ns, cpu_ns;
	uint64_t durations[TRACE_DURATIONS];
	uint64_t route_requests, route_errors; /* of its service, route and method, whatever their status; errors: 5xx, or no answer */
	double share;            /* of its service's CPU time, in percent */
};

struct route_table {
	struct strpool strings;
	vec(struct route_row) rows; /* by CPU time, the largest first */
	uint64_t requests;
	uint64_t cpu_ns;   /* of services that served a request */
	uint64_t other_ns; /* of all others */
};

/* A series of servers; others are left out. 0 or -ENOMEM. */
int route_table_add(struct route_table *t, const char *service, const char *route, const struct red_series *s);
int route_table_end(struct route_table *t, const struct route_cpu *cpu);
/* All of that. */
int route_table_build(struct route_table *t, const struct tracing *from, const struct route_cpu *cpu);
/* The requests of each route into a profile of services. 0 or -ENOMEM. */
int route_table_tell(const struct route_table *t, struct profile *p);
void route_table_fini(struct route_table *t);

/* The bucket's upper bound, in ns, that so many percent of the row's requests do not exceed. UINT64_MAX: above the last bound. */
uint64_t route_row_at_most(const struct route_row *row, uint32_t percent);
