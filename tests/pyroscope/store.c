/* SPDX-License-Identifier: Apache-2.0 */
#include "pyroscope/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

void tally_add(tallies *t, const char *text, uint64_t n)
{
	struct tally *fresh;

	vec_foreach(row, t)
		if (!strcmp(row->text, text)) {
			row->n += n;
			return;
		}
	fresh = must(vec_push(t));
	*fresh = (struct tally){ must(strdup(text)), n };
}

static void tallies_fini(tallies *t)
{
	vec_foreach(row, t)
		free(row->text);
	vec_fini(t);
}

static void series_free(struct series *s)
{
	strmap_fini(&s->labels);
	for (size_t i = 0; i < s->n_types; i++)
		free(s->types[i].name);
	vec_foreach(n, &s->names)
		free(n->name);
	vec_foreach(id, &s->ids)
		free(*id);
	vec_fini(&s->names);
	vec_fini(&s->ids);
	htable_fini(&s->by_name);
	buf_fini(&s->raw);
	free(s);
}

void store_reset(struct store *st)
{
	vec_foreach(s, &st->series)
		series_free(*s);
	vec_fini(&st->series);
	vec_fini(&st->log);
	tallies_fini(&st->statuses);
	tallies_fini(&st->errors);
	tallies_fini(&st->warnings);
	tallies_fini(&st->user_agents);
	tallies_fini(&st->authorizations);
	tallies_fini(&st->tenants);
	*st = (struct store){ 0 };
}

struct series *store_series(struct store *st, const struct strmap *labels)
{
	struct series **slot;

	vec_foreach(s, &st->series)
		if (strmap_equal(&(*s)->labels, labels))
			return *s;
	slot = must(vec_push(&st->series));
	*slot = must(calloc(1, sizeof(**slot)));
	if (strmap_copy(labels, &(*slot)->labels) < 0)
		abort();
	return *slot;
}

void store_log(struct store *st, const struct push_row *row)
{
	struct push_row *slot;
	char status[8];

	if (st->log.n == STORE_MAX_LOG) {
		memmove(st->log.v, st->log.v + 1, (STORE_MAX_LOG - 1) * sizeof(*row));
		st->log.n--;
	}
	slot = must(vec_push(&st->log));
	*slot = *row;
	snprintf(status, sizeof(status), "%d", row->status);
	tally_add(&st->statuses, status, 1);
	if (row->code != CONNECT_OK)
		tally_add(&st->errors, connect_name(row->code), 1);
}

void series_pushed(struct series *s, const struct series_push *p)
{
	if (!s->pushes || p->time_nanos < s->min_time_nanos)
		s->min_time_nanos = p->time_nanos;
	if (!s->pushes || p->time_nanos > s->max_time_nanos)
		s->max_time_nanos = p->time_nanos;
	s->pushes++;
	s->duration_nanos += p->duration_nanos;
	if (s->ids.n < STORE_MAX_IDS) {
		char **slot = must(vec_push(&s->ids));

		*slot = must(strdup(p->id));
	}
	buf_reset(&s->raw);
	buf_append(&s->raw, p->raw, p->raw_len);
}

int series_type(struct series *s, const char *name)
{
	for (size_t i = 0; i < s->n_types; i++)
		if (!strcmp(s->types[i].name, name))
			return (int)i;
	if (s->n_types == STORE_MAX_TYPES)
		return -1;
	s->types[s->n_types].name = must(strdup(name));
	return (int)s->n_types++;
}

struct same_name {
	const struct series *series;
	const char *name;
};

static bool same_name(const void *ctx, uint32_t id)
{
	const struct same_name *want = ctx;

	return !strcmp(want->series->names.v[id].name, want->name);
}

static struct series_name *find_name(struct series *s, const char *name)
{
	struct same_name want = { s, name };
	uint64_t h = hash_bytes(name, strlen(name), 0);
	uint32_t id = htable_find(&s->by_name, h, same_name, &want);
	struct series_name *row;

	if (id != HTABLE_NONE)
		return &s->names.v[id];
	row = must(vec_push(&s->names));
	row->name = must(strdup(name));
	if (htable_insert(&s->by_name, h, s->names.n - 1) < 0)
		abort();
	return row;
}

void series_add(struct series *s, const int *types, size_t n_types, const int64_t *values, const char **names, size_t n_names)
{
	s->samples++;
	s->stamp++;
	for (size_t t = 0; t < n_types; t++) {
		if (types[t] < 0)
			continue;
		s->types[types[t]].sent += values[t];
		s->types[types[t]].total += n_names ? values[t] : 0;
	}
	for (size_t i = 0; i < n_names; i++) {
		struct series_name *row = find_name(s, names[i]);
		bool again = row->stamp == s->stamp;

		row->stamp = s->stamp;
		for (size_t t = 0; t < n_types; t++) {
			if (types[t] < 0)
				continue;
			row->self[types[t]] += i ? 0 : values[t];
			row->total[types[t]] += again ? 0 : values[t];
		}
	}
}
