/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/calltree_lines.h"

#include <errno.h>

#include "pprof/calltree.h"
#include "pprof/profile.h"

int calltree_path_add(struct calltree_path *p, uint32_t node, uint32_t line)
{
	struct calltree_step *s = line ? vec_push(&p->steps) : NULL;

	if (s)
		*s = (struct calltree_step){ node, line };
	return s || !line ? 0 : -ENOMEM;
}

struct line_query {
	const struct calltree *t;
	uint32_t node, group, line;
};

static bool same_line(const void *ctx, uint32_t id)
{
	const struct line_query *q = ctx;
	const struct calltree_line *l = &q->t->lines.v[id];

	return l->node == q->node && l->group == q->group && l->line == q->line;
}

static struct calltree_line *line_of(struct calltree_path *p, struct calltree *t, const struct calltree_step *s,
				     uint32_t group)
{
	struct line_query q = { t, s->node, group, s->line };
	uint64_t hash = hash_u64(s->node | (uint64_t)group << 32) + hash_u64(s->line);
	uint32_t id = htable_find(&p->index, hash, same_line, &q);
	struct calltree_line *l;

	if (id != HTABLE_NONE)
		return &t->lines.v[id];
	l = vec_push(&t->lines);
	if (!l || htable_insert(&p->index, hash, t->lines.n - 1) < 0)
		return NULL;
	*l = (struct calltree_line){ .node = s->node, .group = group, .line = s->line };
	return l;
}

int calltree_path_count(struct calltree_path *p, struct calltree *t, uint32_t leaf, uint32_t group, int64_t value)
{
	vec_foreach(s, &p->steps) {
		struct calltree_line *l = line_of(p, t, s, group);

		if (!l)
			return -ENOMEM;
		l->self = profile_sum(l->self, s->node == leaf ? value : 0);
		l->total = profile_sum(l->total, value);
	}
	p->steps.n = 0;
	return 0;
}

void calltree_path_fini(struct calltree_path *p)
{
	vec_fini(&p->steps);
	htable_fini(&p->index);
}
