/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoding a window of real stacks and sending it, a profile for each service, until the receiver has said that it has them all: what the
 * agent does at the end of an interval once frames have names. Receivers are where $HOTSPAN_BENCH_PYROSCOPE, _OTLP_HTTP and _OTLP_GRPC say
 * (encode.py starts them); the queue, the network thread and libcurl are part of what is measured, on connections that are there already.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "agent/push_otlp.h"
#include "agent/resource.h"
#include "base/cleanup.h"
#include "base/gzip.h"
#include "base/strmap.h"
#include "base/units.h"
#include "bench.h"
#include "exporter/net.h"
#include "exporter/parcel.h"
#include "exporter/pyroscope.h"
#include "pprof/encode.h"
#include "pprof/otlp.h"
#include "pprof/profile.h"
#include "window_file.h"

typedef int send_fn(struct net *net, const struct window_services *services);

static int labels_of(const struct window_service *s, struct strmap *ret)
{
	int r = strmap_set(ret, "__name__", "process_cpu");

	if (r >= 0)
		r = strmap_set(ret, "instance", "bench");
	return r < 0 ? r : strmap_set(ret, "service_name", s->name);
}

/* As agent/push.c does. */
static int push_service(struct net *net, const struct window_service *s)
{
	_cleanup_(buf_fini) struct buf pprof = BUF_INIT, gz = BUF_INIT, request = BUF_INIT;
	_cleanup_(strmap_fini) struct strmap labels = { 0 };
	struct parcel *parcel;
	int r = pprof_encode(s->p, &pprof);

	if (r >= 0)
		r = gzip_compress(pprof.data, pprof.len, 1, &gz);
	if (r >= 0)
		r = labels_of(s, &labels);
	if (r >= 0)
		r = pyroscope_push_encode(&labels, gz.data, gz.len, "0bd64d46-9a2c-4d2f-8f6e-5a3c1b2d4e6f", &request);
	if (r < 0)
		return r;
	parcel = parcel_new(&request, PARCEL_FORMAT_PYROSCOPE);
	if (!parcel)
		return -ENOMEM;
	parcel->time_ns = time_utc_ns();
	r = net_send(net, parcel);
	parcel_unref(parcel);
	return r;
}

static int push_pyroscope(struct net *net, const struct window_services *services)
{
	int r = 0;

	for (uint32_t i = 0; i < services->v.n && r >= 0; i++)
		r = push_service(net, &services->v.v[i]);
	return r;
}

static int push_otlp(struct net *net, const struct window_services *services)
{
	_cleanup_(push_otlp_freep) struct push_otlp *o = NULL;
	struct push_otlp_stats stats;
	int r = push_otlp_new(net, net_formats(net, PARCEL_PROFILES), time_utc_ns(), &o);

	for (uint32_t i = 0; i < services->v.n && r >= 0; i++) {
		_cleanup_(strmap_fini) struct strmap labels = { 0 };

		r = labels_of(&services->v.v[i], &labels);
		if (r >= 0)
			r = push_otlp_add(o, &labels, services->v.v[i].p);
	}
	return r < 0 ? r : push_otlp_finish(o, &stats);
}

static struct net *connect_to(const char *url, const char *type, const char *protocol)
{
	struct receiver_opts to = { .name = "bench",
				    .type = (char *)type,
				    .send = 1u << PARCEL_PROFILES,
				    .protocol = (char *)protocol,
				    .compression = "gzip",
				    .url = (char *)url,
				    .timeout_ns = 30 * NSEC_PER_SEC,
				    .queue_bytes = 64 * MIB,
				    .max_tries = 4 };
	struct net *net;
	char err[256];

	if (net_new(&(struct net_opts){ .user_agent = "hotspan/bench" }, &net) < 0 || net_set_receivers(net, &to, 1, err, sizeof(err)) < 0)
		abort();
	return net;
}

static void send_window(struct net *net, const struct window_services *services, send_fn *push)
{
	if (push(net, services) < 0 || net_flush(net, 60 * NSEC_PER_SEC) < 0)
		abort();
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* A bench of what did not arrive, or not at once, would be a lie. */
static struct net_receiver_stats all_delivered(struct net *net)
{
	struct net_receiver_stats s;

	if (net_stats(net, &s, 1) != 1)
		abort();
	for (int i = 0; i < RETRY_CAUSES; i++)
		if (s.failed_tries[i])
			abort();
	for (int i = 0; i < NET_DROPS; i++)
		if (s.dropped[i])
			abort();
	if (s.signals[PARCEL_PROFILES].rejected)
		abort();
	return s;
}

static void measure(struct bench *b, const char *receiver, const char *type, const char *protocol, send_fn *push)
{
	const char *url = getenv(receiver);
	struct net_receiver_stats before, after;
	struct window_services services;
	struct net *net;
	uint64_t cpu;

	window_file_services(&services);
	if (!url || !services.v.n)
		return;
	b->units = services.stacks;
	net = connect_to(url, type, protocol);
	send_window(net, &services, push);
	before = all_delivered(net);
	cpu = cpu_ns();
	BENCH_LOOP(b)
		send_window(net, &services, push);
	cpu = cpu_ns() - cpu;
	after = all_delivered(net);
	bench_metric(b, "cpu_ns", (double)cpu / (double)b->rounds / (double)b->units);
	bench_metric(b, "services", services.v.n);
	bench_metric(b, "stacks", (double)services.stacks);
	bench_metric(b, "bytes_per_sample", (double)(after.delivered_bytes - before.delivered_bytes) / (double)b->rounds / (double)services.samples);
	net_free(net);
	window_services_fini(&services);
}

/* The request of OTLP, plain, for the peer that sends the same: $HOTSPAN_BENCH_OTLP_FILE. */
static void keep_request(const char *path)
{
	_cleanup_(buf_fini) struct buf request = BUF_INIT;
	_cleanup_(fclosep) FILE *f = fopen(path, "we");
	struct window_services services;
	struct otlp *o;

	window_file_services(&services);
	if (!f || otlp_new(OTLP_1_10, "hotspan", "", &o) < 0)
		abort();
	vec_foreach(s, &services.v)
	{
		_cleanup_(strmap_fini) struct strmap labels = { 0 }, resource = { 0 };
		uint32_t n;

		if (labels_of(s, &labels) < 0 || resource_of(&labels, &resource) < 0 || otlp_add(o, &resource, s->p, 0, SIZE_MAX, &n) < 0)
			abort();
	}
	if (otlp_finish(o, &request) < 0 || fwrite(request.data, 1, request.len, f) != request.len)
		abort();
	otlp_free(o);
	window_services_fini(&services);
}

BENCH(send_pyroscope, "stack", 1)
{
	measure(b, "HOTSPAN_BENCH_PYROSCOPE", "pyroscope", NULL, push_pyroscope);
}

BENCH(send_otlp_http_gzip, "stack", 1)
{
	const char *path = getenv("HOTSPAN_BENCH_OTLP_FILE");

	if (path)
		keep_request(path);
	measure(b, "HOTSPAN_BENCH_OTLP_HTTP", "otlp", "http/protobuf", push_otlp);
}

BENCH(send_otlp_grpc_gzip, "stack", 1)
{
	measure(b, "HOTSPAN_BENCH_OTLP_GRPC", "otlp", "grpc", push_otlp);
}
