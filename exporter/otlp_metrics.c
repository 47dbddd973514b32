/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/otlp_metrics.h"

#include <errno.h>
#include <stdlib.h>

#include "base/strmap.h"
#include "base/vec.h"
#include "base/wire.h"
#include "exporter/metric.h"

enum { SCOPE_METRICS_METRICS = 2 };
enum {
	METRIC_NAME = 1,
	METRIC_DESCRIPTION,
	METRIC_UNIT,
	METRIC_OF_GAUGE = 5,
	METRIC_OF_SUM = 7,
	METRIC_OF_HISTOGRAM = 9
};
enum {
	DATA_POINTS = 1,
	DATA_TEMPORALITY,
	DATA_IS_MONOTONIC
}; /* of Gauge, Sum and Histogram, as far as they have it */
enum { NUMBER_START = 2, NUMBER_TIME, NUMBER_DOUBLE, NUMBER_INT = 6, NUMBER_ATTRIBUTES };
enum {
	HISTOGRAM_START = 2,
	HISTOGRAM_TIME,
	HISTOGRAM_COUNT,
	HISTOGRAM_SUM,
	HISTOGRAM_BUCKETS,
	HISTOGRAM_BOUNDS,
	HISTOGRAM_EXEMPLARS,
	HISTOGRAM_ATTRIBUTES
};
enum { EXEMPLAR_TIME = 2, EXEMPLAR_DOUBLE, EXEMPLAR_SPAN_ID, EXEMPLAR_TRACE_ID };
enum { TEMPORALITY_CUMULATIVE = 2 };

struct otlp_metrics {
	struct otlp_envelope envelope;
	vec(uint32_t) next;  /* of each family, the first point not yet written */
	size_t metric, data; /* marks, while a family is open */
	bool is_open;
};

int otlp_metrics_new(const struct otlp_opts *opts, struct otlp_metrics **ret)
{
	struct otlp_metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	otlp_envelope_init(&m->envelope, opts);
	*ret = m;
	return 0;
}

struct otlp_metrics *otlp_metrics_free(struct otlp_metrics *m)
{
	if (!m)
		return NULL;
	otlp_envelope_fini(&m->envelope);
	vec_fini(&m->next);
	free(m);
	return NULL;
}

static uint32_t data_field(enum metric_kind kind)
{
	return kind == METRIC_GAUGE       ? METRIC_OF_GAUGE
	       : kind == METRIC_HISTOGRAM ? METRIC_OF_HISTOGRAM
					  : METRIC_OF_SUM;
}

static void open_family(struct otlp_metrics *m, const struct strmap *resource,
			const struct metric_family *f)
{
	struct buf *b = &m->envelope.out;

	if (!m->envelope.is_open)
		otlp_envelope_open(&m->envelope, resource);
	m->metric = wire_begin(b, SCOPE_METRICS_METRICS);
	wire_utf8(b, METRIC_NAME, f->name);
	wire_utf8(b, METRIC_DESCRIPTION, f->help);
	wire_utf8(b, METRIC_UNIT, f->unit);
	m->data = wire_begin(b, data_field(f->kind));
	m->is_open = true;
}

static void close_family(struct otlp_metrics *m, const struct metric_family *f)
{
	struct buf *b = &m->envelope.out;

	if (!m->is_open)
		return;
	if (f->kind != METRIC_GAUGE)
		wire_uint(b, DATA_TEMPORALITY, TEMPORALITY_CUMULATIVE);
	wire_bool(b, DATA_IS_MONOTONIC, f->kind == METRIC_COUNTER);
	wire_end(b, m->data);
	wire_end(b, m->metric);
	m->is_open = false;
}

static void put_number(struct buf *b, const struct metric_family *f, const struct metric_point *p,
		       uint64_t time_ns)
{
	if (f->kind != METRIC_GAUGE)
		wire_fixed64(b, NUMBER_START, p->start_ns);
	wire_fixed64(b, NUMBER_TIME, time_ns);
	if (f->whole)
		wire_fixed64_present(b, NUMBER_INT, (uint64_t)p->number);
	else
		wire_double_present(b, NUMBER_DOUBLE, p->real);
	otlp_put_attributes(b, NUMBER_ATTRIBUTES, p->attributes, p->n_attributes);
}

