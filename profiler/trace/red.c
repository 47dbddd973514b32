/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/red.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/vec.h"

enum { MAX_SERIES = 10000, MAX_MOVES = 65536, MAX_ROUNDS = 60 };

/* A cell of the kernel's as it was last time. */
struct cell {
	struct red_key key;
	uint32_t service, route; /* of its series; the key's route is of the service that its process had when the path was taught */
	struct red_cell last;
	bool told; /* in this round */
};

struct move {
	struct red_series_key from;
	uint32_t tgid;
	uint32_t route;
	uint32_t rounds; /* it has waited: what it moves may have found no room in the kernel */
	struct red_series what; /* one request */
};

struct red {
	struct red_opts opts;
	vec(struct cell) cells;
	struct htable cell_index;
	vec(struct red_series) series;
	struct htable series_index;
	vec(struct move) moves;
	uint64_t round_ns;        /* of the last one: what is new has begun since */
	struct red_series nowhere; /* what there is no room for */
};

int red_new(const struct red_opts *opts, struct red **ret)
{
	struct red *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->opts = *opts;
	r->opts.max_series = opts->max_series ? opts->max_series : MAX_SERIES;
	r->round_ns = opts->start_ns;
	*ret = r;
	return 0;
}

struct red *red_free(struct red *r)
{
	if (!r)
		return NULL;
	vec_fini(&r->cells);
	htable_fini(&r->cell_index);
	vec_fini(&r->series);
	htable_fini(&r->series_index);
	vec_fini(&r->moves);
	free(r);
	return NULL;
}

/* ---- series ---- */

struct question {
	const struct red *r;
	const void *key;
};

static bool same_series(const void *ctx, uint32_t i)
{
	const struct question *q = ctx;

	return !memcmp(&q->r->series.v[i].key, q->key, sizeof(struct red_series_key));
}

static uint64_t hash_series(const struct red_series_key *key)
{
	return hash_bytes(key, sizeof(*key), 1);
}

/* NULL: there is none. */
static struct red_series *find_series(struct red *r, const struct red_series_key *key)
{
	const struct question q = { r, key };
	uint32_t i = htable_find(&r->series_index, hash_series(key), same_series, &q);

	return i == HTABLE_NONE ? NULL : &r->series.v[i];
}

/* NULL: no memory. */
static struct red_series *series_of(struct red *r, struct red_series_key key)
{
	struct red_series *s = find_series(r, &key);

	if (s)
		return s;
	if (r->series.n >= r->opts.max_series && key.route) {
		key.route = r->opts.overflow_of(r->opts.ctx, key.service);
		s = find_series(r, &key);
		if (s)
			return s;
	}
	if (r->series.n / 2 >= r->opts.max_series)
		return &r->nowhere;
	s = vec_push(&r->series);
	if (!s)
		return NULL;
	s->key = key;
	s->start_ns = r->round_ns;
	if (htable_insert(&r->series_index, hash_series(&key), r->series.n - 1) == 0)
		return s;
	r->series.n--;
	return NULL;
}

const struct red_series *red_series(const struct red *r, uint32_t *ret_n)
{
	*ret_n = r->series.n;
	return r->series.v;
}

/* Indices have changed, or some are gone. What finds no memory now is not found, and begins anew. */
static void index_series(struct red *r)
{
	htable_reset(&r->series_index);
	for (uint32_t i = 0; i < r->series.n; i++)
		htable_insert(&r->series_index, hash_series(&r->series.v[i].key), i);
}

uint64_t red_lost(const struct red *r)
{
	return r->nowhere.count;
}

void red_forget(struct red *r, bool (*has_gone)(void *ctx, uint32_t service), void *ctx)
{
	uint32_t kept = 0;

	vec_foreach(s, &r->series)
		if (!has_gone(ctx, s->key.service))
			r->series.v[kept++] = *s;
	if (kept == r->series.n)
		return;
	r->series.n = kept;
	index_series(r);
}

/* ---- cells ---- */

