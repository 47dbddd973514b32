/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "base/vec.h"
#include "proc/image.h"
#include "unwind/builder.h"
#include "unwind/slabs.h"

#include "bpf/space.h"

/* Pages' rows are kept in pieces of this size, so that a slab with holes still has room for them. */
#define PIECE_BYTES (128 * KIB)
/* A compiler runs again soon. */
#define IDLE_NS (60 * NSEC_PER_SEC)
/* A table that takes longer is waited for no more; it comes all the same. */
#define PATIENCE_NS (2 * NSEC_PER_SEC)

struct chunk {
	uint32_t at, bytes;
};

struct table {
	uint32_t head; /* slab address; 0: the image has no table */
	uint64_t used_ns, asked_ns; /* asked_ns: 0: not being built */
	uint64_t rows, bytes;
	vec(struct chunk) chunks;
};

struct tables {
	struct slabs *slabs;
	struct images *images; /* both borrowed */
	struct builder *builder;
	size_t max_bytes;
	uint64_t started_ns; /* when the builder began with what it is at */
	vec(struct table) v; /* by image id */
	uint32_t last_id;    /* of rows */
	struct tables_stats stats;
};

int tables_new(struct slabs *slabs, struct images *images, size_t max_bytes, struct tables **ret)
{
	struct tables *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->slabs = slabs;
	t->images = images;
	t->max_bytes = max_bytes;
	r = builder_new(&t->builder);
	if (r < 0) {
		free(t);
		return r;
	}
	*ret = t;
	return 0;
}

struct tables *tables_free(struct tables *t)
{
	if (!t)
		return NULL;
	builder_free(t->builder);
	for (uint32_t i = 0; i < t->v.n; i++) {
		vec_fini(&t->v.v[i].chunks);
		if (t->v.v[i].head)
			image_unref(t->images, i);
	}
	vec_fini(&t->v);
	free(t);
	return NULL;
}

int tables_fd(const struct tables *t)
{
	return builder_fd(t->builder);
}

/* NULL: out of memory for the mapping; what the head says then stays. */
static struct space_image *head_of(const struct tables *t, uint32_t image)
{
	return slabs_at(t->slabs, t->v.v[image].head);
}

/* The program reads `how` first: it is written last. */
static void set_how(struct tables *t, uint32_t image, enum space_how how)
{
	struct space_image *head = head_of(t, image);

	if (head)
		__atomic_store_n(&head->how, how, __ATOMIC_RELEASE);
}

static struct table *slot(struct tables *t, uint32_t image)
{
	while (t->v.n <= image)
		if (!vec_push(&t->v))
			return NULL;
	return &t->v.v[image];
}

int tables_head(struct tables *t, uint32_t image, uint64_t now_ns, uint32_t *ret_at)
{
	struct table *x = slot(t, image);
	int r;

	if (!x)
		return -ENOMEM;
	if (!x->head) {
		r = slabs_alloc(t->slabs, sizeof(struct space_image), &x->head);
		if (r < 0)
			return r;
		image_ref(t->images, image);
		if (image_get(t->images, image)->kind == IMAGE_JIT)
			set_how(t, image, SPACE_NO_ROWS);
	}
	x->used_ns = now_ns;
	*ret_at = x->head;
	return 0;
}

/* Takes the rows from an image, not its place: processes still point there. */
static void unload(struct tables *t, uint32_t image, uint64_t now_ns)
{
	struct table *x = &t->v.v[image];

	set_how(t, image, SPACE_UNKNOWN);
	vec_foreach(c, &x->chunks)
		slabs_retire(t->slabs, c->at, c->bytes, now_ns);
	vec_fini(&x->chunks);
	t->stats.loaded -= x->bytes > 0;
	t->stats.rows -= x->rows;
	t->stats.bytes -= x->bytes;
	x->rows = x->bytes = 0;
}

/* Makes room by the table used longest ago, as long as one is there. */
static void evict(struct tables *t, uint32_t keep, uint64_t now_ns)
{
	while (t->stats.bytes > t->max_bytes) {
		uint32_t oldest = keep;

		for (uint32_t i = 0; i < t->v.n; i++)
			if (i != keep && t->v.v[i].bytes && (oldest == keep || t->v.v[i].used_ns < t->v.v[oldest].used_ns))
				oldest = i;
		if (oldest == keep)
			return;
		unload(t, oldest, now_ns);
		t->stats.evicted++;
	}
}

static int add_chunk(struct tables *t, struct table *x, uint32_t bytes, uint32_t *ret_at)
{
	struct chunk *c;
	int r;

	if (vec_reserve(&x->chunks, 1) < 0)
		return -ENOMEM;
	r = slabs_alloc(t->slabs, bytes, ret_at);
	if (r < 0)
		return r;
	c = vec_push(&x->chunks);
	*c = (struct chunk){ .at = *ret_at, .bytes = bytes };
	x->bytes += bytes;
	return 0;
}

/* Where the rows of the next page that has its own begin. */
static uint32_t blob_end(const struct rows *rows, uint32_t page)
{
	while (++page < rows->n_pages)
		if (rows->pages[page].n)
			return rows_at(&rows->pages[page]);
	return (uint32_t)rows->blob_bytes;
}

/* Pages from first on whose rows go into one piece. */
static uint32_t piece_end(const struct rows *rows, uint32_t first)
{
	uint32_t page = first + 1;

	while (page < rows->n_pages && (!rows->pages[page].n || blob_end(rows, page) - rows_at(&rows->pages[first]) <= PIECE_BYTES))
		page++;
	return page;
}

