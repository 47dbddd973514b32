/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/tracer_sums.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "bpf/trace.skel.h"

enum { CELLS_AT_ONCE = 256 };

static void add_cell(struct red_cell *to, const struct red_cell *c)
{
	to->duration_ns += c->duration_ns;
	to->request_bytes += c->request_bytes;
	to->response_bytes += c->response_bytes;
	to->cpu_ns += c->cpu_ns;
	to->unfinished += c->unfinished;
	for (int i = 0; i < TRACE_DURATIONS; i++)
		to->durations[i] += c->durations[i];
	for (int i = 0; i < TRACE_SIZES; i++) {
		to->request_sizes[i] += c->request_sizes[i];
		to->response_sizes[i] += c->response_sizes[i];
	}
}

static int tell_cells(const struct red_key *keys, const struct red_cell *cells, uint32_t n, int n_cpus,
		      int (*fn)(void *ctx, const struct red_key *key, const struct red_cell *sum), void *ctx)
{
	int r = 0;

	for (uint32_t i = 0; i < n && r >= 0; i++) {
		struct red_cell sum = { 0 };

		for (int cpu = 0; cpu < n_cpus; cpu++)
			add_cell(&sum, &cells[i * (uint32_t)n_cpus + (uint32_t)cpu]);
		r = fn(ctx, &keys[i], &sum);
	}
	return r;
}

/* ---- cells in places of each CPU's own ---- */

static size_t near_bytes(void)
{
	return sizeof(struct red_near) * TRACE_NEAR_CELLS * (size_t)libbpf_num_possible_cpus();
}

struct red_near *tracer_map_near(const struct trace_bpf *skel)
{
	void *near = mmap(NULL, near_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(skel->maps.near), 0);

	return near == MAP_FAILED ? NULL : near;
}

void tracer_unmap_near(struct red_near *near)
{
	if (near)
		munmap(near, near_bytes());
}

void tracer_drop_near(struct red_near *near, const struct red_key *key)
{
	struct red_near *n = near + red_near_place(*key);

	for (int cpu = libbpf_num_possible_cpus(); cpu > 0; cpu--, n += TRACE_NEAR_CELLS)
		if (red_key_word(n->key) == red_key_word(*key))
			__atomic_store_n((uint64_t *)&n->key, 0, __ATOMIC_RELAXED);
}

/* What has the same place on each CPU, the first one's at `near`. words: room for one of each CPU. */
static int tell_place(const struct red_near *near, uint64_t *words, int n_cpus,
		      int (*fn)(void *ctx, const struct red_key *key, const struct red_cell *sum), void *ctx)
{
	int r = 0;

	for (int cpu = 0; cpu < n_cpus; cpu++) /* once: a program may take a place meanwhile */
		words[cpu] = __atomic_load_n((const uint64_t *)&near[cpu * TRACE_NEAR_CELLS].key, __ATOMIC_ACQUIRE);
	for (int cpu = 0; cpu < n_cpus && r >= 0; cpu++) {
		uint64_t word = words[cpu];
		struct red_cell sum = { 0 };
		struct red_key key;

		if (!word)
			continue;
		for (int other = cpu; other < n_cpus; other++)
			if (words[other] == word) {
				add_cell(&sum, &near[other * TRACE_NEAR_CELLS].cell);
				words[other] = 0;
			}
		memcpy(&key, &word, sizeof(key));
		r = fn(ctx, &key, &sum);
	}
	return r;
}

int tracer_sum_near(const struct red_near *near, int (*fn)(void *ctx, const struct red_key *key, const struct red_cell *sum), void *ctx)
{
	int n_cpus = libbpf_num_possible_cpus();
	_cleanup_(freep) uint64_t *words = calloc((size_t)n_cpus, sizeof(*words));
	int r = words ? 0 : -ENOMEM;

	for (int place = 0; place < TRACE_NEAR_CELLS && r >= 0; place++)
		r = tell_place(near + place, words, n_cpus, fn, ctx);
	return r;
}

int tracer_sum_cells(const struct trace_bpf *skel, int (*fn)(void *ctx, const struct red_key *key, const struct red_cell *sum), void *ctx)
{
	int n_cpus = libbpf_num_possible_cpus(), r, told;
	uint32_t n, room = CELLS_AT_ONCE, batch = 0;
	_cleanup_(freep) struct red_cell *cells = calloc((size_t)room * (size_t)n_cpus, sizeof(*cells));
	_cleanup_(freep) struct red_key *keys = calloc(room, sizeof(*keys));
	void *in = NULL;

	if (!cells || !keys)
		return -ENOMEM;
	do {
		n = room;
		r = bpf_map_lookup_batch(bpf_map__fd(skel->maps.red), in, &batch, keys, cells, &n, NULL);
		if (r < 0 && r != -ENOENT)
			return r;
		told = tell_cells(keys, cells, n, n_cpus, fn, ctx);
		if (told < 0)
			return told;
		in = &batch;
	} while (!r);
	return 0;
}

/* The kernel leaves a program out that runs on this CPU already, and counts that. */
static uint64_t missed(const struct trace_bpf *skel)
{
	struct bpf_program *prog;
	uint64_t sum = 0;

	bpf_object__for_each_program(prog, skel->obj) {
		struct bpf_prog_info info = { 0 };
		__u32 len = sizeof(info);

		if (bpf_program__fd(prog) >= 0 && bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len) >= 0)
			sum += info.recursion_misses;
	}
	return sum;
}

/* What was counted in scratches (bpf/trace_maps.h). */
static void add_scratch_counts(const struct trace_bpf *skel, int n_cpus, uint64_t ret[TRACE_COUNT_MAX])
{
	size_t size = (bpf_map__value_size(skel->maps.trace_scratch) + 7) / 8 * 8;
	_cleanup_(freep) uint8_t *per_cpu = calloc((size_t)n_cpus, size);

	for (uint32_t key = 0; per_cpu && key < TRACE_SCRATCHES; key++) {
		if (bpf_map__lookup_elem(skel->maps.trace_scratch, &key, sizeof(key), per_cpu, (size_t)n_cpus * size, 0) < 0)
			continue;
		for (int cpu = 0; cpu < n_cpus; cpu++) {
			const uint64_t *its = (const uint64_t *)(per_cpu + (size_t)cpu * size);

			for (int i = 0; i < TRACE_COUNT_MAX; i++)
				ret[i] += its[i];
		}
	}
}

void tracer_sum_counts(const struct trace_bpf *skel, uint64_t ret[TRACE_COUNT_MAX])
{
	int n_cpus = libbpf_num_possible_cpus();
	_cleanup_(freep) uint64_t *per_cpu = calloc((size_t)n_cpus, sizeof(*per_cpu));

	memset(ret, 0, TRACE_COUNT_MAX * sizeof(*ret));
	for (uint32_t key = 0; per_cpu && key < TRACE_COUNT_MAX; key++) {
		if (bpf_map__lookup_elem(skel->maps.trace_counts, &key, sizeof(key), per_cpu, (size_t)n_cpus * sizeof(*per_cpu), 0) < 0)
			continue;
		for (int cpu = 0; cpu < n_cpus; cpu++)
			ret[key] += per_cpu[cpu];
	}
	add_scratch_counts(skel, n_cpus, ret);
	ret[TRACE_COUNT_MISSED] += missed(skel);
}