static bool same_cell(const void *ctx, uint32_t i)
{
	const struct question *q = ctx;

	return !memcmp(&q->r->cells.v[i].key, q->key, sizeof(struct red_key));
}

static uint64_t hash_cell(const struct red_key *key)
{
	return hash_bytes(key, sizeof(*key), 2);
}

static struct cell *cell_of(struct red *r, const struct red_key *key)
{
	const struct question q = { r, key };
	uint32_t i = htable_find(&r->cell_index, hash_cell(key), same_cell, &q);
	struct cell *c;

	if (i != HTABLE_NONE)
		return &r->cells.v[i];
	c = vec_push(&r->cells);
	if (!c)
		return NULL;
	c->key = *key;
	if (htable_insert(&r->cell_index, hash_cell(key), r->cells.n - 1) == 0)
		return c;
	r->cells.n--;
	return NULL;
}

static void add_buckets(uint64_t *to, const uint32_t *now, const uint32_t *last, int n)
{
	for (int i = 0; i < n; i++)
		to[i] += (uint32_t)(now[i] - last[i]);
}

static void add_difference(struct red_series *s, const struct red_cell *now, const struct red_cell *last)
{
	s->duration_ns += now->duration_ns - last->duration_ns;
	s->request_bytes += now->request_bytes - last->request_bytes;
	s->response_bytes += now->response_bytes - last->response_bytes;
	s->cpu_ns += now->cpu_ns - last->cpu_ns;
	s->unfinished += (uint32_t)(now->unfinished - last->unfinished);
	for (int i = 0; i < TRACE_DURATIONS; i++)
		s->count += (uint32_t)(now->durations[i] - last->durations[i]);
	add_buckets(s->durations, now->durations, last->durations, TRACE_DURATIONS);
	add_buckets(s->request_sizes, now->request_sizes, last->request_sizes, TRACE_SIZES);
	add_buckets(s->response_sizes, now->response_sizes, last->response_sizes, TRACE_SIZES);
}

void red_begin(struct red *r)
{
	vec_foreach(c, &r->cells)
		c->told = false;
}

/* A route has a number for each service: two with one name would be one series twice. 0 or -ENOMEM. */
static int find_service(struct red *r, struct cell *c)
{
	uint32_t service = r->opts.service_of(r->opts.ctx, c->key.tgid), route = c->key.route;

	if (service == c->service)
		return 0;
	if (service && route != TRACE_ROUTE_UNKNOWN) {
		route = r->opts.route_of(r->opts.ctx, service, route);
		if (!route)
			return -ENOMEM;
	}
	c->service = service;
	c->route = route;
	return 0;
}

int red_cell(struct red *r, const struct red_key *key, const struct red_cell *now)
{
	struct cell *c = cell_of(r, key);
	struct red_series *s;

	if (!c)
		return -ENOMEM;
	c->told = true;
	if (find_service(r, c) < 0)
		return -ENOMEM;
	s = c->service ? series_of(r, (struct red_series_key){ c->service, c->route, key->status, key->method, key->side }) : NULL;
	if (c->service && !s)
		return -ENOMEM;
	if (s)
		add_difference(s, now, &c->last);
	c->last = *now;
	return 0;
}

void red_drop_cell(struct red *r, const struct red_key *key)
{
	const struct question q = { r, key };
	uint32_t i = htable_find(&r->cell_index, hash_cell(key), same_cell, &q);

	if (i != HTABLE_NONE)
		r->cells.v[i].last = (struct red_cell){ 0 };
}

static void forget_cells(struct red *r)
{
	uint32_t kept = 0;

	vec_foreach(c, &r->cells)
		if (c->told)
			r->cells.v[kept++] = *c;
	if (kept == r->cells.n)
		return;
	r->cells.n = kept;
	htable_reset(&r->cell_index);
	for (uint32_t i = 0; i < r->cells.n; i++)
		htable_insert(&r->cell_index, hash_cell(&r->cells.v[i].key), i);
}

/* ---- moves ---- */

