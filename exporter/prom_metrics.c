/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/prom_metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strmap.h"
#include "exporter/metric.h"
#include "exporter/prom_name.h"
#include "exporter/prometheus.h"

/* One family on its way out. */
struct page {
	const struct metric_set *set;
	struct buf *out;
	struct buf name;   /* of the family, with a NUL */
	struct buf labels; /* of the series at hand, without braces, with a NUL */
	struct buf bounds; /* the texts of a histogram's, each with a NUL */
};

static const char *text_of(const struct buf *b)
{
	return buf_error(b) ? "" : (const char *)b->data;
}

/* ---- labels ---- */

static void put_value(struct buf *b, const struct attribute *a)
{
	switch (a->type) {
	case ATTRIBUTE_TEXT:
		prom_escape(b, a->text);
		break;
	case ATTRIBUTE_INT:
		buf_printf(b, "%" PRId64, a->number);
		break;
	case ATTRIBUTE_DOUBLE:
		prom_number(b, a->real);
		break;
	case ATTRIBUTE_BOOL:
		buf_puts(b, a->truth ? "true" : "false");
		break;
	}
}

static void put_label(struct buf *b, const struct attribute *a)
{
	if (b->len)
		buf_putc(b, ',');
	prom_label_name(b, a->key);
	buf_puts(b, "=\"");
	put_value(b, a);
	buf_putc(b, '"');
}

static void put_text_label(struct buf *b, const char *key, const char *text)
{
	if (text)
		put_label(b, &(struct attribute){ .key = slice_of(key), .type = ATTRIBUTE_TEXT, .text = slice_of(text) });
}

/* Who it is to Prometheus. */
static void put_job(struct buf *b, const struct strmap *resource)
{
	const char *space = strmap_get(resource, "service.namespace"),
		   *name = strmap_get(resource, "service.name");

	buf_puts(b, "job=\"");
	if (space && *space) {
		prom_escape(b, slice_of(space));
		buf_putc(b, '/');
	}
	prom_escape(b, slice_of(name ? name : "unknown_service"));
	buf_putc(b, '"');
	put_text_label(b, "instance", strmap_get(resource, "service.instance.id"));
}

static bool is_taken(struct slice key, const char *const *taken, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (prom_labels_clash(key, slice_of(taken[i])))
			return true;
	return false;
}

static const char *const of_every_series[] = { "job", "instance", "le", "service_name",
					       "service_namespace" };

static bool repeats(const struct metric_point *p, uint32_t i)
{
	for (uint32_t j = 0; j < i; j++)
		if (prom_labels_clash(p->attributes[j].key, p->attributes[i].key))
			return true;
	return is_taken(p->attributes[i].key, of_every_series, ARRAY_SIZE(of_every_series));
}

static void make_labels(struct page *g, const struct metric_point *p)
{
	const struct strmap *resource = &g->set->resources[p->resource];
	struct buf *b = &g->labels;

	buf_reset(b);
	put_job(b, resource);
	put_text_label(b, "service_name", strmap_get(resource, "service.name"));
	put_text_label(b, "service_namespace", strmap_get(resource, "service.namespace"));
	for (uint32_t i = 0; i < p->n_attributes; i++)
		if (!repeats(p, i))
			put_label(b, &p->attributes[i]);
	buf_putc(b, '\0');
}

/* ---- families ---- */

/* `more`: a label of this line alone, or "". */
static void begin_line(struct page *g, const char *suffix, const char *more)
{
	buf_printf(g->out, "%s%s{%s%s%s%s} ", text_of(&g->name), suffix, text_of(&g->labels),
		   *more ? ",le=\"" : "", more, *more ? "\"" : "");
}

static void put_count(struct page *g, const char *suffix, const char *more, uint64_t n)
{
	begin_line(g, suffix, more);
	buf_printf(g->out, "%" PRIu64 "\n", n);
}

