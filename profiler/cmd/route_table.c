/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/route_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strmap.h"
#include "base/units.h"
#include "collect/window.h"
#include "pprof/profile.h"
#include "proc/labels.h"
#include "trace/red.h"
#include "trace/tracing.h"

/* ---- CPU time ---- */

int route_cpu_count(struct route_cpu *c, const char *service, uint64_t cpu_ns, bool in_request)
{
	struct route_cpu_service *s;
	bool is_new;
	uint32_t id;

	if (vec_reserve(&c->services, 1) < 0)
		return -ENOMEM;
	id = strpool_intern(&c->names, service, strlen(service) + 1, &is_new);
	if (!id)
		return -ENOMEM;
	s = is_new ? vec_push(&c->services) : &c->services.v[id - 1];
	s->cpu_ns += cpu_ns;
	s->request_ns += in_request ? cpu_ns : 0;
	c->cpu_ns += cpu_ns;
	return 0;
}

/* "unknown" where the rules of a target leave it without a name. */
static int name_service(const char *target, struct strmap *labels, const char **ret)
{
	strmap_fini(labels);
	if (labels_parse(target, labels) < 0)
		return -ENOMEM;
	*ret = strmap_get(labels, "service_name");
	*ret = *ret ? *ret : "unknown";
	return 0;
}

int route_cpu_add(struct route_cpu *c, const struct window *w)
{
	_cleanup_(strmap_fini) struct strmap labels = { 0 };
	int r = 0;

	for (uint32_t i = 0; i < w->rows.n && r >= 0; i++) {
		const struct window_labels *l = &w->labels.v[w->rows.v[i].labels];
		const char *service;

		r = name_service(strpool_str(&w->strings, l->target), &labels, &service);
		if (r >= 0)
			r = route_cpu_count(c, service, w->rows.v[i].cpu_ns, l->method);
	}
	return r;
}

void route_cpu_fini(struct route_cpu *c)
{
	strpool_fini(&c->names);
	vec_fini(&c->services);
}

/* ---- rows ---- */

int route_table_add(struct route_table *t, const char *service, const char *route, const struct red_series *s)
{
	struct route_row *row;

	/* What was counted as unknown, and has all been moved, is nothing. */
	if (s->key.side != TRACE_SERVER || !s->count)
		return 0;
	row = vec_push(&t->rows);
	if (!row)
		return -ENOMEM;
	*row = (struct route_row){ .service = strpool_add(&t->strings, service), .route = strpool_add(&t->strings, route),
				   .method = s->key.method, .status = (uint8_t)(s->key.status / 100), .requests = s->count,
				   .duration_ns = s->duration_ns, .cpu_ns = s->cpu_ns, .route_requests = s->count };
	row->route_errors = s->key.status == TRACE_STATUS_NONE || s->key.status >= 500 ? s->count : 0;
	memcpy(row->durations, s->durations, sizeof(row->durations));
	t->requests += s->count;
	return strpool_error(&t->strings);
}

static int compare_route(const struct route_row *x, const struct route_row *y)
{
	if (x->service != y->service)
		return x->service < y->service ? -1 : 1;
	if (x->route != y->route)
		return x->route < y->route ? -1 : 1;
	return (int)x->method - y->method;
}

static int by_route(const void *a, const void *b)
{
	const struct route_row *x = a, *y = b;
	int r = compare_route(x, y);

	return r ? r : (int)x->status - y->status;
}

static void join(struct route_row *to, const struct route_row *from)
{
	to->requests += from->requests;
	to->duration_ns += from->duration_ns;
	to->cpu_ns += from->cpu_ns;
	to->route_requests += from->route_requests;
	to->route_errors += from->route_errors;
	for (int i = 0; i < TRACE_DURATIONS; i++)
		to->durations[i] += from->durations[i];
}

/* Of statuses of a class, and of label sets of a service, there is a row each so far. */
static void join_equal(struct route_table *t)
{
	uint32_t kept = 0;

	qsort(t->rows.v, t->rows.n, sizeof(*t->rows.v), by_route);
	for (uint32_t i = 0; i < t->rows.n; i++)
		if (kept && !by_route(&t->rows.v[kept - 1], &t->rows.v[i]))
			join(&t->rows.v[kept - 1], &t->rows.v[i]);
		else
			t->rows.v[kept++] = t->rows.v[i];
	t->rows.n = kept;
}

/* Rows of a route stand beside each other. */
static void sum_routes(struct route_table *t)
{
	for (uint32_t i = 0, end; i < t->rows.n; i = end) {
		uint64_t requests = 0, errors = 0;

		for (end = i; end < t->rows.n && !compare_route(&t->rows.v[i], &t->rows.v[end]); end++) {
			requests += t->rows.v[end].route_requests;
			errors += t->rows.v[end].route_errors;
		}
		for (uint32_t k = i; k < end; k++) {
			t->rows.v[k].route_requests = requests;
			t->rows.v[k].route_errors = errors;
			t->rows.v[k].first = k == i;
		}
	}
}

