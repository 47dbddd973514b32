/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/timeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

/* Room that stays: more was needed by a moment in which samples waited. */
#define KEPT_BYTES (1 * MIB)
#define KEPT_ITEMS 4096u

int timeline_add(struct timeline *t, enum timeline_source source, uint64_t time_ns,
		 const void *record, size_t len)
{
	size_t at = t->bytes.len, padded = (len + 7) & ~(size_t)7;
	uint8_t *to = buf_reserve(&t->bytes, padded);
	struct timeline_item *item = to ? vec_push(&t->items) : NULL;

	if (!item) {
		buf_reset(&t->bytes); /* clears the sticky error; the length comes back below */
		t->bytes.len = at;
		return -ENOMEM;
	}
	memcpy(to, record, len);
	t->bytes.len += padded;
	*item = (struct timeline_item){
		.time_ns = time_ns, .at = at, .len = (uint32_t)len, .source = source
	};
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct timeline_item *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int by_place(const void *a, const void *b)
{
	const struct timeline_item *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/* Gives back what one moment of waiting needed more than others. */
static void shrink(struct timeline *t)
{
	uint8_t *bytes = t->bytes.cap > KEPT_BYTES && t->bytes.len <= KEPT_BYTES ? realloc(t->bytes.data, KEPT_BYTES) : NULL;
	struct timeline_item *items = t->items.cap > KEPT_ITEMS && t->items.n <= KEPT_ITEMS ? realloc(t->items.v, KEPT_ITEMS * sizeof(*items)) : NULL;

	if (bytes) {
		t->bytes.data = bytes;
		t->bytes.cap = KEPT_BYTES;
	}
	if (items) {
		t->items.v = items;
		t->items.cap = KEPT_ITEMS;
	}
}

/* Drops the first n items and moves the bytes of the others to the front: in place, a poll comes several times a second. */
static void compact(struct timeline *t, uint32_t n)
{
	size_t to = 0;

	t->items.n -= n;
	memmove(t->items.v, t->items.v + n, t->items.n * sizeof(*t->items.v));
	qsort(t->items.v, t->items.n, sizeof(*t->items.v), by_place);
	vec_foreach(item, &t->items)
	{
		size_t padded = (item->len + 7) & ~(size_t)7;

		memmove(t->bytes.data + to, t->bytes.data + item->at, padded);
		item->at = to;
		to += padded;
	}
	t->bytes.len = to;
	shrink(t);
}

int timeline_run(struct timeline *t, uint64_t until_ns,
		 int (*fn)(void *ctx, enum timeline_source source, uint64_t time_ns,
			   const void *record, size_t len),
		 void *ctx)
{
	uint32_t n = 0;
	int r = 0;

	if (t->items.n)
		qsort(t->items.v, t->items.n, sizeof(*t->items.v), by_time);
	while (n < t->items.n && t->items.v[n].time_ns <= until_ns && r >= 0) {
		const struct timeline_item *item = &t->items.v[n];

		r = fn(ctx, item->source, item->time_ns, t->bytes.data + item->at, item->len);
		n += r != -EAGAIN;
	}
	if (n)
		compact(t, n);
	return r < 0 ? r : 0;
}

void timeline_fini(struct timeline *t)
{
	vec_fini(&t->items);
	buf_fini(&t->bytes);
}
