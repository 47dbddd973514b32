/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "cmd/top_cells.h"
#include "pprof/profile.h"

#define DECAY_PER_SECOND 0.875

enum { DEFAULT_CELLS = 8192, MAX_NAME_BYTES = 1024 };

/* What one profile added to a cell, to be taken away again: whole ns, so exact in both directions. */
struct delta {
	uint32_t cell;
	double self_ns, total_ns;
};

struct interval {
	uint64_t duration_ns;
	vec(struct delta) deltas;
};

struct top_model {
	struct top_model_opts opts;
	struct top_cells t;
	vec(uint32_t) touched; /* cells of the profile being added */
	struct interval past[TOP_MAX_INTERVALS];
	uint32_t first, n_past;
	uint64_t n_samples;
	double span_ns;
};

int top_model_new(const struct top_model_opts *opts, struct top_model **ret)
{
	struct top_model *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->opts = *opts;
	m->opts.max_cells = opts->max_cells ? opts->max_cells : DEFAULT_CELLS;
	r = top_cells_init(&m->t);
	if (r < 0)
		free(m);
	else
		*ret = m;
	return r;
}

struct top_model *top_model_free(struct top_model *m)
{
	if (!m)
		return NULL;
	top_cells_fini(&m->t);
	vec_fini(&m->touched);
	for (uint32_t i = 0; i < TOP_MAX_INTERVALS; i++)
		vec_fini(&m->past[i].deltas);
	free(m);
	return NULL;
}

static void forget_oldest(struct top_model *m)
{
	struct interval *old = &m->past[m->first];

	vec_foreach(d, &old->deltas)
	{
		m->t.v.v[d->cell].self_ns -= d->self_ns;
		m->t.v.v[d->cell].total_ns -= d->total_ns;
	}
	m->span_ns -= (double)old->duration_ns;
	vec_fini(&old->deltas);
	m->first = (m->first + 1) % TOP_MAX_INTERVALS;
	m->n_past--;
}

static void forget(struct top_model *m, uint64_t duration_ns)
{
	double k = pow(DECAY_PER_SECOND, (double)duration_ns / NSEC_PER_SEC);

	if (m->opts.window_ns) {
		/* Half an interval of tolerance: they are never exactly as long as they should be. */
		while (m->n_past && (m->n_past == TOP_MAX_INTERVALS ||
				     m->span_ns + (double)duration_ns / 2 > (double)m->opts.window_ns))
			forget_oldest(m);
		return;
	}
	vec_foreach(c, &m->t.v)
	{
		c->self_ns *= k;
		c->total_ns *= k;
	}
	m->span_ns *= k;
}

/* The new becomes part of the past; a window keeps account of it. */
static int settle(struct top_model *m, uint64_t duration_ns)
{
	struct interval *now = &m->past[(m->first + m->n_past) % TOP_MAX_INTERVALS];

	if (m->opts.window_ns && vec_reserve(&now->deltas, m->touched.n) < 0)
		return -ENOMEM;
	vec_foreach(id, &m->touched)
	{
		struct top_cell *c = &m->t.v.v[*id];

		if (m->opts.window_ns)
			now->deltas.v[now->deltas.n++] = (struct delta){ *id, c->new_self, c->new_total };
		c->self_ns += c->new_self;
		c->total_ns += c->new_total;
		c->new_self = c->new_total = 0;
	}
	m->touched.n = 0;
	now->duration_ns = duration_ns;
	m->n_past += m->opts.window_ns != 0;
	m->span_ns += (double)duration_ns;
	return 0;
}

/* The past speaks of the cells by their new numbers. What went to "other" has no total any more. */
static void renumber_past(struct top_model *m, const uint32_t *cell_of)
{
	for (uint32_t i = 0; i < m->n_past; i++) {
		struct interval *past = &m->past[(m->first + i) % TOP_MAX_INTERVALS];

		vec_foreach(d, &past->deltas)
		{
			d->cell = cell_of[d->cell];
			if (m->t.v.v[d->cell].function == TOP_OTHER)
				d->total_ns = 0;
		}
	}
}

static int compact(struct top_model *m)
{
	_cleanup_(freep) uint32_t *cell_of = NULL;
	int r = top_cells_compact(&m->t, m->opts.max_cells / 2, &cell_of);

	if (r >= 0)
		renumber_past(m, cell_of);
	return r;
}

struct addition {
	struct top_model *m;
	const struct profile *p;
	uint32_t *first_of;        /* by location: its first line in functions */
	vec(uint32_t) functions;   /* one for each line; one for a location without */
};

static uint32_t name_add(struct top_cells *t, const char *s)
{
	size_t len = strlen(s);

	if (len > MAX_NAME_BYTES)
		for (len = MAX_NAME_BYTES; len && ((uint8_t)s[len] & 0xc0) == 0x80;)
			len--;
	return strpool_add_len(&t->names, s, len);
}

