/* SPDX-License-Identifier: Apache-2.0 */
#include "pyroscope/ingest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "pyroscope/push_check.h"

typedef Perftools__Profiles__Sample pprof_sample;
typedef Perftools__Profiles__Location pprof_location;
typedef Perftools__Profiles__Function pprof_function;

/* Ids to rows: the ids of a profile need not be dense. */
struct tables {
	const pprof_msg *p;
	pprof_location **locations;
	pprof_function **functions;
};

static int by_location_id(const void *a, const void *b)
{
	const pprof_location *x = *(pprof_location *const *)a, *y = *(pprof_location *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int by_function_id(const void *a, const void *b)
{
	const pprof_function *x = *(pprof_function *const *)a, *y = *(pprof_function *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void *sorted(void *rows, size_t n, int (*order)(const void *, const void *))
{
	void **copy = calloc(n + 1, sizeof(void *));

	if (!copy)
		abort();
	if (n)
		memcpy(copy, rows, n * sizeof(*copy));
	qsort(copy, n, sizeof(*copy), order);
	return copy;
}

static const pprof_location *find_location(const struct tables *t, uint64_t id)
{
	pprof_location key = { .id = id }, *k = &key;
	pprof_location **hit = bsearch(&k, t->locations, t->p->n_location, sizeof(k), by_location_id);

	return hit ? *hit : NULL;
}

static const char *function_name(struct store *st, const struct tables *t, uint64_t id)
{
	pprof_function key = { .id = id }, *k = &key;
	pprof_function **hit = bsearch(&k, t->functions, t->p->n_function, sizeof(k), by_function_id);
	const char *name = hit ? t->p->string_table[(*hit)->name] : "";
	size_t len = strlen(name);

	if (!hit)
		tally_add(&st->warnings, "line without a function", 1);
	else if (!len)
		tally_add(&st->warnings, "function without a name", 1);
	if (len > PPROF_MAX_STRING)
		tally_add(&st->warnings, "string cut", 1);
	return len > PPROF_MAX_STRING ? name + len - PPROF_MAX_STRING : name;
}

static bool counts(const pprof_sample *s)
{
	bool any = false;

	for (size_t i = 0; i < s->n_value; i++) {
		if (s->value[i] < 0)
			return false;
		any |= s->value[i] != 0;
	}
	return any;
}

static bool at_nowhere(const struct tables *t, const pprof_sample *s)
{
	for (size_t i = 0; i < s->n_location_id; i++) {
		const pprof_location *l = find_location(t, s->location_id[i]);

		if (l && !l->n_line && !l->address)
			return true;
	}
	return false;
}

/* The sample's labels on top of the series' own; of equal names the series' own counts. Returns how many are numeric. */
static uint64_t promote(const pprof_msg *p, const pprof_sample *s, struct strmap *labels)
{
	uint64_t numeric = 0;

	for (size_t i = 0; i < s->n_label; i++) {
		const char *key = p->string_table[s->label[i]->key], *value = p->string_table[s->label[i]->str];

		if (!s->label[i]->str) {
			numeric++;
			continue;
		}
		if (!strcmp(key, "span_id") || !strcmp(key, "trace_id") || !strcmp(key, "profile_id"))
			continue;
		if (!strmap_get(labels, key) && strmap_set(labels, key, value) < 0)
			abort();
	}
	return numeric;
}

/* Names of a sample's frames, leaf first; the caller frees the array. */
static const char **names_of(struct store *st, struct series *series, const struct tables *t, const pprof_sample *s, size_t *ret_n)
{
	size_t first = s->n_location_id > PPROF_MAX_DEPTH ? s->n_location_id - PPROF_MAX_DEPTH : 0;
	vec(const char *) names = { 0 };

	if (first)
		tally_add(&st->warnings, "stack cut", 1);
	for (size_t i = first; i < s->n_location_id; i++) {
		const pprof_location *l = find_location(t, s->location_id[i]);

		if (!l || !l->n_line) {
			tally_add(&st->warnings, l ? "location without a line" : "location that does not exist", 1);
			series->nameless++;
			continue;
		}
		if (vec_reserve(&names, l->n_line) < 0)
			abort();
		for (size_t j = 0; j < l->n_line; j++) {
			names.v[names.n] = function_name(st, t, l->line[j]->function_id);
			series->nameless += !*names.v[names.n++];
		}
	}
	*ret_n = names.n;
	return names.v;
}

static void map_types(struct series *s, const pprof_msg *p, int *ret)
{
	const char *base = strmap_get(&s->labels, "__name__");
	char name[1024];

	for (size_t i = 0; i < p->n_sample_type && i < STORE_MAX_TYPES; i++) {
		snprintf(name, sizeof(name), "%s:%s:%s:%s:%s", base, p->string_table[p->sample_type[i]->type],
			 p->string_table[p->sample_type[i]->unit], p->period_type ? p->string_table[p->period_type->type] : "",
			 p->period_type ? p->string_table[p->period_type->unit] : "");
		ret[i] = series_type(s, name);
	}
}

/* The series that have their part of this push already: pushes are counted once per series. */
typedef vec(struct series *) touched;

static void touch(touched *t, struct series *s, const struct ingest_profile *in)
{
	const pprof_msg *p = in->file->msg;
	struct series_push push = { p->time_nanos ? p->time_nanos : (int64_t)in->now_ns, p->duration_nanos, in->id, in->raw, in->raw_len };
	struct series **slot;

	vec_foreach(it, t)
		if (*it == s)
			return;
	slot = vec_push(t);
	if (!slot)
		abort();
	*slot = s;
	series_pushed(s, &push);
}

static void add_sample(struct store *st, const struct ingest_profile *in, const struct tables *t, const pprof_sample *sample,
		       const struct strmap *labels, touched *seen)
{
	struct series *s = store_series(st, labels);
	size_t n_names, n_types = t->p->n_sample_type < STORE_MAX_TYPES ? t->p->n_sample_type : STORE_MAX_TYPES;
	_cleanup_(freep) const char **names = names_of(st, s, t, sample, &n_names);
	int types[STORE_MAX_TYPES];

	touch(seen, s, in);
	map_types(s, t->p, types);
	series_add(s, types, n_types, sample->value, names, n_names);
}

/* The first round only looks, so that a refusal stores nothing. */
static int round_of(struct store *st, const struct ingest_profile *in, const struct tables *t, bool store, touched *seen,
		    struct refusal *why)
{
	for (size_t i = 0; i < t->p->n_sample; i++) {
		const pprof_sample *s = t->p->sample[i];
		_cleanup_(strmap_fini) struct strmap labels = { 0 };
		uint64_t numeric;

		if (!counts(s)) {
			if (!t->p->period_type)
				return refuse(why, CONNECT_UNKNOWN, "panic: nil pointer dereference (a sample of zeros, no period type)");
			if (store)
				tally_add(&st->warnings, "sample without a value", 1);
			continue;
		}
		if (at_nowhere(t, s)) {
			if (store)
				tally_add(&st->warnings, "sample at no address", 1);
			continue;
		}
		if (strmap_copy(in->labels, &labels) < 0)
			abort();
		numeric = promote(t->p, s, &labels);
		if (!store && push_check_count(labels.v.n, why) < 0)
			return -1;
		if (store && numeric)
			tally_add(&st->warnings, "numeric label", numeric);
		if (store)
			add_sample(st, in, t, s, &labels, seen);
	}
	return 0;
}

int ingest(struct store *st, const struct ingest_profile *in, struct refusal *why)
{
	const pprof_msg *p = in->file->msg;
	struct tables t = { .p = p };
	touched seen = { 0 };
	int r;

	t.locations = sorted(p->location, p->n_location, by_location_id);
	t.functions = sorted(p->function, p->n_function, by_function_id);
	r = round_of(st, in, &t, false, &seen, why);
	if (!r)
		r = round_of(st, in, &t, true, &seen, why);
	vec_fini(&seen);
	free(t.locations);
	free(t.functions);
	return r;
}
