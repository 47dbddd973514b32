/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/spaces.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/vec.h"
#include "proc/maps.h"
#include "proc/process.h"
#include "unwind/slabs.h"
#include "unwind/tables.h"

struct entry {
	uint32_t pid;      /* 0: free */
	uint32_t bytes;    /* of the chunk at space.maps */
	uint64_t key;      /* the process's */
	struct maps *maps; /* what the chunk was made of; referenced */
	struct space space;
};

struct spaces {
	int map_fd;
	struct slabs *slabs;
	struct tables *tables;
	struct processes *processes; /* all borrowed */
	vec(struct entry) v;
	vec(uint32_t) free_ids;
	struct htable index; /* by pid; stale entries miss, as in process.c */
	uint32_t live, last_id; /* of arrays of mappings */
};

struct query {
	const struct spaces *s;
	uint32_t pid;
};

int spaces_new(int map_fd, struct slabs *slabs, struct tables *tables, struct processes *processes, struct spaces **ret)
{
	struct spaces *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->map_fd = map_fd;
	s->slabs = slabs;
	s->tables = tables;
	s->processes = processes;
	*ret = s;
	return 0;
}

struct spaces *spaces_free(struct spaces *s)
{
	if (!s)
		return NULL;
	vec_foreach(e, &s->v)
		maps_unref(e->maps, processes_images(s->processes));
	vec_fini(&s->v);
	vec_fini(&s->free_ids);
	htable_fini(&s->index);
	free(s);
	return NULL;
}

uint32_t spaces_count(const struct spaces *s)
{
	return s->live;
}

static bool same_pid(const void *ctx, uint32_t id)
{
	const struct query *q = ctx;

	return q->s->v.v[id].pid == q->pid;
}

static int rebuild_index(struct spaces *s)
{
	struct htable fresh = { 0 };

	for (uint32_t id = 0; id < s->v.n; id++) {
		if (!s->v.v[id].pid || htable_insert(&fresh, hash_u64(s->v.v[id].pid), id) >= 0)
			continue;
		htable_fini(&fresh);
		return -ENOMEM;
	}
	htable_fini(&s->index);
	s->index = fresh;
	return 0;
}

static int new_entry(struct spaces *s, uint32_t pid, uint32_t *ret)
{
	uint32_t id;

	if (s->index.n > 2 * s->live + 64 && rebuild_index(s) < 0)
		return -ENOMEM;
	if (!s->free_ids.n) {
		if (vec_reserve(&s->free_ids, s->v.n + 1) < 0 || !vec_push(&s->v))
			return -ENOMEM;
		s->free_ids.v[s->free_ids.n++] = s->v.n - 1;
	}
	id = s->free_ids.v[s->free_ids.n - 1];
	if (htable_insert(&s->index, hash_u64(pid), id) < 0)
		return -ENOMEM;
	s->free_ids.n--;
	s->v.v[id] = (struct entry){ .pid = pid };
	s->live++;
	*ret = id;
	return 0;
}

static void drop_maps(struct spaces *s, struct entry *e, uint64_t now_ns)
{
	slabs_retire(s->slabs, e->space.maps, e->bytes, now_ns);
	e->maps = maps_unref(e->maps, processes_images(s->processes));
	e->space = (struct space){ 0 };
	e->bytes = 0;
}

/* What the program has of it is told by mm: 0 means nothing. */
static void unpublish(struct spaces *s, struct entry *e, const struct space *was)
{
	if (s->map_fd >= 0 && was->mm)
		bpf_map_delete_elem(s->map_fd, &e->pid);
}

/* Where the program's map is full, the process's stacks are finished in user space, all of them. */
static void publish(struct spaces *s, struct entry *e, const struct space *was)
{
	if (s->map_fd >= 0 && memcmp(was, &e->space, sizeof(*was)) && bpf_map_update_elem(s->map_fd, &e->pid, &e->space, BPF_ANY) < 0)
		unpublish(s, e, was);
}

static int fill(struct spaces *s, const struct maps *maps, uint32_t at, uint32_t n, uint64_t now_ns)
{
	uint64_t *start = slabs_at(s->slabs, at);
	struct space_mapping *m = (struct space_mapping *)(start + n);

	for (uint32_t i = 0; i < n; i++) {
		const struct mapping *from = maps_at(maps, i);
		uint32_t head;
		int r = tables_head(s->tables, from->image, now_ns, &head);

		if (r < 0)
			return r;
		start[i] = from->start;
		m[i] = (struct space_mapping){ .end = from->end, .bias = from->start - from->pgoff, .image = head };
	}
	return 0;
}

static int build(struct spaces *s, struct entry *e, struct maps *maps, uint64_t now_ns)
{
	uint32_t n = maps_count(maps), at;
	int r;

	if (n > SPACE_MAX_MAPPINGS)
		n = SPACE_MAX_MAPPINGS;
	e->bytes = n * (uint32_t)(sizeof(uint64_t) + sizeof(struct space_mapping));
	if (!n)
		return 0;
	r = slabs_alloc(s->slabs, e->bytes, &at);
	if (r < 0)
		return r;
	e->maps = maps_ref(maps);
	e->space.maps = at;
	e->space.n_maps = n;
	e->space.id = ++s->last_id;
	r = fill(s, maps, at, n, now_ns);
	if (r < 0)
		drop_maps(s, e, now_ns);
	return r;
}

int spaces_get(struct spaces *s, const struct process *p, uint64_t mm, uint64_t exec_pages, uint64_t now_ns, struct space *ret)
{
	struct query q = { s, p->pid };
	uint32_t id = htable_find(&s->index, hash_u64(p->pid), same_pid, &q);
	struct space was;
	struct entry *e;
	int r = id == HTABLE_NONE ? new_entry(s, p->pid, &id) : 0;

	if (r < 0)
		return r;
	e = &s->v.v[id];
	was = e->space;
	if (e->key != p->key || e->maps != p->maps) {
		drop_maps(s, e, now_ns);
		e->key = p->key;
		r = build(s, e, p->maps, now_ns);
	}
	if (r < 0 || p->exited_ns) {
		unpublish(s, e, &was);
	} else {
		e->space.mm = mm;
		e->space.exec_pages = exec_pages;
		publish(s, e, &was);
	}
	*ret = e->space;
	return r;
}

void spaces_sweep(struct spaces *s, uint64_t now_ns)
{
	for (uint32_t id = 0; id < s->v.n; id++) {
		struct entry *e = &s->v.v[id];
		const struct process *p = e->pid ? process_find(s->processes, e->pid) : NULL;

		if (!e->pid || (p && p->key == e->key && !p->exited_ns))
			continue;
		unpublish(s, e, &e->space);
		drop_maps(s, e, now_ns);
		e->pid = 0;
		s->free_ids.v[s->free_ids.n++] = id;
		s->live--;
	}
}
