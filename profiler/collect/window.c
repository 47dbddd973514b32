/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int window_new(struct images *images, size_t max_bytes, struct window **ret)
{
	struct window *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->images = images;
	w->max_bytes = max_bytes;
	*ret = w;
	return 0;
}

struct window *window_free(struct window *w)
{
	if (!w)
		return NULL;
	vec_foreach(held, &w->images_held)
		image_unref(w->images, held->id);
	strpool_fini(&w->strings);
	vec_fini(&w->images_held);
	vec_fini(&w->frames);
	vec_fini(&w->stack_frames);
	vec_fini(&w->stacks);
	vec_fini(&w->labels);
	vec_fini(&w->rows);
	htable_fini(&w->frame_index);
	htable_fini(&w->stack_index);
	htable_fini(&w->labels_index);
	htable_fini(&w->row_index);
	htable_fini(&w->image_index);
	free(w);
	return NULL;
}

size_t window_bytes(const struct window *w)
{
	const struct htable *index[] = { &w->frame_index, &w->stack_index, &w->labels_index, &w->row_index };
	size_t n = w->frames.cap * sizeof(*w->frames.v) + w->stack_frames.cap * sizeof(*w->stack_frames.v) +
		   w->stacks.cap * sizeof(*w->stacks.v) + w->labels.cap * sizeof(*w->labels.v) +
		   w->rows.cap * sizeof(*w->rows.v) + w->strings.arena.used_bytes;

	for (size_t i = 0; i < sizeof(index) / sizeof(index[0]); i++)
		n += index[i]->cap * sizeof(struct htable_slot);
	return n;
}

/* Their samples have moved. Indices change. */
static void drop_empty_rows(struct window *w)
{
	uint32_t kept = 0;

	vec_foreach(row, &w->rows)
		if (row->samples)
			w->rows.v[kept++] = *row;
	w->rows.n = kept;
}

void window_seal(struct window *w)
{
	drop_empty_rows(w);
	vec_foreach(held, &w->images_held)
		held->image = *image_get(w->images, held->id);
}

struct key {
	const struct window *w;
	const void *data;
	uint32_t n;
};

static bool same_image(const void *ctx, uint32_t id)
{
	const struct key *k = ctx;

	return k->w->images_held.v[id].id == k->n;
}

static int hold_image(struct window *w, uint32_t image)
{
	struct key k = { .w = w, .n = image };
	struct window_image *held;

	if (image == IMAGE_ID_NONE || htable_find(&w->image_index, hash_u64(image), same_image, &k) != HTABLE_NONE)
		return 0;
	held = vec_push(&w->images_held);
	if (!held)
		return -ENOMEM;
	held->id = image;
	if (htable_insert(&w->image_index, hash_u64(image), w->images_held.n - 1) < 0) {
		w->images_held.n--;
		return -ENOMEM;
	}
	image_ref(w->images, image);
	return 0;
}

static bool same_frame(const void *ctx, uint32_t id)
{
	const struct key *k = ctx;
	const struct window_frame *a = &k->w->frames.v[id], *b = k->data;

	return a->offset == b->offset && a->image == b->image;
}

static int intern_frame(struct window *w, const struct window_frame *f, uint32_t *ret)
{
	struct key k = { .w = w, .data = f };
	uint64_t hash = hash_u64(f->offset ^ (uint64_t)f->image << 40);
	struct window_frame *slot;

	*ret = htable_find(&w->frame_index, hash, same_frame, &k);
	if (*ret != HTABLE_NONE)
		return 0;
	slot = hold_image(w, f->image) < 0 ? NULL : vec_push(&w->frames);
	if (!slot)
		return -ENOMEM;
	*slot = *f;
	*ret = w->frames.n - 1;
	return htable_insert(&w->frame_index, hash, *ret);
}

static bool same_stack(const void *ctx, uint32_t id)
{
	const struct key *k = ctx;
	const struct window_stack *s = &k->w->stacks.v[id];

	return s->n == k->n && !memcmp(k->w->stack_frames.v + s->first, k->data, s->n * sizeof(uint32_t));
}