static void add_source(struct addition *a, uint32_t location, uint32_t line, struct top_cell_function *f)
{
	struct profile_source source = profile_location_source(a->p, location, line, PROFILE_LINES);

	if (!a->m->opts.by_line || source.line <= 0 || source.line > UINT32_MAX)
		return;
	f->file = name_add(&a->m->t, profile_str(a->p, source.file));
	f->line = (uint32_t)source.line;
}

static int add_line(struct addition *a, uint32_t location, uint32_t line, uint32_t image)
{
	const struct profile *p = a->p;
	const struct profile_location *l = &p->locations.v[location];
	/* Addresses without a name would be as many rows; together they say which file lacks symbols. */
	const char *name = l->n_lines ?
		profile_str(p, p->functions.v[p->lines.v[l->first_line + line].function].name) : "[no symbols]";
	struct top_cell_function f = { .name = name_add(&a->m->t, name), .image = image, .is_kernel = l->kind == FRAME_KERNEL };
	uint32_t *slot = vec_push(&a->functions);

	add_source(a, location, line, &f);
	return slot ? top_cells_function(&a->m->t, f, slot) : -ENOMEM;
}

static int name_locations(struct addition *a)
{
	const struct profile *p = a->p;
	int r = 0;

	for (uint32_t i = 0; i < p->locations.n; i++) {
		const struct profile_location *l = &p->locations.v[i];
		const char *file = l->mapping < p->mappings.n ? profile_str(p, p->mappings.v[l->mapping].file) : "unknown";
		uint32_t image = name_add(&a->m->t, profile_base_name(file));

		a->first_of[i] = a->functions.n;
		for (uint32_t k = 0; r >= 0 && k < (l->n_lines ? l->n_lines : 1); k++)
			r = add_line(a, i, k, image);
		if (r < 0)
			return r;
	}
	return strpool_error(&a->m->t.names);
}

static int process_of(struct addition *a, const struct profile_sample *s, uint32_t *ret)
{
	const struct profile_label *comm = profile_sample_label(a->p, s, "comm");
	const struct profile_label *pid = profile_sample_label(a->p, s, "pid");
	const struct profile_label *tid = profile_sample_label(a->p, s, "tid");
	struct top_cell_process p = { .pid = pid ? (uint32_t)pid->num : 0, .tid = tid ? (uint32_t)tid->num : 0 };

	strncpy(p.comm, comm ? profile_str(a->p, comm->str) : "", sizeof(p.comm) - 1);
	return top_cells_process(&a->m->t, &p, ret);
}

static int add_to_cell(struct addition *a, uint32_t function, uint32_t process, double self, double total)
{
	struct top_model *m = a->m;
	struct top_cell *c;
	uint32_t id, *touched;
	int r = top_cells_cell(&m->t, function, process, &id);

	if (r < 0)
		return r;
	c = &m->t.v.v[id];
	if (c->new_total == 0 && total > 0) {
		touched = vec_push(&m->touched);
		if (!touched)
			return -ENOMEM;
		*touched = id;
	}
	c->new_self += self;
	c->new_total += c->last_sample == m->n_samples ? 0 : total;
	c->last_sample = m->n_samples;
	return 0;
}

static int add_sample(struct addition *a, const struct profile_sample *s, double value)
{
	const struct profile *p = a->p;
	uint32_t process, unknown;
	int r = process_of(a, s, &process);

	a->m->n_samples++;
	for (uint32_t k = 0; r >= 0 && k < s->n_frames; k++) {
		uint32_t loc = p->frames.v[s->first_frame + k], lines = p->locations.v[loc].n_lines;

		for (uint32_t n = 0; r >= 0 && n < (lines ? lines : 1); n++)
			r = add_to_cell(a, a->functions.v[a->first_of[loc] + n], process, k || n ? 0 : value, value);
	}
	if (r < 0 || s->n_frames)
		return r;
	r = top_cells_function(&a->m->t, (struct top_cell_function){ .name = name_add(&a->m->t, "[no stack]") }, &unknown);
	return r < 0 ? r : add_to_cell(a, unknown, process, value, value);
}

static int add_samples(struct addition *a)
{
	uint32_t type = profile_default_type(a->p);
	int r = name_locations(a);

	for (uint32_t i = 0; r >= 0 && i < a->p->samples.n; i++)
		r = add_sample(a, &a->p->samples.v[i], (double)a->p->values.v[(size_t)i * a->p->types.n + type]);
	return r;
}

int top_model_add(struct top_model *m, const struct profile *p, uint64_t duration_ns)
{
	_cleanup_(freep) uint32_t *first_of = calloc(p->locations.n + 1u, sizeof(*first_of));
	struct addition a = { .m = m, .p = p, .first_of = first_of };
	int r = first_of ? 0 : -ENOMEM;

	if (r >= 0)
		r = add_samples(&a);
	vec_fini(&a.functions);
	if (r < 0)
		return r;
	forget(m, duration_ns);
	r = settle(m, duration_ns);
	return r >= 0 && m->t.v.n > m->opts.max_cells ? compact(m) : r;
}

const struct top_cells *top_model_cells(const struct top_model *m, double *ret_span_ns)
{
	*ret_span_ns = m->span_ns;
	return &m->t;
}
