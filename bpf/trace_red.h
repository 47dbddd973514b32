/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * trace_red - a request that has ended, in its cell.
 */
#include "bpf/trace_maps.h"

static __always_inline __u32 route_of(const struct conn *c, __u64 path_hash)
{
	const struct route_key key = { .path_hash = path_hash, .service = c->service };
	const __u32 *route = bpf_map_lookup_elem(&routes, &key);

	return route ? *route : TRACE_ROUTE_UNKNOWN;
}

/* The connection's last again, if it is that. */
static __always_inline __u32 next_route_of(struct conn *c, __u64 path_hash)
{
	if (c->route == TRACE_ROUTE_UNKNOWN || c->route_path != path_hash || c->route_service != c->service) {
		c->route = route_of(c, path_hash);
		c->route_path = path_hash;
		c->route_service = c->service;
	}
	return c->route;
}

/* Whoever had it may have counted on after it was dropped. */
static __always_inline void take_near(struct red_near *n, struct red_key key)
{
	n->cell = (struct red_cell){ 0 };
	asm volatile("" ::: "memory");
	n->key = key;
}

/* NULL: its place is another's. */
static __always_inline struct red_cell *near_cell(struct red_key key)
{
	__u32 i = bpf_get_smp_processor_id() * TRACE_NEAR_CELLS;
	struct red_near *n;

	key.scratch = RED_NEAR;
	i += red_near_place(key);
	n = bpf_map_lookup_elem(&near, &i);
	if (n && !red_key_word(n->key))
		take_near(n, key);
	return n && red_key_word(n->key) == red_key_word(key) ? &n->cell : 0;
}

static __always_inline struct red_cell *far_cell(const struct trace_scratch *s, struct red_key key)
{
	struct red_cell *cell = bpf_map_lookup_elem(&red, &key);
	struct trace_scratch *own = cell ? 0 : scratch_in_map(s);

	if (!own)
		return cell;
	bpf_map_update_elem(&red, &key, &own->no_cell, BPF_NOEXIST);
	return bpf_map_lookup_elem(&red, &key);
}

static __always_inline struct red_cell *cell_of(const struct trace_scratch *s, struct red_key key)
{
	struct red_cell *cell = s->index ? 0 : near_cell(key);

	key.scratch = s->index;
	return cell ? cell : far_cell(s, key);
}

/* Through memory: the verifier forgets how it was found, and follows one way from here on instead of one for each bucket. */
static __always_inline __u32 forgotten(struct trace_scratch *s, __u32 bucket)
{
	*(volatile __u32 *)&s->bucket = bucket;
	return *(volatile __u32 *)&s->bucket;
}

/* A request that has ended. */
struct ended {
	struct red_key key;
	__u64 duration_ns, request_bytes, response_bytes;
	__u32 unfinished;
};

static __always_inline void count_request(struct trace_scratch *s, const struct ended *e)
{
	struct red_cell *cell = cell_of(s, e->key);
	__u32 i;

	count_here(s, cell ? TRACE_COUNT_REQUESTS : TRACE_COUNT_CELLS_FULL);
	if (!cell)
		return;
	cell->duration_ns += e->duration_ns;
	cell->request_bytes += e->request_bytes;
	cell->response_bytes += e->response_bytes;
	cell->cpu_ns += s->used.cpu_ns;
	cell->unfinished += e->unfinished;
	i = forgotten(s, red_duration_bucket(e->duration_ns));
	if (i < TRACE_DURATIONS)
		cell->durations[i]++;
	i = forgotten(s, red_size_bucket(e->request_bytes));
	if (i < TRACE_SIZES)
		cell->request_sizes[i]++;
	i = forgotten(s, red_size_bucket(e->response_bytes));
	if (i < TRACE_SIZES)
		cell->response_sizes[i]++;
}