static int add_rest(struct route_table *t, uint32_t service, enum route_kind kind, uint64_t cpu_ns, uint64_t whole_ns)
{
	struct route_row *row = vec_push(&t->rows);

	if (row)
		*row = (struct route_row){ .service = service, .kind = (uint8_t)kind, .cpu_ns = cpu_ns,
					   .share = whole_ns ? 100 * (double)cpu_ns / (double)whole_ns : 0 };
	return row ? 0 : -ENOMEM;
}

static uint64_t above(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* Of the service whose rows are [first, end). */
static int end_service(struct route_table *t, uint32_t first, uint32_t end, const struct route_cpu_service *cpu)
{
	uint32_t service = t->rows.v[first].service;
	uint64_t served_ns = 0, open_ns, rest_ns, whole_ns;
	int r = 0;

	for (uint32_t i = first; i < end; i++)
		served_ns += t->rows.v[i].cpu_ns;
	open_ns = above(cpu->request_ns, served_ns);
	rest_ns = above(cpu->cpu_ns, served_ns + open_ns);
	whole_ns = served_ns + open_ns + rest_ns;
	for (uint32_t i = first; i < end && whole_ns; i++)
		t->rows.v[i].share = 100 * (double)t->rows.v[i].cpu_ns / (double)whole_ns;
	t->cpu_ns += whole_ns;
	t->other_ns -= cpu->cpu_ns;
	if (open_ns)
		r = add_rest(t, service, ROUTE_OPEN, open_ns, whole_ns);
	return r < 0 ? r : add_rest(t, service, ROUTE_UNATTRIBUTED, rest_ns, whole_ns);
}

static const struct route_cpu_service *cpu_of(const struct route_cpu *c, const char *service)
{
	static const struct route_cpu_service none;

	for (uint32_t i = 0; i < c->services.n; i++)
		if (!strcmp(strpool_str(&c->names, i + 1), service))
			return &c->services.v[i];
	return &none;
}

static int by_cpu(const void *a, const void *b)
{
	const struct route_row *x = a, *y = b;

	if (x->cpu_ns != y->cpu_ns)
		return x->cpu_ns < y->cpu_ns ? 1 : -1;
	return x->requests < y->requests ? 1 : -(x->requests > y->requests);
}

int route_table_end(struct route_table *t, const struct route_cpu *cpu)
{
	uint32_t n;
	int r = 0;

	join_equal(t);
	sum_routes(t);
	n = t->rows.n; /* what comes behind is of services that are done */
	t->other_ns = cpu->cpu_ns;
	for (uint32_t i = 0, end; i < n && r >= 0; i = end) {
		for (end = i; end < n && t->rows.v[end].service == t->rows.v[i].service; end++)
			;
		r = end_service(t, i, end, cpu_of(cpu, strpool_str(&t->strings, t->rows.v[i].service)));
	}
	qsort(t->rows.v, t->rows.n, sizeof(*t->rows.v), by_cpu);
	return r;
}

int route_table_build(struct route_table *t, const struct tracing *from, const struct route_cpu *cpu)
{
	_cleanup_(strmap_fini) struct strmap labels = { 0 };
	const char *service;
	uint32_t n;
	const struct red_series *s = tracing_series(from, &n);
	int r = 0;

	for (uint32_t i = 0; i < n && r >= 0; i++) {
		r = name_service(tracing_labels(from, s[i].key.service), &labels, &service);
		if (r >= 0)
			r = route_table_add(t, service, tracing_route(from, s[i].key.route), &s[i]);
	}
	return r < 0 ? r : route_table_end(t, cpu);
}

int route_table_tell(const struct route_table *t, struct profile *p)
{
	vec_foreach(row, &t->rows)
		if (row->first)
			profile_add_route(p, strpool_str(&t->strings, row->service), tracer_method(row->method),
					  strpool_str(&t->strings, row->route), (int64_t)row->route_requests);
	return profile_error(p);
}

void route_table_fini(struct route_table *t)
{
	strpool_fini(&t->strings);
	vec_fini(&t->rows);
}

uint64_t route_row_at_most(const struct route_row *row, uint32_t percent)
{
	static const uint32_t bounds[] = RED_DURATION_BOUNDS_US;
	uint64_t seen = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
		seen += row->durations[i];
		if (seen * 100 >= row->requests * percent)
			return bounds[i] * NSEC_PER_USEC;
	}
	return UINT64_MAX;
}
