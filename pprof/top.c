/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/top.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "pprof/profile.h"

struct key {
	uint32_t name, image; /* in names */
};

struct entry {
	struct key key;
	int64_t self, total;
	uint32_t last_sample; /* + 1: counted already for this sample's total */
};

struct table {
	const struct profile *p;
	struct strpool names;
	struct buf text;
	vec(struct entry) v;
	struct htable index;
	vec(uint32_t) first_of; /* by location: entry of its innermost line, then of the others behind */
	vec(uint32_t) line_entry; /* by (location's first slot + line) */
};

static bool same_entry(const void *ctx, uint32_t id)
{
	const struct {
		const struct table *t;
		struct key k;
	} *q = ctx;

	return q->t->v.v[id].key.name == q->k.name && q->t->v.v[id].key.image == q->k.image;
}

static uint32_t intern(struct table *t, struct key k)
{
	struct {
		const struct table *t;
		struct key k;
	} q = { t, k };
	uint64_t hash = hash_u64(k.name | (uint64_t)k.image << 32);
	uint32_t id = htable_find(&t->index, hash, same_entry, &q);
	struct entry *e;

	if (id != HTABLE_NONE)
		return id;
	e = vec_push(&t->v);
	if (!e || htable_insert(&t->index, hash, t->v.n - 1) < 0) {
		t->names.error = -ENOMEM;
		return 0;
	}
	e->key = k;
	return t->v.n - 1;
}

static uint32_t image_name(struct table *t, const struct profile_location *l)
{
	return strpool_add(&t->names, l->mapping == PROFILE_NO_MAPPING || l->mapping >= t->p->mappings.n ?
					      "unknown" :
					      profile_base_name(profile_str(t->p, t->p->mappings.v[l->mapping].file)));
}

/* One entry per line of each location; a location without lines has one, named by its address. */
static int name_locations(struct table *t)
{
	for (uint32_t i = 0; i < t->p->locations.n; i++) {
		const struct profile_location *l = &t->p->locations.v[i];
		uint32_t *first = vec_push(&t->first_of), image = image_name(t, l);

		if (!first)
			return -ENOMEM;
		*first = t->line_entry.n;
		for (uint32_t k = 0; k < (l->n_lines ? l->n_lines : 1); k++) {
			uint32_t *slot = vec_push(&t->line_entry);

			if (!slot)
				return -ENOMEM;
			buf_reset(&t->text);
			profile_location_name(t->p, i, k, &t->text);
			*slot = intern(t, (struct key){
				strpool_add_len(&t->names, (char *)t->text.data, t->text.len), image });
		}
	}
	return strpool_error(&t->names);
}

static int64_t count_samples(struct table *t)
{
	uint32_t type = profile_default_type(t->p);
	int64_t sum = 0;

	for (uint32_t i = 0; i < t->p->samples.n; i++) {
		const struct profile_sample *s = &t->p->samples.v[i];
		int64_t value = t->p->values.v[(size_t)i * t->p->types.n + type];

		sum += value;
		for (uint32_t k = 0; k < s->n_frames; k++) {
			uint32_t loc = t->p->frames.v[s->first_frame + k], lines = t->p->locations.v[loc].n_lines;

			for (uint32_t n = 0; n < (lines ? lines : 1); n++) {
				struct entry *e = &t->v.v[t->line_entry.v[t->first_of.v[loc] + n]];

				e->self += k == 0 && n == 0 ? value : 0;
				e->total += e->last_sample == i + 1 ? 0 : value;
				e->last_sample = i + 1;
			}
		}
	}
	return sum;
}

static int by_self(const void *a, const void *b, void *ctx)
{
	const struct table *t = ctx;
	const struct entry *x = a, *y = b;

	if (x->self != y->self)
		return x->self > y->self ? -1 : 1;
	if (x->total != y->total)
		return x->total > y->total ? -1 : 1;
	return strcmp(strpool_str(&t->names, x->key.name), strpool_str(&t->names, y->key.name));
}

static uint32_t copy_rows(const struct table *t, int64_t sum, struct top_row *ret, uint32_t max)
{
	uint32_t n = 0;

	for (; n < t->v.n && n < max; n++) {
		const struct entry *e = &t->v.v[n];

		ret[n] = (struct top_row){ .name = strdup(strpool_str(&t->names, e->key.name)),
					   .image = strdup(strpool_str(&t->names, e->key.image)),
					   .self = e->self, .total = e->total,
					   .self_percent = sum ? 100.0 * (double)e->self / (double)sum : 0,
					   .total_percent = sum ? 100.0 * (double)e->total / (double)sum : 0 };
		if (!ret[n].name || !ret[n].image) {
			top_free(ret, n + 1);
			return 0;
		}
	}
	return n;
}

uint32_t top_by_self(const struct profile *p, struct top_row *ret, uint32_t max)
{
	struct table t = { .p = p };
	uint32_t n = 0;

	if (p->types.n && name_locations(&t) >= 0) {
		int64_t sum = count_samples(&t);

		if (t.v.n)
			qsort_r(t.v.v, t.v.n, sizeof(*t.v.v), by_self, &t);
		n = copy_rows(&t, sum, ret, max);
	}
	strpool_fini(&t.names);
	buf_fini(&t.text);
	vec_fini(&t.v);
	htable_fini(&t.index);
	vec_fini(&t.first_of);
	vec_fini(&t.line_entry);
	return n;
}

void top_free(struct top_row *rows, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		free(rows[i].name);
		free(rows[i].image);
	}
}
