/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/timeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

/* Room that stays when all is handed on: more was needed by a moment in which samples waited. */
#define KEPT_BYTES (1 * MIB)

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

/* Drops the first n items and moves the bytes of the others, in their order, to the front. */
static int compact(struct timeline *t, uint32_t n)
{
	struct buf kept = BUF_INIT;

	if (n == t->items.n) {
		t->items.n = 0;
		buf_reset(&t->bytes);
		if (t->bytes.cap > KEPT_BYTES)
			timeline_fini(t);
		return 0;
	}
	for (uint32_t i = n; i < t->items.n; i++) {
		struct timeline_item *item = &t->items.v[i];
		size_t at = kept.len;

		buf_append(&kept, t->bytes.data + item->at, (item->len + 7) & ~7u);
		item->at = at;
		t->items.v[i - n] = *item;
	}
	t->items.n -= n;
	buf_fini(&t->bytes);
	t->bytes = kept;
	return buf_error(&kept);
}

int timeline_run(struct timeline *t, uint64_t until_ns,
		 int (*fn)(void *ctx, enum timeline_source source, uint64_t time_ns,
			   const void *record, size_t len),
		 void *ctx)
{
	uint32_t n = 0;
	int r = 0, c;

	if (t->items.n)
		qsort(t->items.v, t->items.n, sizeof(*t->items.v), by_time);
	while (n < t->items.n && t->items.v[n].time_ns <= until_ns && r >= 0) {
		const struct timeline_item *item = &t->items.v[n];

		r = fn(ctx, item->source, item->time_ns, t->bytes.data + item->at, item->len);
		n += r != -EAGAIN;
	}
	c = n ? compact(t, n) : 0;
	return r < 0 ? r : c;
}

void timeline_fini(struct timeline *t)
{
	vec_fini(&t->items);
	buf_fini(&t->bytes);
}
