/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * otlp_send - a request of traces or metrics becomes parcels: one in each encoding that some receiver wants it in.
 *
 *	struct otlp_sender to = { .net = net, .signal = PARCEL_TRACES };
 *	struct otlp_opts opts = { .send = otlp_send, .ctx = &to, ... };    otlp_traces.h, otlp_metrics.h
 *
 * Threads: one a sender.
 */
#include <stdint.h>

#include "exporter/otlp_format.h"

struct buf;
struct net;

struct otlp_sender {
	struct net *net;
	enum parcel_signal signal;
	uint64_t
		time_ns; /* UTC: of what is in it the oldest; how long a parcel is kept counts from there */
	uint64_t requests, items; /* so far; items: spans, data points */
	uint64_t bytes;           /* of the requests, packed: before the copies for each receiver */
};

/* sender: the struct above; an otlp_request_fn. 0, also when nobody wants it, or -ENOMEM. */
int otlp_send(void *sender, const struct buf *request, uint32_t items);
