/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top_cells.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static bool same_function(const void *ctx, uint32_t id)
{
	const struct {
		const struct top_cells *t;
		struct top_cell_function f;
	} *q = ctx;
	const struct top_cell_function *f = &q->t->functions.v[id];

	return f->name == q->f.name && f->image == q->f.image && f->file == q->f.file && f->line == q->f.line;
}

int top_cells_function(struct top_cells *t, struct top_cell_function f, uint32_t *ret)
{
	struct {
		const struct top_cells *t;
		struct top_cell_function f;
	} q = { t, f };
	uint64_t hash = hash_u64(f.name | (uint64_t)f.image << 32) + (f.line ? hash_u64(f.line) : 0);
	struct top_cell_function *added;

	*ret = htable_find(&t->function_index, hash, same_function, &q);
	if (*ret != HTABLE_NONE)
		return 0;
	added = vec_push(&t->functions);
	if (!added)
		return -ENOMEM;
	*added = f;
	*ret = t->functions.n - 1;
	return htable_insert(&t->function_index, hash, *ret);
}

static bool same_process(const void *ctx, uint32_t id)
{
	const struct {
		const struct top_cells *t;
		struct top_cell_process p;
	} *q = ctx;
	const struct top_cell_process *p = &q->t->processes.v[id];

	return p->pid == q->p.pid && p->tid == q->p.tid && id != TOP_OTHER;
}

int top_cells_process(struct top_cells *t, const struct top_cell_process *p, uint32_t *ret)
{
	struct {
		const struct top_cells *t;
		struct top_cell_process p;
	} q = { t, *p };
	uint64_t hash = hash_u64(p->pid | (uint64_t)p->tid << 32);
	struct top_cell_process *added;

	*ret = htable_find(&t->process_index, hash, same_process, &q);
	if (*ret != HTABLE_NONE) {
		memcpy(t->processes.v[*ret].comm, p->comm, sizeof(p->comm));
		return 0;
	}
	added = vec_push(&t->processes);
	if (!added)
		return -ENOMEM;
	*added = *p;
	*ret = t->processes.n - 1;
	return htable_insert(&t->process_index, hash, *ret);
}

static bool same_cell(const void *ctx, uint32_t id)
{
	const struct {
		const struct top_cells *t;
		uint32_t function, process;
	} *q = ctx;

	return q->t->v.v[id].function == q->function && q->t->v.v[id].process == q->process;
}

int top_cells_cell(struct top_cells *t, uint32_t function, uint32_t process, uint32_t *ret)
{
	struct {
		const struct top_cells *t;
		uint32_t function, process;
	} q = { t, function, process };
	uint64_t hash = hash_u64(function | (uint64_t)process << 32);
	struct top_cell *c;

	*ret = htable_find(&t->cell_index, hash, same_cell, &q);
	if (*ret != HTABLE_NONE)
		return 0;
	c = vec_push(&t->v);
	if (!c)
		return -ENOMEM;
	c->function = function;
	c->process = process;
	*ret = t->v.n - 1;
	return htable_insert(&t->cell_index, hash, *ret);
}

void top_cells_fini(struct top_cells *t)
{
	strpool_fini(&t->names);
	vec_fini(&t->functions);
	vec_fini(&t->processes);
	vec_fini(&t->v);
	htable_fini(&t->function_index);
	htable_fini(&t->process_index);
	htable_fini(&t->cell_index);
}

/* With "other" and its cell in their places. */
int top_cells_init(struct top_cells *t)
{
	struct top_cell_process other = { .comm = "other" };
	uint32_t id;
	int r;

	*t = (struct top_cells){ 0 };
	r = top_cells_function(t, (struct top_cell_function){ .name = strpool_add(&t->names, "other") }, &id);
	if (r >= 0)
		r = top_cells_process(t, &other, &id);
	if (r >= 0)
		r = top_cells_cell(t, TOP_OTHER, TOP_OTHER, &id);
	if (r >= 0)
		r = strpool_error(&t->names);
	if (r < 0)
		top_cells_fini(t);
	return r;
}

struct compaction {
	const struct top_cells *from;
	struct top_cells to;
	double least;      /* cells of less go */
	bool *keeps;       /* by old process: some cell of it stays */
	uint32_t *cell_of; /* by old cell */
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The total of the n-th largest cell. */
static int find_least(const struct top_cells *t, uint32_t n, double *ret)
{
	_cleanup_(freep) double *totals = calloc(t->v.n, sizeof(*totals));

	if (!totals)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->v.n; i++)
		totals[i] = t->v.v[i].total_ns;
	qsort(totals, t->v.n, sizeof(*totals), by_value);
	*ret = n < t->v.n && totals[n] > TOP_NOTHING_NS ? totals[n] : TOP_NOTHING_NS;
	return 0;
}

static bool stays(const struct compaction *c, const struct top_cell *cell)
{
	return cell->function != TOP_OTHER && cell->total_ns > c->least;
}

static int copy_function(struct compaction *c, uint32_t id, uint32_t *ret)
{
	struct top_cell_function f = c->from->functions.v[id];

	f.name = strpool_add(&c->to.names, strpool_str(&c->from->names, f.name));
	f.image = strpool_add(&c->to.names, strpool_str(&c->from->names, f.image));
	f.file = strpool_add(&c->to.names, strpool_str(&c->from->names, f.file));
	return top_cells_function(&c->to, f, ret);
}

static int copy_cell(struct compaction *c, uint32_t i)
{
	const struct top_cell *old = &c->from->v.v[i];
	uint32_t function = TOP_OTHER, process = TOP_OTHER;
	int r = 0;

	if (c->keeps[old->process])
		r = top_cells_process(&c->to, &c->from->processes.v[old->process], &process);
	if (r >= 0 && stays(c, old))
		r = copy_function(c, old->function, &function);
	if (r >= 0)
		r = top_cells_cell(&c->to, function, process, &c->cell_of[i]);
	if (r < 0)
		return r;
	c->to.v.v[c->cell_of[i]].self_ns += old->self_ns;
	if (function != TOP_OTHER) /* totals of different functions do not add up */
		c->to.v.v[c->cell_of[i]].total_ns += old->total_ns;
	return 0;
}

static int copy_cells(struct compaction *c)
{
	int r = 0;

	for (uint32_t i = 0; i < c->from->v.n; i++)
		if (stays(c, &c->from->v.v[i]))
			c->keeps[c->from->v.v[i].process] = true;
	for (uint32_t i = 0; r >= 0 && i < c->from->v.n; i++)
		r = copy_cell(c, i);
	return r < 0 ? r : strpool_error(&c->to.names);
}

int top_cells_compact(struct top_cells *t, uint32_t keep, uint32_t **ret)
{
	struct compaction c = { .from = t };
	_cleanup_(freep) bool *keeps = c.keeps = calloc(t->processes.n, sizeof(*keeps));
	_cleanup_(freep) uint32_t *cell_of = c.cell_of = calloc(t->v.n, sizeof(*cell_of));
	int r = keeps && cell_of ? top_cells_init(&c.to) : -ENOMEM;

	if (r < 0)
		return r;
	r = find_least(t, keep, &c.least);
	if (r >= 0)
		r = copy_cells(&c);
	if (r < 0) {
		top_cells_fini(&c.to);
		return r;
	}
	top_cells_fini(t);
	*t = c.to;
	*ret = take_ptr(cell_of);
	return 0;
}
