/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/calltree_groups.h"

#include <errno.h>

#include "pprof/calltree.h"
#include "pprof/profile.h"
#include "pprof/request.h"

static int find_process(struct calltree_grouper *g, struct calltree *t, uint32_t name, uint32_t *ret)
{
	uint32_t *slot;

	while (g->process_of.n <= name)
		if (!vec_push(&g->process_of))
			return -ENOMEM;
	if (!g->process_of.v[name]) {
		slot = vec_push(&t->processes);
		if (!slot)
			return -ENOMEM;
		*slot = name;
		g->process_of.v[name] = t->processes.n;
	}
	*ret = g->process_of.v[name] - 1;
	return 0;
}

struct question {
	const struct calltree *t;
	uint32_t process, route;
};

static bool same_group(const void *ctx, uint32_t id)
{
	const struct question *q = ctx;
	const struct calltree_group *g = &q->t->groups.v[id];

	return g->process == q->process && g->route == q->route;
}

static int find_group(struct calltree_grouper *g, struct calltree *t, uint32_t name, uint32_t route, uint32_t *ret)
{
	struct question q = { .t = t, .route = route };
	int r = find_process(g, t, name, &q.process);
	struct calltree_group *slot;
	uint64_t hash;

	if (r < 0)
		return r;
	hash = hash_u64(q.process | (uint64_t)route << 32);
	*ret = htable_find(&g->index, hash, same_group, &q);
	if (*ret != HTABLE_NONE)
		return 0;
	slot = vec_push(&t->groups);
	if (!slot)
		return -ENOMEM;
	*slot = (struct calltree_group){ .process = q.process, .route = route, .requests = -1 };
	*ret = t->groups.n - 1;
	return htable_insert(&g->index, hash, *ret);
}

/* The text at hand, which is empty from then on. */
static int take_text(struct calltree_grouper *g, struct calltree *t, uint32_t *ret)
{
	int r = buf_error(&g->text);

	*ret = g->text.len ? strpool_add_len(&t->strings, (char *)g->text.data, g->text.len) : 0;
	buf_reset(&g->text);
	return r;
}

int calltree_group_of(struct calltree_grouper *g, struct calltree *t, const struct profile *p, const struct profile_sample *s, uint32_t *ret)
{
	uint32_t name, route;

	request_owner(p, s, &g->text);
	if (take_text(g, t, &name) < 0)
		return -ENOMEM;
	request_route(p, s, &g->text);
	return take_text(g, t, &route) < 0 ? -ENOMEM : find_group(g, t, name, route, ret);
}

int calltree_group_requests(struct calltree_grouper *g, struct calltree *t, const struct profile *p)
{
	uint32_t group, route;

	vec_foreach(r, &p->routes) {
		request_name(profile_str(p, r->method), profile_str(p, r->route), &g->text);
		if (take_text(g, t, &route) < 0 ||
		    find_group(g, t, strpool_add(&t->strings, profile_str(p, r->service)), route, &group) < 0)
			return -ENOMEM;
		t->groups.v[group].requests = r->requests;
	}
	return 0;
}

void calltree_grouper_fini(struct calltree_grouper *g)
{
	buf_fini(&g->text);
	vec_fini(&g->process_of);
	htable_fini(&g->index);
}
