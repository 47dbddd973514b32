/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/spans.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

int spans_add(struct spans *s, uint64_t start, uint64_t end, uint32_t id)
{
	struct span *new;

	if (end <= start)
		return 0;
	new = vec_push(s);
	if (!new)
		return -ENOMEM;
	*new = (struct span){ .start = start, .len = end - start > UINT32_MAX ? UINT32_MAX : (uint32_t)(end - start),
			      .id = id };
	return 0;
}

/* One pass of a radix sort; false when all have the same digit and nothing was moved. */
static bool sort_digit(const struct span *from, struct span *to, uint32_t n, unsigned int shift)
{
	uint32_t at[256] = { 0 }, sum = 0;

	for (uint32_t i = 0; i < n; i++)
		at[(from[i].start >> shift) & 255]++;
	if (at[(from[0].start >> shift) & 255] == n)
		return false;
	for (int d = 0; d < 256; d++) {
		uint32_t here = at[d];

		at[d] = sum;
		sum += here;
	}
	for (uint32_t i = 0; i < n; i++)
		to[at[(from[i].start >> shift) & 255]++] = from[i];
	return true;
}

static bool is_sorted(const struct spans *s)
{
	for (uint32_t i = 1; i < s->n; i++)
		if (s->v[i - 1].start > s->v[i].start)
			return false;
	return true;
}

int spans_sort(struct spans *s)
{
	struct span *other;

	if (is_sorted(s))
		return 0;
	other = malloc(s->n * sizeof(*other));
	if (!other)
		return -ENOMEM;
	for (unsigned int shift = 0; shift < 64; shift += 8)
		if (sort_digit(s->v, other, s->n, shift)) {
			struct span *sorted = other;

			other = s->v;
			s->v = sorted;
			s->cap = s->n;
		}
	free(other);
	return 0;
}

/* The spans open at an address: a heap, the winner on top; those that have ended leave when they reach it. */
struct open {
	vec(uint32_t) heap;
	const struct spans *spans;
	const struct spans_sweep *how;
};

static bool wins(const struct open *o, uint32_t a, uint32_t b)
{
	return o->how->wins(o->how->ctx, &o->spans->v[a], &o->spans->v[b]);
}

static int open_push(struct open *o, uint32_t span)
{
	uint32_t i = o->heap.n;

	if (!vec_push(&o->heap))
		return -ENOMEM;
	for (; i && wins(o, span, o->heap.v[(i - 1) / 2]); i = (i - 1) / 2)
		o->heap.v[i] = o->heap.v[(i - 1) / 2];
	o->heap.v[i] = span;
	return 0;
}

static void open_pop(struct open *o)
{
	uint32_t n = --o->heap.n, last = o->heap.v[n], i = 0, child;

	while ((child = 2 * i + 1) < n) {
		if (child + 1 < n && wins(o, o->heap.v[child + 1], o->heap.v[child]))
			child++;
		if (wins(o, last, o->heap.v[child]))
			break;
		o->heap.v[i] = o->heap.v[child];
		i = child;
	}
	o->heap.v[i] = last;
}

static uint64_t end_of(const struct span *s)
{
	uint64_t end = s->start + s->len;

	return end < s->start ? UINT64_MAX : end;
}

/* Gives away [from, until) among the open spans. */
static int close_until(struct open *o, uint64_t from, uint64_t until)
{
	int r = 0;

	while (o->heap.n && from < until && !r) {
		const struct span *top = &o->spans->v[o->heap.v[0]];
		uint64_t end = end_of(top);

		if (end > from) {
			uint64_t to = end < until ? end : until;

			r = o->how->piece(o->how->ctx, from, to, top);
			from = to;
		}
		if (end <= from)
			open_pop(o);
	}
	return r;
}

int spans_sweep(const struct spans *s, const struct spans_sweep *how)
{
	struct open o = { .spans = s, .how = how };
	int r = 0;

	for (uint32_t i = 0; i < s->n && !r; i++) {
		r = open_push(&o, i);
		if (!r)
			r = close_until(&o, s->v[i].start, i + 1 < s->n ? s->v[i + 1].start : UINT64_MAX);
	}
	vec_fini(&o.heap);
	return r;
}