/* The ids are built behind the last stack: they stay there when the stack is new. */
static int intern_stack(struct window *w, const struct window_frame *frames, uint32_t n, uint32_t *ret)
{
	struct window_stack *slot;
	uint32_t *ids;
	uint64_t hash;
	int r;

	if (vec_reserve(&w->stack_frames, n + 1) < 0) /* there is a place behind the last, of no frames too */
		return -ENOMEM;
	ids = w->stack_frames.v + w->stack_frames.n;
	for (uint32_t i = 0; i < n; i++) {
		r = intern_frame(w, &frames[i], &ids[i]);
		if (r < 0)
			return r;
	}
	hash = hash_bytes(ids, n * sizeof(*ids), 0);
	*ret = htable_find(&w->stack_index, hash, same_stack, &(struct key){ .w = w, .data = ids, .n = n });
	if (*ret != HTABLE_NONE)
		return 0;
	slot = vec_push(&w->stacks);
	if (!slot)
		return -ENOMEM;
	*slot = (struct window_stack){ .first = w->stack_frames.n, .n = n };
	w->stack_frames.n += n;
	*ret = w->stacks.n - 1;
	return htable_insert(&w->stack_index, hash, *ret);
}

static bool same_labels(const void *ctx, uint32_t id)
{
	const struct key *k = ctx;

	return !memcmp(&k->w->labels.v[id], k->data, sizeof(struct window_labels));
}

static int intern_labels(struct window *w, const struct window_labels *l, uint32_t *ret)
{
	uint64_t hash = hash_bytes(l, sizeof(*l), 0);
	struct window_labels *slot;

	*ret = htable_find(&w->labels_index, hash, same_labels, &(struct key){ .w = w, .data = l });
	if (*ret != HTABLE_NONE)
		return 0;
	slot = vec_push(&w->labels);
	if (!slot)
		return -ENOMEM;
	*slot = *l;
	*ret = w->labels.n - 1;
	return htable_insert(&w->labels_index, hash, *ret);
}

static bool same_row(const void *ctx, uint32_t id)
{
	const struct key *k = ctx;
	const struct window_row *a = &k->w->rows.v[id], *b = k->data;

	return a->stack == b->stack && a->labels == b->labels;
}

/* Its number, or -ENOMEM. */
static int count_row(struct window *w, struct window_row row)
{
	uint64_t hash = hash_u64(row.stack | (uint64_t)row.labels << 32);
	uint32_t id = htable_find(&w->row_index, hash, same_row, &(struct key){ .w = w, .data = &row });
	struct window_row *slot;

	if (id != HTABLE_NONE) {
		w->rows.v[id].samples += row.samples;
		w->rows.v[id].cpu_ns += row.cpu_ns;
		return (int)id;
	}
	slot = vec_push(&w->rows);
	if (!slot)
		return -ENOMEM;
	*slot = row;
	if (htable_insert(&w->row_index, hash, w->rows.n - 1) < 0) {
		w->rows.n--;
		return -ENOMEM;
	}
	return (int)w->rows.n - 1;
}

int window_add(struct window *w, const struct window_frame *frames, uint32_t n_frames,
	       const struct window_labels *labels, uint32_t samples, uint64_t period_ns)
{
	struct window_row row = { .samples = samples, .cpu_ns = samples * period_ns };
	int r;

	if (window_bytes(w) > w->max_bytes)
		return -ENOSPC;
	r = intern_stack(w, frames, n_frames, &row.stack);
	if (r >= 0)
		r = intern_labels(w, labels, &row.labels);
	if (r >= 0)
		r = count_row(w, row);
	if (r >= 0)
		w->samples += samples;
	return r;
}

int window_move(struct window *w, uint32_t row, uint64_t samples, uint64_t cpu_ns, const char *route)
{
	struct window_labels labels = w->labels.v[w->rows.v[row].labels];
	struct window_row to = { .stack = w->rows.v[row].stack, .samples = samples, .cpu_ns = cpu_ns };
	int r;

	if (window_bytes(w) > w->max_bytes)
		return -ENOSPC;
	labels.route = strpool_add(&w->strings, route);
	r = intern_labels(w, &labels, &to.labels);
	if (r >= 0)
		r = count_row(w, to);
	if (r < 0)
		return r;
	w->rows.v[row].samples -= samples;
	w->rows.v[row].cpu_ns -= cpu_ns;
	return 0;
}
