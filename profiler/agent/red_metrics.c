/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/red_metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/resource.h"
#include "base/cleanup.h"
#include "base/strmap.h"
#include "base/units.h"
#include "base/vec.h"
#include "exporter/metric.h"
#include "trace/tracing.h"

enum { MAX_ATTRIBUTES = 6, FAMILIES = 7, ALL_FAMILIES };

/* What one family says of a series. */
struct shape {
	const char *names[RED_NAMES], *help, *unit; /* name NULL: there is none of it */
	enum trace_side side;
	enum { DURATION, REQUEST_SIZE, RESPONSE_SIZE, CPU } what;
};

static const struct shape shapes[FAMILIES] = {
	{ { "http.server.request.duration", "http.server.duration" }, "Duration of HTTP server requests.", "s", TRACE_SERVER, DURATION },
	{ { "http.client.request.duration", "http.client.duration" }, "Duration of HTTP client requests.", "s", TRACE_CLIENT, DURATION },
	{ { "http.server.request.body.size", "http.server.request.size" }, "Size of HTTP server request bodies.", "By", TRACE_SERVER, REQUEST_SIZE },
	{ { "http.server.response.body.size", NULL }, "Size of HTTP server response bodies.", "By", TRACE_SERVER, RESPONSE_SIZE },
	{ { "http.client.request.body.size", "http.client.request.size" }, "Size of HTTP client request bodies.", "By", TRACE_CLIENT, REQUEST_SIZE },
	{ { "http.client.response.body.size", NULL }, "Size of HTTP client response bodies.", "By", TRACE_CLIENT, RESPONSE_SIZE },
	{ { "hotspan.http.server.cpu.time", "hotspan.http.server.cpu.time" }, "CPU time of HTTP server requests, from their head read to their last byte written by the same thread.", "s", TRACE_SERVER, CPU },
};

/* A series, and what all families say of it. */
struct row {
	const struct red_series *series;
	uint32_t resource;
	uint32_t n_attributes;
	struct attribute attributes[MAX_ATTRIBUTES];
	char error[RED_ERROR_BYTES];
};

struct service {
	uint32_t number;
	bool serves;
	uint64_t start_ns; /* of its first series */
};

static const struct attribute reasons[] = {
#define JOIN(id, name, help) [EV_JOIN_##id] = { .key = SLICE("reason"), .type = ATTRIBUTE_TEXT, .text = SLICE(name) },
#include "bpf/drops.def"
#undef JOIN
};

struct red_metrics {
	vec(struct row) rows; /* by resource */
	vec(struct strmap) resources;
	vec(struct service) services; /* of each resource; the first is the agent's own, of none */
	vec(struct metric_point) points;
	struct metric_family families[ALL_FAMILIES];
	uint64_t utc_at_boot_ns;
};

int red_metrics_new(struct red_metrics **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

static void forget_resources(struct red_metrics *m)
{
	vec_foreach(r, &m->resources)
		strmap_fini(r);
	m->resources.n = m->services.n = 0;
}

struct red_metrics *red_metrics_free(struct red_metrics *m)
{
	if (!m)
		return NULL;
	forget_resources(m);
	vec_fini(&m->rows);
	vec_fini(&m->resources);
	vec_fini(&m->services);
	vec_fini(&m->points);
	free(m);
	return NULL;
}

static int add_resource(struct red_metrics *m, struct tracing *t, uint32_t service, const struct strmap *labels)
{
	struct strmap *resource = vec_push(&m->resources);
	struct service *slot = vec_push(&m->services);
	int r = resource && slot ? resource_of_target(tracing_labels(t, service), labels, resource) : -ENOMEM;

	if (r >= 0)
		*slot = (struct service){ .number = service };
	return r;
}

/* Index; negative errno. */
static int resource_of_service(struct red_metrics *m, struct tracing *t, uint32_t service, const struct strmap *labels)
{
	int r;

	for (uint32_t i = 1; i < m->services.n; i++)
		if (m->services.v[i].number == service)
			return (int)i;
	r = add_resource(m, t, service, labels);
	return r < 0 ? r : (int)m->services.n - 1;
}

static void add_text(struct row *row, const char *key, const char *text)
{
	row->attributes[row->n_attributes++] = (struct attribute){ .key = slice_of(key), .type = ATTRIBUTE_TEXT, .text = slice_of(text) };
}

/* What Beyla did not have yet follows from the side and the status: without it no two series become one. */
static void describe(struct row *row, struct tracing *t, enum red_names names)
{
	static const struct {
		const char *method, *status;
	} keys[RED_NAMES] = {
		[RED_NAMES_STABLE] = { "http.request.method", "http.response.status_code" },
		[RED_NAMES_BEYLA] = { "http.method", "http.status_code" },
	};
	const struct red_series_key *k = &row->series->key;
	const char *route = k->route ? tracing_route(t, k->route) : "", *error = red_error(k->side, k->status, row->error);

	add_text(row, keys[names].method, tracer_method(k->method));
	if (k->status != TRACE_STATUS_NONE)
		row->attributes[row->n_attributes++] = (struct attribute){ .key = slice_of(keys[names].status), .type = ATTRIBUTE_INT, .number = k->status };
	if (*route)
		add_text(row, "http.route", route);
	if (names != RED_NAMES_STABLE)
		return;
	add_text(row, "url.scheme", "http");
	if (error)
		add_text(row, "error.type", error);
}

static int by_resource(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->resource < y->resource ? -1 : x->resource > y->resource;
}

static void add_series(struct service *s, const struct red_series *series)
{
	if (!s->start_ns || series->start_ns < s->start_ns)
		s->start_ns = series->start_ns;
	s->serves |= series->key.side == TRACE_SERVER;
}

static int add_rows(struct red_metrics *m, struct tracing *t, const struct strmap *labels, enum red_names names)
{
	uint32_t n;
	const struct red_series *series = tracing_series(t, &n);

	if (vec_reserve(&m->rows, n + 1u) < 0) /* with none there is something to point at, too */
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		int resource = resource_of_service(m, t, series[i].key.service, labels);

		if (resource < 0)
			return resource;
		add_series(&m->services.v[resource], &series[i]);
		/* What was counted as unknown, and has all been moved, is nothing. */
		if (series[i].count)
			*(struct row *)vec_push(&m->rows) = (struct row){ .series = &series[i], .resource = (uint32_t)resource };
	}
	qsort(m->rows.v, m->rows.n, sizeof(*m->rows.v), by_resource);
	vec_foreach(row, &m->rows)
		describe(row, t, names);
	return 0;
}