static void move_buckets(uint64_t *to, uint64_t *from, const uint64_t *what, int n)
{
	for (int i = 0; i < n; i++) {
		to[i] += what[i];
		from[i] -= what[i];
	}
}

#define MOVE(field) (to->field += m->what.field, from->field -= m->what.field)

static bool has_come(const struct red_series *from, const struct red_series *what)
{
	for (int i = 0; i < TRACE_DURATIONS; i++)
		if (from->durations[i] < what->durations[i])
			return false;
	return from->duration_ns >= what->duration_ns && from->request_bytes >= what->request_bytes &&
	       from->response_bytes >= what->response_bytes && from->cpu_ns >= what->cpu_ns;
}

/* What it moves was counted for the service that its process is of now; later the process may be none any more. */
static void follow(struct red *r, struct move *m)
{
	uint32_t service = m->rounds < 2 ? r->opts.service_of(r->opts.ctx, m->tgid) : m->from.service;

	if (!service || service == m->from.service)
		return;
	m->from.service = service;
	m->route = r->opts.route_of(r->opts.ctx, service, m->route);
}

/* False: what it moves has not come yet, or there is no memory. */
static bool apply(struct red *r, const struct move *m)
{
	struct red_series_key key = m->from;
	struct red_series *to, *from;

	from = find_series(r, &m->from);
	if (!from || !has_come(from, &m->what))
		return false;
	key.route = m->route;
	to = series_of(r, key);
	if (!to || to == &r->nowhere)
		return false;
	from = find_series(r, &m->from); /* it may have moved */
	MOVE(count);
	MOVE(duration_ns);
	MOVE(request_bytes);
	MOVE(response_bytes);
	MOVE(cpu_ns);
	MOVE(unfinished);
	move_buckets(to->durations, from->durations, m->what.durations, TRACE_DURATIONS);
	move_buckets(to->request_sizes, from->request_sizes, m->what.request_sizes, TRACE_SIZES);
	move_buckets(to->response_sizes, from->response_sizes, m->what.response_sizes, TRACE_SIZES);
	return true;
}

int red_move(struct red *r, const struct ev_request *ev, uint32_t route)
{
	uint32_t service = r->opts.service_of(r->opts.ctx, ev->tgid);
	struct move *m;

	if (!service || route == TRACE_ROUTE_UNKNOWN)
		return 0;
	if (r->moves.n >= MAX_MOVES)
		return -ENOMEM;
	m = vec_push(&r->moves);
	if (!m)
		return -ENOMEM;
	m->from = (struct red_series_key){ service, TRACE_ROUTE_UNKNOWN, ev->status, ev->method, ev->side };
	m->tgid = ev->tgid;
	m->route = route;
	m->what = (struct red_series){ .count = 1, .duration_ns = ev->end_ns - ev->start_ns, .request_bytes = ev->request_bytes,
				       .response_bytes = ev->response_bytes, .cpu_ns = ev->used.cpu_ns,
				       .unfinished = ev->flags & TRACE_UNFINISHED ? 1 : 0 };
	m->what.durations[red_duration_bucket(ev->end_ns - ev->start_ns)] = 1;
	m->what.request_sizes[red_size_bucket(ev->request_bytes)] = 1;
	m->what.response_sizes[red_size_bucket(ev->response_bytes)] = 1;
	return 0;
}

const char *red_error(uint8_t side, uint16_t status, char text[RED_ERROR_BYTES])
{
	if (status == TRACE_STATUS_NONE)
		return "no_response";
	if (status < (side == TRACE_SERVER ? 500 : 400))
		return NULL;
	snprintf(text, RED_ERROR_BYTES, "%u", status);
	return text;
}

void red_end(struct red *r, uint64_t now_ns)
{
	uint32_t kept = 0;

	forget_cells(r);
	vec_foreach(m, &r->moves)
		follow(r, m);
	vec_foreach(m, &r->moves)
		if (!apply(r, m) && m->rounds++ < MAX_ROUNDS)
			r->moves.v[kept++] = *m;
	r->moves.n = kept;
	r->round_ns = now_ns;
}
