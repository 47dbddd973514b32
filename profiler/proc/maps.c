/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc/image.h"

struct maps {
	uint32_t refs, n, cap;
	uint32_t reserved;
	struct mapping v[];
};

struct maps *maps_ref(struct maps *m)
{
	if (m)
		m->refs++;
	return m;
}

struct maps *maps_unref(struct maps *m, struct images *images)
{
	if (!m || --m->refs)
		return NULL;
	for (uint32_t i = 0; i < m->n; i++)
		image_unref(images, m->v[i].image);
	free(m);
	return NULL;
}

uint32_t maps_count(const struct maps *m)
{
	return m ? m->n : 0;
}

const struct mapping *maps_at(const struct maps *m, uint32_t i)
{
	return &m->v[i];
}

/* Index of the first mapping that ends above addr. */
static uint32_t first_above(const struct maps *m, uint64_t addr)
{
	uint32_t lo = 0, hi = m->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (m->v[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct mapping *maps_find(const struct maps *m, uint64_t addr)
{
	uint32_t i;

	if (!m)
		return NULL;
	i = first_above(m, addr);
	return i < m->n && m->v[i].start <= addr ? &m->v[i] : NULL;
}

/* A private copy with room for two more (an insert can split one mapping in two). */
static int make_writable(struct maps **m, struct images *images)
{
	struct maps *old = *m, *copy;
	uint32_t n = maps_count(old), cap;

	if (old && old->refs == 1 && old->cap - old->n >= 2)
		return 0;
	cap = n + n / 2 + 6;
	copy = malloc(sizeof(*copy) + cap * sizeof(copy->v[0]));
	if (!copy)
		return -ENOMEM;
	*copy = (struct maps){ .refs = 1, .n = n, .cap = cap };
	if (n)
		memcpy(copy->v, old->v, n * sizeof(copy->v[0]));
	for (uint32_t i = 0; i < n; i++)
		image_ref(images, copy->v[i].image);
	maps_unref(old, images);
	*m = copy;
	return 0;
}

static void remove_at(struct maps *m, uint32_t i, struct images *images)
{
	image_unref(images, m->v[i].image);
	memmove(&m->v[i], &m->v[i + 1], (m->n - i - 1) * sizeof(m->v[0]));
	m->n--;
}

static void insert_at(struct maps *m, uint32_t i, const struct mapping *add)
{
	memmove(&m->v[i + 1], &m->v[i], (m->n - i) * sizeof(m->v[0]));
	m->v[i] = *add;
	m->n++;
}

static void cut_front(struct mapping *x, uint64_t new_start)
{
	x->pgoff += new_start - x->start;
	x->start = new_start;
}

/* Clears [start, end); returns the index at which a mapping of that range belongs. */
static uint32_t make_hole(struct maps *m, uint64_t start, uint64_t end, struct images *images)
{
	uint32_t i = first_above(m, start);
	struct mapping *x = &m->v[i];

	if (i < m->n && x->start < start) {
		if (x->end > end) {
			struct mapping tail = *x;

			cut_front(&tail, end);
			image_ref(images, tail.image);
			insert_at(m, i + 1, &tail);
			x = &m->v[i];
		}
		x->end = start;
		i++;
	}
	while (i < m->n && m->v[i].end <= end)
		remove_at(m, i, images);
	if (i < m->n && m->v[i].start < end)
		cut_front(&m->v[i], end);
	return i;
}

/* JIT regions are announced page by page as they become executable: keep one mapping of them. */
static void join(struct maps *m, uint32_t i, struct images *images)
{
	struct mapping *x = &m->v[i];

	if (x[0].image == x[1].image && x[0].end == x[1].start &&
	    x[0].pgoff + (x[0].end - x[0].start) == x[1].pgoff) {
		x[0].end = x[1].end;
		remove_at(m, i + 1, images);
	}
}

int maps_insert(struct maps **m, struct images *images, const struct mapping *add)
{
	uint32_t i;
	int r;

	r = make_writable(m, images);
	if (r < 0 || add->end <= add->start) {
		image_unref(images, add->image);
		return r;
	}
	i = make_hole(*m, add->start, add->end, images);
	insert_at(*m, i, add);
	if (image_get(images, add->image)->kind == IMAGE_JIT) {
		if (i + 1 < (*m)->n)
			join(*m, i, images);
		if (i > 0)
			join(*m, i - 1, images);
	}
	return 0;
}