static void fill_point(const struct shape *shape, const struct row *row, uint64_t utc_at_boot_ns, struct metric_point *p)
{
	const struct red_series *s = row->series;

	*p = (struct metric_point){ .resource = row->resource, .n_attributes = row->n_attributes, .attributes = row->attributes,
				    .start_ns = s->start_ns + utc_at_boot_ns };
	switch (shape->what) {
	case DURATION:
		p->histogram.counts = s->durations;
		p->histogram.sum = (double)s->duration_ns / 1e9;
		break;
	case REQUEST_SIZE:
		p->histogram.counts = s->request_sizes;
		p->histogram.sum = (double)s->request_bytes;
		break;
	case RESPONSE_SIZE:
		p->histogram.counts = s->response_sizes;
		p->histogram.sum = (double)s->response_bytes;
		break;
	case CPU:
		p->real = (double)s->cpu_ns / 1e9;
		break;
	}
}

static void begin_family(const struct shape *shape, const char *name, struct metric_family *f)
{
	*f = (struct metric_family){ .name = name, .help = shape->help, .unit = shape->unit,
				     .kind = shape->what == CPU ? METRIC_COUNTER : METRIC_HISTOGRAM };
	if (shape->what == DURATION) {
		f->bounds = metric_seconds_bounds;
		f->n_bounds = METRIC_SECONDS_BOUNDS;
	} else if (shape->what != CPU) {
		f->bounds = metric_bytes_bounds;
		f->n_bounds = METRIC_BYTES_BOUNDS;
	}
}

/* There is room for all points. */
static uint32_t add_family(struct red_metrics *m, const struct shape *shape, enum red_names names, struct metric_family *f)
{
	uint32_t first = m->points.n;

	if (!shape->names[names])
		return 0;
	begin_family(shape, shape->names[names], f);
	vec_foreach(row, &m->rows)
		if (row->series->key.side == shape->side)
			fill_point(shape, row, m->utc_at_boot_ns, vec_push(&m->points));
	f->points = m->points.v + first;
	f->n_points = m->points.n - first;
	return f->n_points > 0;
}

/* What is none of a service's requests'. There is room for all points. */
static uint32_t add_beside(struct red_metrics *m, struct tracing *t, struct metric_family *f)
{
	uint32_t first = m->points.n;

	*f = (struct metric_family){ .name = "hotspan.http.server.cpu.unattributed", .unit = "s", .kind = METRIC_COUNTER,
				     .help = "CPU time of processes that serve HTTP which is no request's, by samples, and why." };
	for (uint32_t i = 1; i < m->services.n; i++) {
		const struct service *s = &m->services.v[i];
		uint64_t ns[EV_JOIN_MAX];

		tracing_joined(t, s->number, ns);
		for (uint32_t why = EV_JOIN_REQUEST + 1; why < EV_JOIN_MAX && s->serves; why++)
			*(struct metric_point *)vec_push(&m->points) = (struct metric_point){
				.resource = i, .n_attributes = 1, .attributes = &reasons[why], .start_ns = s->start_ns + m->utc_at_boot_ns, .real = (double)ns[why] / 1e9 };
	}
	f->points = m->points.v + first;
	f->n_points = m->points.n - first;
	return f->n_points > 0;
}

/* When a series began stays what it was said to be, whatever the clocks drift apart: but not when one was set. */
static void follow_clock(struct red_metrics *m, uint64_t now_ns)
{
	uint64_t at_boot = now_ns - time_boot_ns(), moved = at_boot - m->utc_at_boot_ns;

	if (moved + NSEC_PER_SEC > 2 * NSEC_PER_SEC)
		m->utc_at_boot_ns = at_boot;
}

int red_metrics_fill(struct red_metrics *m, struct tracing *t, const struct strmap *self, const struct strmap *labels, enum red_names names,
		     struct metric_set *ret)
{
	uint64_t now = time_utc_ns();
	struct strmap *first;
	int r;

	follow_clock(m, now);
	forget_resources(m);
	m->rows.n = m->points.n = 0;
	first = vec_push(&m->resources);
	if (!first || !vec_push(&m->services))
		return -ENOMEM;
	r = strmap_copy(self, first);
	if (r >= 0 && t)
		r = tracing_count(t);
	if (r >= 0 && t)
		r = add_rows(m, t, labels, names);
	if (r >= 0)
		r = vec_reserve(&m->points, (size_t)m->rows.n * FAMILIES + (size_t)m->services.n * EV_JOIN_MAX + 1);
	if (r < 0)
		return r;
	*ret = (struct metric_set){ .time_ns = now, .n_resources = m->resources.n, .resources = m->resources.v, .families = m->families };
	for (size_t i = 0; i < FAMILIES; i++)
		ret->n_families += add_family(m, &shapes[i], names, &m->families[ret->n_families]);
	ret->n_families += add_beside(m, t, &m->families[ret->n_families]);
	return 0;
}
