/* SPDX-License-Identifier: Apache-2.0 */
#include "pyroscope/store.h"

#include <stdlib.h>
#include <string.h>

static void put_string(struct buf *out, const char *s)
{
	buf_json_string(out, s, strlen(s));
}

static void put_tallies(struct buf *out, const char *key, const tallies *t)
{
	buf_printf(out, ",\"%s\":{", key);
	vec_foreach(row, t)
	{
		if (row > t->v)
			buf_putc(out, ',');
		put_string(out, row->text);
		buf_printf(out, ":%llu", (unsigned long long)row->n);
	}
	buf_putc(out, '}');
}

static int by_total(const void *a, const void *b, void *ctx)
{
	const struct series_name *x = *(struct series_name *const *)a, *y = *(struct series_name *const *)b;
	size_t t = *(size_t *)ctx;

	return x->total[t] != y->total[t] ? (x->total[t] < y->total[t] ? 1 : -1) : strcmp(x->name, y->name);
}

/* Of one type the names, the largest totals first. */
static void put_names(struct buf *out, const struct series *s, size_t type)
{
	struct series_name **rows = calloc(s->names.n + 1, sizeof(struct series_name *));
	uint32_t n = 0;

	if (!rows)
		abort();
	vec_foreach(row, &s->names)
		if (row->total[type])
			rows[n++] = row;
	qsort_r(rows, n, sizeof(*rows), by_total, &type);
	for (uint32_t i = 0; i < n && i < STORE_TOP; i++) {
		buf_puts(out, i ? ",{\"name\":" : "{\"name\":");
		put_string(out, rows[i]->name);
		buf_printf(out, ",\"self\":%lld,\"total\":%lld}", (long long)rows[i]->self[type], (long long)rows[i]->total[type]);
	}
	free(rows);
}

/* "TYPE:UNIT":total, what most tests ask for. */
static void put_totals(struct buf *out, const struct series *s)
{
	buf_puts(out, ",\"totals\":{");
	for (size_t t = 0; t < s->n_types; t++) {
		const char *type = strchr(s->types[t].name, ':') + 1;
		size_t len = strcspn(type, ":");

		len += 1 + strcspn(type + len + 1, ":");
		if (t)
			buf_putc(out, ',');
		buf_json_string(out, type, len);
		buf_printf(out, ":%lld", (long long)s->types[t].total);
	}
	buf_putc(out, '}');
}

/* All there is of each type, by its full name. */
static void put_types(struct buf *out, const struct series *s)
{
	buf_puts(out, ",\"types\":{");
	for (size_t t = 0; t < s->n_types; t++) {
		if (t)
			buf_putc(out, ',');
		put_string(out, s->types[t].name);
		buf_printf(out, ":{\"total\":%lld,\"sent\":%lld,\"names\":[", (long long)s->types[t].total, (long long)s->types[t].sent);
		put_names(out, s, t);
		buf_puts(out, "]}");
	}
	buf_putc(out, '}');
}

static void put_series(struct buf *out, const struct series *s)
{
	buf_puts(out, "{\"labels\":{");
	vec_foreach(l, &s->labels.v)
	{
		if (l > s->labels.v.v)
			buf_putc(out, ',');
		put_string(out, l->key);
		buf_putc(out, ':');
		put_string(out, l->value);
	}
	buf_printf(out, "},\"pushes\":%llu,\"samples\":%llu,\"nameless\":%llu,\"min_time_nanos\":%lld,\"max_time_nanos\":%lld,\"duration_nanos\":%lld,"
			"\"ids\":[",
		   (unsigned long long)s->pushes, (unsigned long long)s->samples, (unsigned long long)s->nameless,
		   (long long)s->min_time_nanos, (long long)s->max_time_nanos, (long long)s->duration_nanos);
	vec_foreach(id, &s->ids)
	{
		if (id > s->ids.v)
			buf_putc(out, ',');
		put_string(out, *id);
	}
	buf_putc(out, ']');
	put_totals(out, s);
	put_types(out, s);
	buf_puts(out, ",\"names\":["); /* of the last type: pprof's default */
	if (s->n_types)
		put_names(out, s, s->n_types - 1);
	buf_puts(out, "]}");
}

static void put_row(struct buf *out, const struct push_row *r)
{
	buf_printf(out, "{\"at_ms\":%lld,\"bytes\":%llu,\"status\":%d,\"code\":\"%s\",\"stored\":%s,\"time_nanos\":%lld,"
			"\"duration_nanos\":%lld,\"fault\":", (long long)r->at_ms,
		   (unsigned long long)r->bytes, r->status, connect_name(r->code), r->stored ? "true" : "false", (long long)r->time_nanos,
		   (long long)r->duration_nanos);
	put_string(out, r->fault);
	buf_puts(out, ",\"service\":");
	put_string(out, r->service);
	buf_puts(out, ",\"id\":");
	put_string(out, r->id);
	buf_puts(out, ",\"message\":");
	put_string(out, r->message);
	buf_putc(out, '}');
}

void store_json(const struct store *st, struct buf *out)
{
	buf_printf(out, "{\"pushes\":%llu", (unsigned long long)st->pushes);
	put_tallies(out, "requests", &st->statuses);
	put_tallies(out, "errors", &st->errors);
	put_tallies(out, "warnings", &st->warnings);
	put_tallies(out, "user_agents", &st->user_agents);
	put_tallies(out, "authorizations", &st->authorizations);
	put_tallies(out, "tenants", &st->tenants);
	buf_puts(out, ",\"series\":[");
	vec_foreach(s, &st->series)
	{
		if (s > st->series.v)
			buf_putc(out, ',');
		put_series(out, *s);
	}
	buf_puts(out, "],\"log\":[");
	vec_foreach(r, &st->log)
	{
		if (r > st->log.v)
			buf_putc(out, ',');
		put_row(out, r);
	}
	buf_puts(out, "]}");
}
