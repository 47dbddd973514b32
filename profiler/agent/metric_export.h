/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * metric_export - what is measured of services, as requests of OTLP to the receivers that take metrics: each interval, and at
 * the end.
 *
 *	fill() -> struct metric_set -> otlp_metrics -> net_send()
 *
 * What is cumulative is true whenever it is asked for: an interval that was missed is in the next one.
 * Memory: one request's bytes; what waits is the receivers'. Threads: the loop's.
 */
#include <stdint.h>

struct metric_export;
struct metric_set;
struct net;

struct metric_export_opts {
	struct net *net; /* borrowed */
	/* What there is to say now; borrowed until it is asked again. 0 or negative errno. */
	int (*fill)(void *ctx, struct metric_set *ret);
	void *ctx;
};

/* 0 or -ENOMEM. */
int metric_export_new(const struct metric_export_opts *opts, struct metric_export **ret);
struct metric_export *metric_export_free(struct metric_export *m);

/* Sends when the interval is over since it last did, or since it is there. 0; what fill answered; -ENOMEM: it is late, or lost. */
int metric_export_tick(struct metric_export *m, uint64_t interval_ns, uint64_t now_ns);
/* Sends. The same. */
int metric_export_send(struct metric_export *m);
