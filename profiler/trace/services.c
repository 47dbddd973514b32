/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/services.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/vec.h"

struct service {
	uint32_t id;
	bool alive;
	uint64_t gone_ns; /* since when it has not been; 0: it is */
	char *labels;
};

struct services {
	uint64_t forget_ns;
	uint32_t last_id;
	vec(struct service) v; /* by id: new ones come last */
	struct htable index;   /* by labels */
};

int services_new(uint64_t forget_ns, struct services **ret)
{
	struct services *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->forget_ns = forget_ns;
	*ret = s;
	return 0;
}

struct services *services_free(struct services *s)
{
	if (!s)
		return NULL;
	vec_foreach(e, &s->v)
		free(e->labels);
	vec_fini(&s->v);
	htable_fini(&s->index);
	free(s);
	return NULL;
}

static int by_id(const void *key, const void *element)
{
	uint32_t id = *(const uint32_t *)key;
	const struct service *e = element;

	return id < e->id ? -1 : id > e->id;
}

static struct service *find(const struct services *s, uint32_t id)
{
	return s->v.n ? bsearch(&id, s->v.v, s->v.n, sizeof(*s->v.v), by_id) : NULL;
}

const char *services_labels(const struct services *s, uint32_t id)
{
	const struct service *e = find(s, id);

	return e ? e->labels : NULL;
}

static void live(struct service *e)
{
	e->alive = true;
	e->gone_ns = 0;
}

void services_alive(struct services *s, uint32_t id)
{
	struct service *e = find(s, id);

	if (e)
		live(e);
}

struct question {
	const struct services *s;
	const char *labels;
};

static bool same_labels(const void *ctx, uint32_t i)
{
	const struct question *q = ctx;

	return !strcmp(q->s->v.v[i].labels, q->labels);
}

static uint64_t hash_labels(const char *labels)
{
	return hash_bytes(labels, strlen(labels), 0);
}

uint32_t services_add(struct services *s, const char *labels)
{
	const struct question q = { s, labels };
	uint32_t i = htable_find(&s->index, hash_labels(labels), same_labels, &q);
	struct service *e;

	if (i != HTABLE_NONE) {
		live(&s->v.v[i]);
		return s->v.v[i].id;
	}
	e = vec_push(&s->v);
	if (!e)
		return 0;
	e->labels = strdup(labels);
	if (!e->labels || htable_insert(&s->index, hash_labels(labels), s->v.n - 1) < 0) {
		free(e->labels);
		s->v.n--;
		return 0;
	}
	e->id = ++s->last_id;
	live(e);
	return e->id;
}

void services_begin(struct services *s)
{
	vec_foreach(e, &s->v)
		e->alive = false;
}

/* Notes who has gone, and says how many that are. */
static uint32_t note_gone(struct services *s, uint64_t now_ns)
{
	uint32_t n = 0;

	vec_foreach(e, &s->v) {
		if (!e->alive && !e->gone_ns)
			e->gone_ns = now_ns;
		n += e->gone_ns != 0;
	}
	return n;
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* When those went that have to make room: so many, the longest gone; 0: none have to, or there is no memory to tell. */
static uint64_t longest_gone(const struct services *s, uint32_t gone, uint32_t n)
{
	uint64_t *times = n ? calloc(gone, sizeof(*times)) : NULL, last = 0;
	uint32_t i = 0;

	if (!times)
		return 0;
	vec_foreach(e, &s->v)
		if (e->gone_ns)
			times[i++] = e->gone_ns;
	qsort(times, gone, sizeof(*times), by_time);
	last = times[n - 1];
	free(times);
	return last;
}

/* What finds no memory now is not found by its labels, and gets another number. */
static void index_all(struct services *s)
{
	htable_reset(&s->index);
	for (uint32_t i = 0; i < s->v.n; i++)
		htable_insert(&s->index, hash_labels(s->v.v[i].labels), i);
}

uint32_t services_end(struct services *s, uint64_t now_ns)
{
	uint32_t n = note_gone(s, now_ns), kept = 0, went;
	uint64_t until = longest_gone(s, n, n > SERVICES_GONE ? n - SERVICES_GONE : 0);

	for (uint32_t i = 0; i < s->v.n; i++) {
		struct service e = s->v.v[i];

		if (e.gone_ns && (now_ns - e.gone_ns >= s->forget_ns || e.gone_ns <= until))
			free(e.labels);
		else
			s->v.v[kept++] = e;
	}
	went = s->v.n - kept;
	s->v.n = kept;
	if (went)
		index_all(s);
	return went;
}
