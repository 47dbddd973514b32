/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/calltree.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "pprof/calltree_groups.h"
#include "pprof/calltree_lines.h"
#include "pprof/profile.h"

struct builder {
	const struct profile *p;
	struct calltree *t;
	struct buf text;
	vec(uint32_t) first_of; /* by location: where its frames start in frame_of */
	vec(uint32_t) frame_of; /* by line: frame, innermost first */
	uint32_t flags;
	struct calltree_path path; /* empty unless lines are wanted */
	struct htable frame_index, node_index, row_index;
	struct calltree_grouper grouper;
};

static bool same_frame(const void *ctx, uint32_t id)
{
	const struct {
		const struct calltree *t;
		const struct calltree_frame *f;
		bool by_line;
	} *q = ctx;
	const struct calltree_frame *f = &q->t->frames.v[id];

	return f->name == q->f->name && f->image == q->f->image && f->kind == q->f->kind &&
	       (!q->by_line || (f->file == q->f->file && f->line == q->f->line));
}

/* Of one function some addresses may have a source and others not. */
static void note_source(struct calltree_frame *slot, const struct calltree_frame *f)
{
	if (!slot->file)
		slot->file = f->file;
	if (!slot->line)
		slot->line = f->line;
}

static int intern_frame(struct builder *b, const struct calltree_frame *f, uint32_t *ret)
{
	const struct {
		const struct calltree *t;
		const struct calltree_frame *f;
		bool by_line;
	} q = { b->t, f, b->flags & CALLTREE_BY_LINE };
	uint64_t hash = hash_u64(f->name | (uint64_t)f->image << 32) + f->kind + (q.by_line ? hash_u64(f->line) : 0);
	struct calltree_frame *slot;

	*ret = htable_find(&b->frame_index, hash, same_frame, &q);
	if (*ret != HTABLE_NONE) {
		note_source(&b->t->frames.v[*ret], f);
		return 0;
	}
	slot = vec_push(&b->t->frames);
	if (!slot)
		return -ENOMEM;
	*slot = *f;
	*ret = b->t->frames.n - 1;
	return htable_insert(&b->frame_index, hash, *ret);
}

/* A file we read may hold anything. */
static uint32_t line_number(int64_t line)
{
	return line > 0 && line <= INT32_MAX ? (uint32_t)line : 0;
}

static int frame_of_line(struct builder *b, uint32_t location, uint32_t line, uint32_t *ret)
{
	const struct profile *p = b->p;
	const struct profile_location *l = &p->locations.v[location];
	struct calltree_frame f = { .kind = line + 1 < l->n_lines ? CALLTREE_INLINED : l->kind };
	struct profile_source source;

	buf_reset(&b->text);
	profile_location_name(p, location, line, &b->text);
	f.name = strpool_add_len(&b->t->strings, (char *)b->text.data, b->text.len);
	if (l->mapping < p->mappings.n)
		f.image = strpool_add(&b->t->strings, profile_str(p, p->mappings.v[l->mapping].file));
	source = profile_location_source(p, location, line, b->flags & CALLTREE_BY_LINE ? PROFILE_LINES : PROFILE_FUNCTIONS);
	f.file = strpool_add(&b->t->strings, profile_str(p, source.file));
	f.line = line_number(source.line);
	return intern_frame(b, &f, ret);
}

