/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * push_otlp - the profiles of one window as requests of OTLP, each in every layout and form that a receiver wants.
 *
 * A request holds as many profiles as servers take at once; one for which there is no room left goes on in the next. A
 * stack that is larger than a request is dropped and counted. Threads: the worker's.
 */
#include <stdint.h>

struct net;
struct profile;
struct push_otlp;
struct strmap;

/* Each form counts by itself. */
struct push_otlp_stats {
	uint64_t profiles, bytes; /* in requests; bytes: of those */
	uint64_t splits;          /* profiles that went on in another request */
	uint64_t too_large;       /* samples of stacks that no request holds */
};

/* formats: as net_formats() says. NULL in *ret: nobody wants OTLP. time_ns: UTC start of the window. 0 or -ENOMEM. */
int push_otlp_new(struct net *net, uint32_t formats, uint64_t time_ns, struct push_otlp **ret);
struct push_otlp *push_otlp_free(struct push_otlp *o);
static inline void push_otlp_freep(struct push_otlp **o)
{
	push_otlp_free(*o);
}

/* labels: of the series, as Pyroscope has them. 0 or -ENOMEM. */
int push_otlp_add(struct push_otlp *o, const struct strmap *labels, const struct profile *p);
/* Sends what is left. 0 or -ENOMEM. */
int push_otlp_finish(struct push_otlp *o, struct push_otlp_stats *ret);
