/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/top.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

struct entry {
	uint32_t name, image, file; /* in the top's strings */
	int64_t line;
	bool inlined, apart; /* somewhere; somewhere not */
	int64_t self, total;
	uint32_t last_sample; /* + 1: counted already for this sample's total */
};

struct builder {
	const struct profile *p;
	enum profile_unit unit;
	struct top *t;
	struct buf text;
	vec(struct entry) entries;
	struct htable index;
	vec(uint32_t) first_of;   /* by location: where its lines start in line_entry */
	vec(uint32_t) line_entry; /* by line: entry, innermost first */
};

struct entry_query {
	const struct builder *b;
	const struct entry *e;
};

static bool same_entry(const void *ctx, uint32_t id)
{
	const struct entry_query *q = ctx;
	const struct entry *e = &q->b->entries.v[id];

	return e->name == q->e->name && e->image == q->e->image &&
	       (q->b->unit == PROFILE_FUNCTIONS || (e->file == q->e->file && e->line == q->e->line));
}

/* What the lines of one function say of it together. */
static void add_up(struct entry *to, const struct entry *e)
{
	if (!to->file)
		to->file = e->file;
	if (!to->line)
		to->line = e->line;
	to->inlined |= e->inlined;
	to->apart |= e->apart;
}

static int intern(struct builder *b, const struct entry *e, uint32_t *ret)
{
	struct entry_query q = { b, e };
	uint64_t hash = hash_u64(e->name | (uint64_t)e->image << 32);
	struct entry *slot;

	if (b->unit == PROFILE_LINES)
		hash += hash_u64((uint64_t)e->line);
	*ret = htable_find(&b->index, hash, same_entry, &q);
	if (*ret != HTABLE_NONE) {
		add_up(&b->entries.v[*ret], e);
		return 0;
	}
	slot = vec_push(&b->entries);
	if (!slot)
		return -ENOMEM;
	*slot = *e;
	*ret = b->entries.n - 1;
	return htable_insert(&b->index, hash, *ret);
}

static int name_line(struct builder *b, uint32_t location, uint32_t line, uint32_t image, uint32_t *ret)
{
	struct profile_source source = profile_location_source(b->p, location, line, b->unit);
	bool inlined = line + 1 < b->p->locations.v[location].n_lines;
	struct entry e = { .image = image, .line = source.line, .inlined = inlined, .apart = !inlined };

	buf_reset(&b->text);
	profile_location_name(b->p, location, line, &b->text);
	e.name = strpool_add_len(&b->t->strings, (char *)b->text.data, b->text.len);
	e.file = strpool_add(&b->t->strings, profile_str(b->p, source.file));
	return intern(b, &e, ret);
}

static uint32_t image_name(struct builder *b, const struct profile_location *l)
{
	const char *file = l->mapping < b->p->mappings.n ? profile_str(b->p, b->p->mappings.v[l->mapping].file) : "";

	return strpool_add(&b->t->strings, file[0] ? profile_base_name(file) : "unknown");
}

/* One entry per line of each location; a location without lines has one, named by its address. */
static int name_locations(struct builder *b)
{
	for (uint32_t i = 0; i < b->p->locations.n; i++) {
		const struct profile_location *l = &b->p->locations.v[i];
		uint32_t *first = vec_push(&b->first_of), image = image_name(b, l);

		if (!first)
			return -ENOMEM;
		*first = b->line_entry.n;
		for (uint32_t k = 0; k < (l->n_lines ? l->n_lines : 1); k++) {
			uint32_t *slot = vec_push(&b->line_entry);

			if (!slot || name_line(b, i, k, image, slot) < 0)
				return -ENOMEM;
		}
	}
	return buf_error(&b->text) ? -ENOMEM : strpool_error(&b->t->strings);
}

static void count_location(struct builder *b, uint32_t location, uint32_t sample, bool leaf, int64_t value)
{
	uint32_t lines = b->p->locations.v[location].n_lines;

	for (uint32_t n = 0; n < (lines ? lines : 1); n++) {
		struct entry *e = &b->entries.v[b->line_entry.v[b->first_of.v[location] + n]];

		if (leaf && n == 0)
			e->self = profile_sum(e->self, value);
		if (e->last_sample != sample + 1)
			e->total = profile_sum(e->total, value);
		e->last_sample = sample + 1;
	}
}

static void count_samples(struct builder *b)
{
	uint32_t type = profile_default_type(b->p);

	for (uint32_t i = 0; i < b->p->samples.n && b->p->types.n; i++) {
		const struct profile_sample *s = &b->p->samples.v[i];
		int64_t value = b->p->values.v[(size_t)i * b->p->types.n + type];

		b->t->whole = profile_sum(b->t->whole, profile_size(value));
		for (uint32_t k = 0; k < s->n_frames; k++)
			count_location(b, b->p->frames.v[s->first_frame + k], i, k == 0, value);
	}
}

double top_percent(int64_t part, int64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static int make_rows(struct builder *b)
{
	struct top *t = b->t;

	if (vec_reserve(&t->rows, b->entries.n) < 0)
		return -ENOMEM;
	vec_foreach(e, &b->entries)
		t->rows.v[t->rows.n++] = (struct top_row){ .name = strpool_str(&t->strings, e->name),
							   .image = strpool_str(&t->strings, e->image),
							   .file = strpool_str(&t->strings, e->file), .line = e->line,
							   .inlined = !e->inlined ? TOP_NOT_INLINED :
								      e->apart    ? TOP_PARTLY_INLINED :
										    TOP_INLINED,
							   .self = e->self, .total = e->total,
							   .self_percent = top_percent(e->self, t->whole),
							   .total_percent = top_percent(e->total, t->whole) };
	top_sort(t, TOP_BY_SELF);
	return 0;
}

static void builder_fini(struct builder *b)
{
	buf_fini(&b->text);
	vec_fini(&b->entries);
	htable_fini(&b->index);
	vec_fini(&b->first_of);
	vec_fini(&b->line_entry);
}

int top_build(const struct profile *p, enum profile_unit unit, struct top *ret)
{
	_cleanup_(builder_fini) struct builder b = { .p = p, .unit = unit, .t = ret };
	int r = profile_error(p);

	*ret = (struct top){ 0 };
	if (r >= 0)
		r = name_locations(&b);
	if (r >= 0) {
		count_samples(&b);
		r = make_rows(&b);
	}
	if (r < 0)
		top_fini(ret);
	return r;
}

static int larger(int64_t a, int64_t b)
{
	return (profile_size(a) < profile_size(b)) - (profile_size(a) > profile_size(b));
}

static int compare(const void *a, const void *b, void *ctx)
{
	const struct top_row *x = a, *y = b;
	bool by_self = *(enum top_order *)ctx == TOP_BY_SELF;
	int r = by_self ? larger(x->self, y->self) : larger(x->total, y->total);

	if (!r)
		r = by_self ? larger(x->total, y->total) : larger(x->self, y->self);
	if (!r)
		r = strcmp(x->name, y->name);
	if (!r)
		r = strcmp(x->image, y->image);
	if (!r)
		r = strcmp(x->file, y->file);
	return r ? r : (x->line > y->line) - (x->line < y->line);
}

void top_sort(struct top *t, enum top_order order)
{
	if (t->rows.n)
		qsort_r(t->rows.v, t->rows.n, sizeof(*t->rows.v), compare, &order);
}

void top_fini(struct top *t)
{
	strpool_fini(&t->strings);
	vec_fini(&t->rows);
}