static void put_histogram(struct page *g, const struct metric_family *f,
			  const struct metric_point *p)
{
	const char *bound = text_of(&g->bounds);
	uint64_t n = 0;

	for (uint32_t i = 0; i < f->n_bounds; i++) {
		n += p->histogram.counts[i];
		put_count(g, "_bucket", bound, n);
		bound += strlen(bound) + 1;
	}
	n += p->histogram.counts[f->n_bounds];
	put_count(g, "_bucket", "+Inf", n);
	begin_line(g, "_sum", "");
	prom_number(g->out, p->histogram.sum);
	buf_putc(g->out, '\n');
	put_count(g, "_count", "", n);
}

static void put_number(struct page *g, const struct metric_family *f, const struct metric_point *p)
{
	begin_line(g, "", "");
	if (f->whole)
		buf_printf(g->out, "%" PRId64, p->number);
	else
		prom_number(g->out, p->real);
	buf_putc(g->out, '\n');
}

static enum prom_type type_of(enum metric_kind kind)
{
	return kind == METRIC_COUNTER     ? PROM_COUNTER
	       : kind == METRIC_HISTOGRAM ? PROM_HISTOGRAM
					  : PROM_GAUGE;
}

static void make_bounds(struct page *g, const struct metric_family *f)
{
	buf_reset(&g->bounds);
	for (uint32_t i = 0; i < f->n_bounds; i++) {
		prom_number(&g->bounds, f->bounds[i]);
		buf_putc(&g->bounds, '\0');
	}
}

static void put_family(struct page *g, const struct metric_family *f)
{
	buf_reset(&g->name);
	prom_metric_name(&g->name, f);
	buf_putc(&g->name, '\0');
	make_bounds(g, f);
	if (buf_error(&g->name) || buf_error(&g->bounds)) {
		g->out->error = -ENOMEM;
		return;
	}
	if (f->n_points)
		prom_family(g->out, text_of(&g->name), type_of(f->kind), f->help);
	for (uint32_t i = 0; i < f->n_points; i++) {
		make_labels(g, &f->points[i]);
		if (f->kind == METRIC_HISTOGRAM)
			put_histogram(g, f, &f->points[i]);
		else
			put_number(g, f, &f->points[i]);
		if (buf_error(&g->labels))
			g->out->error = -ENOMEM;
	}
}

/* What a resource is beside job and instance. */
static void put_target_info(struct page *g, const struct strmap *resource)
{
	static const char *const taken[] = { "job", "instance" };

	buf_reset(&g->labels);
	put_job(&g->labels, resource);
	for (uint32_t i = 0; i < resource->v.n; i++) {
		const struct strmap_entry *e = &resource->v.v[i];
		bool repeated = is_taken(slice_of(e->key), taken, ARRAY_SIZE(taken));

		for (uint32_t j = 0; j < i && !repeated; j++)
			repeated = prom_labels_clash(slice_of(e->key), slice_of(resource->v.v[j].key));
		if (!repeated && strcmp(e->key, "service.instance.id"))
			put_text_label(&g->labels, e->key, e->value);
	}
	buf_putc(&g->labels, '\0');
	if (buf_error(&g->labels))
		g->out->error = -ENOMEM;
	begin_line(g, "", "");
	buf_puts(g->out, "1\n");
}

static void put_targets(struct page *g)
{
	buf_reset(&g->name);
	buf_append(&g->name, "target_info", sizeof("target_info"));
	if (buf_error(&g->name))
		g->out->error = -ENOMEM;
	prom_family(g->out, "target_info", PROM_GAUGE, "What is known of each service.");
	for (uint32_t i = 0; i < g->set->n_resources; i++)
		put_target_info(g, &g->set->resources[i]);
}

void prom_metrics(const struct metric_set *set, struct buf *out)
{
	struct page g = { .set = set, .out = out };

	for (uint32_t i = 0; i < set->n_families; i++)
		put_family(&g, &set->families[i]);
	if (set->n_resources)
		put_targets(&g);
	buf_fini(&g.name);
	buf_fini(&g.labels);
	buf_fini(&g.bounds);
}