static int load_piece(struct tables *t, struct table *x, const struct rows *rows, uint32_t first, uint32_t end, struct rows_page *out)
{
	uint32_t from = rows_at(&rows->pages[first]), to = from, at = 0;
	int r;

	for (uint32_t i = first; i < end; i++)
		to = rows->pages[i].n ? blob_end(rows, i) : to;
	r = add_chunk(t, x, to - from, &at);
	if (r < 0)
		return r;
	memcpy(slabs_at(t->slabs, at), rows->blob + from, to - from);
	for (uint32_t i = first; i < end; i++) {
		out[i] = rows->pages[i];
		if (out[i].n)
			out[i].at = at + (rows->pages[i].at - from);
	}
	return 0;
}

/* Directory and rules in one chunk, the pages' rows in pieces behind it. */
static int load_rows(struct tables *t, struct table *x, const struct rows *rows, struct space_image *ret)
{
	uint32_t dir = rows->n_pages * sizeof(*rows->pages), rules = rows->n_rules * sizeof(*rows->rules), at, end;
	struct rows_page *out;
	int r = add_chunk(t, x, dir + rules, &at);

	if (r < 0)
		return r;
	out = slabs_at(t->slabs, at);
	memcpy((uint8_t *)out + dir, rows->rules, rules);
	*ret = (struct space_image){ .pages = at, .n_pages = rows->n_pages, .rules = at + dir, .n_rules = rows->n_rules };
	for (uint32_t page = 0; page < rows->n_pages && r >= 0; page = end) {
		end = page + 1;
		out[page] = rows->pages[page];
		if (!rows->pages[page].n)
			continue;
		end = piece_end(rows, page);
		r = load_piece(t, x, rows, page, end, out);
	}
	return r;
}

static void set_segments(const struct built *b, struct space_image *head)
{
	for (uint32_t i = 0; i < SPACE_SEGMENTS; i++) {
		const struct built_segment *s = &b->segments[i < b->n_segments ? i : b->n_segments - 1];

		head->segments[i] = (struct space_segment){ .offset = s->offset, .shift = s->offset - s->vaddr + b->rows->base };
	}
}

static void load(struct tables *t, const struct built *b, uint64_t now_ns)
{
	struct table *x = &t->v.v[b->id];
	struct space_image head = { 0 }, *place = head_of(t, b->id);
	int r = place ? b->result : -ENOMEM;

	if (r >= 0)
		r = load_rows(t, x, b->rows, &head);
	if (r < 0) {
		t->stats.failed++;
		t->stats.bytes += x->bytes; /* unload() takes them off again */
		t->stats.loaded += x->bytes > 0;
		unload(t, b->id, now_ns);
		set_how(t, b->id, SPACE_NO_ROWS);
		return;
	}
	set_segments(b, &head);
	head.id = ++t->last_id;
	*place = head;
	set_how(t, b->id, SPACE_ROWS);
	x->rows = b->rows->stats.rows;
	t->stats.loaded++;
	t->stats.rows += x->rows;
	t->stats.bytes += x->bytes;
	for (int i = 0; i < UNWIND_WHY_MAX; i++)
		t->stats.why[i] += b->rows->stats.why[i];
	evict(t, b->id, now_ns);
}

void tables_poll(struct tables *t, uint64_t now_ns)
{
	struct built b;

	if (!builder_take(t->builder, &b))
		return;
	t->stats.build_ns += now_ns - t->v.v[b.id].asked_ns;
	t->v.v[b.id].asked_ns = 0;
	load(t, &b, now_ns);
	rows_free(b.rows);
}

static bool can_have_rows(const struct image *i)
{
	return i->kind == IMAGE_VDSO || (i->kind == IMAGE_FILE && i->fd >= 0);
}

int tables_want(struct tables *t, uint32_t image, uint64_t now_ns)
{
	struct space_image *head;
	uint32_t at;
	int r = tables_head(t, image, now_ns, &at);

	if (r < 0)
		return r;
	tables_poll(t, now_ns);
	head = head_of(t, image);
	if (!head || head->how != SPACE_UNKNOWN)
		return head ? 0 : -ENOMEM;
	if (t->v.v[image].asked_ns)
		return now_ns - t->v.v[image].asked_ns < PATIENCE_NS ? -EAGAIN : 0;
	if (!can_have_rows(image_get(t->images, image))) {
		set_how(t, image, SPACE_NO_ROWS);
		return 0;
	}
	r = builder_start(t->builder, image, image_get(t->images, image));
	if (r == -EBUSY) /* another sample's, which may have given up waiting: a file that hangs holds up nobody else */
		return now_ns - t->started_ns < PATIENCE_NS ? -EAGAIN : 0;
	if (r < 0) {
		set_how(t, image, SPACE_NO_ROWS);
		t->stats.failed++;
		return 0;
	}
	t->v.v[image].asked_ns = t->started_ns = now_ns;
	return -EAGAIN;
}

void tables_touch(struct tables *t, uint32_t image, uint64_t now_ns)
{
	if (image < t->v.n)
		t->v.v[image].used_ns = now_ns;
}

void tables_sweep(struct tables *t, uint64_t now_ns)
{
	for (uint32_t i = 0; i < t->v.n; i++) {
		struct table *x = &t->v.v[i];

		if (!x->head || x->asked_ns || image_get(t->images, i)->refs > 1 || now_ns - x->used_ns < IDLE_NS)
			continue;
		unload(t, i, now_ns);
		slabs_retire(t->slabs, x->head, sizeof(struct space_image), now_ns);
		x->head = 0;
		image_unref(t->images, i);
	}
}

void tables_stats(const struct tables *t, struct tables_stats *ret)
{
	*ret = t->stats;
}