static int name_locations(struct builder *b)
{
	for (uint32_t i = 0; i < b->p->locations.n; i++) {
		uint32_t lines = b->p->locations.v[i].n_lines, *first = vec_push(&b->first_of);

		if (!first)
			return -ENOMEM;
		*first = b->frame_of.n;
		for (uint32_t k = 0; k < (lines ? lines : 1); k++) {
			uint32_t *slot = vec_push(&b->frame_of);

			if (!slot || frame_of_line(b, i, k, slot) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

struct node_query {
	const struct calltree *t;
	uint32_t parent, frame;
};

static bool same_node(const void *ctx, uint32_t id)
{
	const struct node_query *q = ctx;

	return q->t->nodes.v[id].parent == q->parent && q->t->nodes.v[id].frame == q->frame;
}

static int child(struct builder *b, uint32_t parent, uint32_t frame, uint32_t *ret)
{
	struct node_query q = { b->t, parent, frame };
	uint64_t hash = hash_u64(parent | (uint64_t)frame << 32);
	struct calltree_node *n;

	*ret = htable_find(&b->node_index, hash, same_node, &q);
	if (*ret != HTABLE_NONE)
		return 0;
	n = vec_push(&b->t->nodes);
	if (!n)
		return -ENOMEM;
	n->parent = parent;
	n->frame = frame;
	*ret = b->t->nodes.n - 1;
	return htable_insert(&b->node_index, hash, *ret);
}

static int add_step(struct builder *b, uint32_t node, uint32_t location, uint32_t line)
{
	if (!(b->flags & CALLTREE_WITH_LINES))
		return 0;
	return calltree_path_add(&b->path, node, line_number(profile_location_source(b->p, location, line, PROFILE_LINES).line));
}

/* From the root to the leaf; of each location the physical function first, then what it inlined. */
static int find_leaf(struct builder *b, const struct profile_sample *s, uint32_t *ret)
{
	uint32_t node = 0;

	for (uint32_t i = s->n_frames; i-- > 0;) {
		uint32_t location = b->p->frames.v[s->first_frame + i];
		uint32_t n = b->p->locations.v[location].n_lines;

		for (uint32_t line = n ? n : 1; line-- > 0;)
			if (child(b, node, b->frame_of.v[b->first_of.v[location] + line], &node) < 0 ||
			    add_step(b, node, location, line) < 0)
				return -ENOMEM;
	}
	*ret = node;
	return 0;
}

struct row_query {
	const struct calltree *t;
	uint32_t node, group;
};

static bool same_row(const void *ctx, uint32_t id)
{
	const struct row_query *q = ctx;

	return q->t->rows.v[id].node == q->node && q->t->rows.v[id].group == q->group;
}

static int add_row(struct builder *b, uint32_t node, uint32_t group, int64_t value, int64_t samples)
{
	struct row_query q = { b->t, node, group };
	uint64_t hash = hash_u64(node | (uint64_t)group << 32);
	uint32_t id = htable_find(&b->row_index, hash, same_row, &q);
	struct calltree_row *row;

	if (id == HTABLE_NONE) {
		row = vec_push(&b->t->rows);
		if (!row || htable_insert(&b->row_index, hash, b->t->rows.n - 1) < 0)
			return -ENOMEM;
		*row = (struct calltree_row){ .node = node, .group = group };
		id = b->t->rows.n - 1;
	}
	row = &b->t->rows.v[id];
	row->value = profile_sum(row->value, value);
	row->samples = profile_sum(row->samples, samples);
	b->t->nodes.v[node].self = profile_sum(b->t->nodes.v[node].self, value);
	return 0;
}

static int add_samples(struct builder *b)
{
	uint32_t type = profile_default_type(b->p), n_types = b->p->types.n, node, group;

	for (uint32_t i = 0; i < b->p->samples.n && n_types; i++) {
		const struct profile_sample *s = &b->p->samples.v[i];
		const int64_t *values = b->p->values.v + (size_t)i * n_types;

		if (find_leaf(b, s, &node) < 0 || calltree_group_of(&b->grouper, b->t, b->p, s, &group) < 0 ||
		    add_row(b, node, group, values[type], values[0]) < 0 ||
		    calltree_path_count(&b->path, b->t, node, group, values[type]) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Children come after their parents: one pass from the back sums the totals. */
static void sum_totals(struct calltree *t)
{
	for (uint32_t i = t->nodes.n; i-- > 0;) {
		struct calltree_node *n = &t->nodes.v[i];

		n->total = profile_sum(n->total, n->self);
		if (i)
			t->nodes.v[n->parent].total = profile_sum(t->nodes.v[n->parent].total, n->total);
	}
}

static void builder_fini(struct builder *b)
{
	buf_fini(&b->text);
	vec_fini(&b->first_of);
	vec_fini(&b->frame_of);
	calltree_grouper_fini(&b->grouper);
	htable_fini(&b->frame_index);
	htable_fini(&b->node_index);
	htable_fini(&b->row_index);
	calltree_path_fini(&b->path);
}

int calltree_build(const struct profile *p, uint32_t flags, struct calltree *ret)
{
	_cleanup_(builder_fini) struct builder b = { .p = p, .t = ret, .flags = flags };
	struct calltree_node *root;
	int r = profile_error(p);

	*ret = (struct calltree){ 0 };
	root = vec_push(&ret->nodes);
	if (r >= 0 && root) {
		root->parent = root->frame = UINT32_MAX; /* no child can look like it */
		r = name_locations(&b);
	}
	if (r >= 0)
		r = root ? add_samples(&b) : -ENOMEM;
	if (r >= 0)
		r = calltree_group_requests(&b.grouper, ret, p);
	if (r >= 0 && (strpool_error(&ret->strings) || buf_error(&b.text)))
		r = -ENOMEM;
	if (r < 0) {
		calltree_fini(ret);
		return r;
	}
	sum_totals(ret);
	return 0;
}

void calltree_fini(struct calltree *t)
{
	strpool_fini(&t->strings);
	vec_fini(&t->frames);
	vec_fini(&t->nodes);
	vec_fini(&t->rows);
	vec_fini(&t->lines);
	vec_fini(&t->groups);
	vec_fini(&t->processes);
}