static void put_exemplar(struct buf *b, const struct metric_exemplar *x)
{
	size_t mark = wire_begin(b, HISTOGRAM_EXEMPLARS);

	wire_fixed64(b, EXEMPLAR_TIME, x->time_ns);
	wire_double_present(b, EXEMPLAR_DOUBLE, x->value);
	wire_bytes(b, EXEMPLAR_SPAN_ID, x->span_id, sizeof(x->span_id));
	wire_bytes(b, EXEMPLAR_TRACE_ID, x->trace_id, sizeof(x->trace_id));
	wire_end(b, mark);
}

static void put_histogram(struct buf *b, const struct metric_family *f,
			  const struct metric_point *p, uint64_t time_ns)
{
	wire_fixed64(b, HISTOGRAM_START, p->start_ns);
	wire_fixed64(b, HISTOGRAM_TIME, time_ns);
	wire_fixed64(b, HISTOGRAM_COUNT, metric_count(f, p));
	wire_double_present(b, HISTOGRAM_SUM, p->histogram.sum);
	wire_packed_fixed64(b, HISTOGRAM_BUCKETS, p->histogram.counts, f->n_bounds + 1);
	wire_packed_double(b, HISTOGRAM_BOUNDS, f->bounds, f->n_bounds);
	for (uint32_t i = 0; i < p->histogram.n_exemplars; i++)
		put_exemplar(b, &p->histogram.exemplars[i]);
	otlp_put_attributes(b, HISTOGRAM_ATTRIBUTES, p->attributes, p->n_attributes);
}

static int put_point(struct otlp_metrics *m, const struct metric_set *set,
		     const struct metric_family *f, const struct metric_point *p)
{
	struct buf *b = &m->envelope.out;
	size_t mark;

	if (!m->is_open)
		open_family(m, &set->resources[p->resource], f);
	mark = wire_begin(b, DATA_POINTS);
	if (f->kind == METRIC_HISTOGRAM)
		put_histogram(b, f, p, set->time_ns);
	else
		put_number(b, f, p, set->time_ns);
	wire_end(b, mark);
	m->envelope.items++;
	if (!otlp_envelope_is_full(&m->envelope) && !buf_error(b))
		return 0;
	close_family(m, f);
	return otlp_envelope_send(&m->envelope);
}

/* Points of one resource follow each other in each family. */
static int put_resource(struct otlp_metrics *m, const struct metric_set *set, uint32_t resource)
{
	int r = 0;

	for (uint32_t i = 0; i < set->n_families && r >= 0; i++) {
		const struct metric_family *f = &set->families[i];
		uint32_t *next = &m->next.v[i];

		for (; *next < f->n_points && f->points[*next].resource == resource && r >= 0;
		     ++*next)
			r = put_point(m, set, f, &f->points[*next]);
		close_family(m, f);
	}
	otlp_envelope_close(&m->envelope);
	return r;
}

static int begin(struct otlp_metrics *m, const struct metric_set *set)
{
	m->next.n = 0;
	if (vec_reserve(&m->next, set->n_families) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < set->n_families; i++)
		m->next.v[i] = 0;
	return 0;
}

static bool all_written(const struct otlp_metrics *m, const struct metric_set *set)
{
	for (uint32_t i = 0; i < set->n_families; i++)
		if (m->next.v[i] != set->families[i].n_points)
			return false;
	return true;
}

int otlp_metrics_send(struct otlp_metrics *m, const struct metric_set *set)
{
	int r = begin(m, set), sent;

	for (uint32_t i = 0; i < set->n_resources && r >= 0; i++)
		r = put_resource(m, set, i);
	sent = otlp_envelope_send(&m->envelope);
	if (r >= 0)
		r = sent;
	return r < 0 || all_written(m, set) ? r : -EINVAL;
}
