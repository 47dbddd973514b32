/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/diff.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strpool.h"
#include "pprof/profile.h"

struct builder {
	enum profile_unit unit;
	struct strpool keys; /* name and image, by line also file and line; beside the rows */
	struct buf key;
	struct diff *d;
};

static int row_of(struct builder *b, const struct top_row *t, struct diff_row **ret)
{
	struct diff_row *row;
	uint32_t id;
	bool new;

	buf_reset(&b->key);
	buf_append(&b->key, t->name, strlen(t->name) + 1);
	buf_append(&b->key, t->image, strlen(t->image) + 1);
	if (b->unit == PROFILE_LINES)
		buf_printf(&b->key, "%s:%lld", t->file, (long long)t->line);
	id = strpool_intern(&b->keys, b->key.data, b->key.len, &new);
	if (buf_error(&b->key) || !id)
		return -ENOMEM;
	if (!new) {
		*ret = &b->d->rows.v[id - 1];
		return 0;
	}
	row = vec_push(&b->d->rows);
	if (!row)
		return -ENOMEM;
	row->name = t->name;
	row->image = t->image;
	row->file = t->file;
	row->line = t->line;
	row->inlined = t->inlined;
	*ret = row;
	return 0;
}

static struct diff_side side_of(const struct top_row *t)
{
	return (struct diff_side){ t->self, t->total, t->self_percent, t->total_percent };
}

static int join(struct builder *b)
{
	struct diff_row *row;

	vec_foreach(t, &b->d->now.rows) {
		if (row_of(b, t, &row) < 0)
			return -ENOMEM;
		row->now = side_of(t);
	}
	vec_foreach(t, &b->d->base.rows) {
		if (row_of(b, t, &row) < 0)
			return -ENOMEM;
		row->base = side_of(t);
	}
	vec_foreach(d, &b->d->rows) {
		d->self_points = d->now.self_percent - d->base.self_percent;
		d->total_points = d->now.total_percent - d->base.total_percent;
	}
	return 0;
}

static void builder_fini(struct builder *b)
{
	strpool_fini(&b->keys);
	buf_fini(&b->key);
}

int diff_build(const struct profile *base, const struct profile *now, enum profile_unit unit, struct diff *ret)
{
	_cleanup_(builder_fini) struct builder b = { .unit = unit, .d = ret };
	int r;

	*ret = (struct diff){ 0 };
	r = top_build(base, unit, &ret->base);
	if (r >= 0)
		r = top_build(now, unit, &ret->now);
	if (r >= 0)
		r = join(&b);
	if (r < 0)
		diff_fini(ret);
	else
		diff_sort(ret, DIFF_BY_EITHER);
	return r;
}

static double weight(const struct diff_row *row, enum diff_order order)
{
	double self = fabs(row->self_points), total = fabs(row->total_points);

	if (order == DIFF_BY_EITHER)
		return self > total ? self : total;
	return order == DIFF_BY_SELF ? self : total;
}

static int larger(double a, double b)
{
	return (a < b) - (a > b);
}

static int compare(const void *a, const void *b, void *ctx)
{
	const struct diff_row *x = a, *y = b;
	enum diff_order order = *(enum diff_order *)ctx;
	int r = larger(weight(x, order), weight(y, order));

	if (!r)
		r = larger(fabs(x->self_points), fabs(y->self_points));
	if (!r)
		r = larger(fabs(x->total_points), fabs(y->total_points));
	if (!r)
		r = strcmp(x->name, y->name);
	if (!r)
		r = strcmp(x->image, y->image);
	if (!r)
		r = strcmp(x->file, y->file);
	return r ? r : (x->line > y->line) - (x->line < y->line);
}

void diff_sort(struct diff *d, enum diff_order order)
{
	if (d->rows.n)
		qsort_r(d->rows.v, d->rows.n, sizeof(*d->rows.v), compare, &order);
}

void diff_fini(struct diff *d)
{
	top_fini(&d->base);
	top_fini(&d->now);
	vec_fini(&d->rows);
}
