/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lying_tables SECONDS SEED...: the real programs, this kernel's and older ones', over tables that lie, while they
 * change under them.
 *
 * A process spins deep in a recursion; its mappings, images, pages, rows and rules are overwritten with random ones
 * hundreds of times a second, many of them almost right. Whatever they say, each tick's walk ends, within bounds,
 * and its sample arrives with a status; and with the lies gone, the program is as good as new. Needs root.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "bpf/rows.h"
#include "bpf/slab.h"
#include "bpf/space.h"
#include "collect/sampler.h"
#include "unwind/slabs.h"

enum {
	SLABS = 3,
	SLAB_USED = SLAB_BYTES - 64,
	DEPTH = 40,
	HZ = 1999,
	SKIP = 77,
	MEAN_WALK_NS = 2000000
};
/*
 * The first slab: the process's mappings, its image, pages and rules that are at least what they are said to be;
 * behind them, and in the others, anything.
 */
enum { MAPS = 64, IMAGE = 4096, PAGES = 8192, RULES = 12288, BEHIND = 16384 };

static struct {
	struct sampler *sampler;
	struct slabs *slabs;
	uint32_t slab[SLABS];
	pid_t child;
	uint64_t random;
	uint64_t mm, exec_pages, pc; /* of the child */
	uint64_t got, rests, frames, bad, statuses[EV_CUT_MAX];
} all;

static uint64_t next(void)
{
	all.random ^= all.random << 13;
	all.random ^= all.random >> 7;
	all.random ^= all.random << 17;
	return all.random;
}

static uint64_t below(uint64_t n)
{
	return next() % n;
}

/* In a slab that is there, mostly. */
static uint32_t address(void)
{
	return below(16) ? all.slab[below(SLABS)] + (uint32_t)below(SLAB_USED) : (uint32_t)next();
}

static struct unwind_rule lying_rule(void)
{
	return (struct unwind_rule){
		.cfa = (int32_t)(below(8) ? 16 + below(4) * below(5) * 8 : next()),
		.fp = (int16_t)(below(4) ? -16 : next()),
		.how_cfa = (uint8_t)((below(3) ? below(UNWIND_FRAME + 2) : UNWIND_SP) |
				     below(16) << 4),
		.how = (uint8_t)(below(3) ? below(4) : next())
	};
}

static struct rows_page lying_page(void)
{
	static const uint16_t sizes[] = { 0, 0, 0, 0, 1, 2, 7, 288, 289, 5000, UINT16_MAX };

	return (struct rows_page){ .at = address(),
				   .n = sizes[below(ARRAY_SIZE(sizes))],
				   .info = (uint16_t)below(512) };
}

static struct space_image lying_image(void)
{
	struct space_image i = { .how = below(8) ? 1 + below(5) / 4 : (uint32_t)next(),
				 .pages = below(8) ? all.slab[0] + PAGES : address(),
				 .n_pages = (uint32_t)next(),
				 .rules = below(8) ? all.slab[0] + RULES : address(),
				 .n_rules = below(8) ? 512 : (uint32_t)next(),
				 .id = below(4) ? (uint32_t)next() : (uint32_t)below(4) };

	for (int k = 0; k < SPACE_SEGMENTS; k++)
		i.segments[k] = (struct space_segment){ .offset = below(4) ? 0 : next(),
							.shift = below(8) ? 0 : next() };
	return i;
}

static struct space_mapping lying_mapping(void)
{
	return (struct space_mapping){ .end = below(16) ? 1ull << 47 : next(),
				       .bias = below(8) ? all.pc & ~0xffffull : next(),
				       .image = below(8) ? all.slab[0] + IMAGE : address() };
}

static void put(uint32_t slab, uint32_t at, const void *p, size_t len)
{
	memcpy((uint8_t *)slabs_at(all.slabs, all.slab[slab]) + at, p, len);
}

static void lie_in_slabs(void)
{
	struct space_mapping mapping = lying_mapping();
	struct space_image image = lying_image();
	uint64_t start = below(16) ? 0 : next(), word;

	for (uint32_t i = 0; i < 512; i++) {
		struct rows_page page = lying_page();
		struct unwind_rule rule = lying_rule();

		put(0, PAGES + 8 * i, &page, sizeof(page));
		put(0, RULES + 8 * i, &rule, sizeof(rule));
	}
	for (uint32_t i = 0; i < 4000; i++) {
		word = next();
		put((uint32_t)below(SLABS),
		    (uint32_t)(BEHIND + below(SLAB_USED - BEHIND - 8)) & ~7u, &word, sizeof(word));
	}
	put(0, IMAGE, &image, sizeof(image));
	put(0, MAPS, &start, sizeof(start));
	put(0, MAPS + sizeof(start), &mapping, sizeof(mapping));
}

/* The first mapping lies at all.slab[0] + MAPS, alone; or anything does. */
static void lie_of_process(void)
{
	uint32_t key = (uint32_t)all.child;
	struct space s = {
		.mm = all.mm, .exec_pages = all.exec_pages, .maps = all.slab[0] + MAPS, .n_maps = 1,
		.id = below(4) ? (uint32_t)next() : (uint32_t)below(4)
	};

	if (!below(8))
		s.maps = address() & ~7u;
	if (!below(8))
		s.n_maps = (uint32_t)(below(2) ? below(SPACE_MAX_MAPPINGS) : next());
	bpf_map_update_elem(sampler_spaces_fd(all.sampler), &key, &s, BPF_ANY);
}

static int on_sample(void *ctx, const struct ev_sample *ev, size_t len)
{
	const struct ev_rest *rest = (const void *)(ev->pc + ev->kframes + ev_user_words(ev));

	all.got++;
	all.frames += ev->uframes;
	if (ev->status >= EV_CUT_MAX || ev->uframes > EV_WALK_FRAMES ||
	    ev->tgid != (uint32_t)all.child) {
		all.bad++;
		return 0;
	}
	all.statuses[ev->status]++;
	if (!(ev->flags & EV_SAMPLE_REST))
		return 0;
	all.rests++;
	all.mm = rest->mm;
	all.exec_pages = rest->exec_pages;
	all.pc = rest->pc;
	return 0;
}

/* Frames of one size, by frame pointer too; called by a pointer, so that none is inlined into another. */
static void spin(int depth);
static void (*volatile spin_on)(int) = spin;

static void spin(int depth)
{
	volatile uint64_t x[4] = { 0 };

	if (depth > 0)
		spin_on(depth - 1);
	while (depth <= 0)
		x[0] += x[1] + 1;
	x[2] = 1;
}

static pid_t start_child(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	spin(DEPTH);
	_exit(0);
}

static int start(bool as_before_61)
{
	const struct sampler_opts opts = { .frequency_hz = HZ,
					   .user_stacks = true,
					   .pids = &all.child,
					   .n_pids = 1,
					   .as_before_61 = as_before_61 };
	char err[256];
	int r = sampler_new(&opts, &all.sampler, err, sizeof(err));

	if (r < 0) {
		fprintf(stderr, "%s\n", err);
		return r;
	}
	r = slabs_new(sampler_slabs_fd(all.sampler), &all.slabs);
	for (uint32_t i = 0; i < SLABS && r >= 0; i++)
		r = slabs_alloc(all.slabs, SLAB_USED, &all.slab[i]);
	for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN) && r >= 0; cpu++)
		r = sampler_open_cpu(all.sampler, cpu);
	return r;
}

static void stop_sampling(void)
{
	for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); cpu++)
		sampler_close_cpu(all.sampler, cpu);
	sampler_drain(all.sampler, on_sample, NULL);
}

/* Until the program has said how it sees the child, which it does while it knows nothing of it. */
static bool meet_child(void)
{
	uint64_t rests = all.rests;

	for (int i = 0; i < 200 && all.rests == rests; i++, usleep(10000))
		sampler_drain(all.sampler, on_sample, NULL);
	return all.rests > rests;
}

static void lie_for(uint64_t ns)
{
	uint64_t end = time_boot_ns() + ns;

	while (time_boot_ns() < end) {
		lie_in_slabs();
		lie_of_process();
		sampler_drain(all.sampler, on_sample, NULL);
		usleep(500);
	}
}

static bool tell_truth(void)
{
	uint32_t key = (uint32_t)all.child;

	bpf_map_delete_elem(sampler_spaces_fd(all.sampler), &key);
	sampler_drain(all.sampler, on_sample, NULL);
	return meet_child();
}

static int judge(uint64_t seed, bool as_before_61, bool well)
{
	static const char *const cuts[] = {
#define CUT(id, name, is_complete, help) name,
#include "bpf/drops.def"
#undef CUT
	};
	uint64_t c[EV_COUNT_MAX], kinds = 0, mean;

	if (sampler_counters(all.sampler, c) < 0)
		return 1;
	mean = c[EV_COUNT_SENT] ? c[EV_COUNT_RUN_NS] / c[EV_COUNT_SENT] : 0;
	printf("seed %lu%s: %lu samples of %lu sent, %lu lost to a full ring, %.1f frames and %.1f "
	       "us each;",
	       seed, as_before_61 ? ", before 6.1" : "", all.got, c[EV_COUNT_SENT],
	       c[EV_DROP_RING_FULL], (double)all.frames / (double)(all.got ? all.got : 1),
	       (double)mean / 1e3);
	for (int i = 0; i < EV_CUT_MAX; i++) {
		kinds += all.statuses[i] > 0;
		if (all.statuses[i])
			printf(" %s %lu", cuts[i], all.statuses[i]);
	}
	printf("\n");
	if (all.got != c[EV_COUNT_SENT] || c[EV_DROP_MALFORMED] || all.bad)
		printf("  %lu malformed, %lu bad, or they do not add up\n", c[EV_DROP_MALFORMED],
		       all.bad);
	else if (kinds < 6 || all.got < 500)
		printf("  too few samples, or kinds of ends, to say anything\n");
	else if (mean > MEAN_WALK_NS)
		printf("  walks take too long\n");
	else if (!well)
		printf("  the program does not work as before\n");
	else
		return 0;
	return 1;
}

static int run(uint64_t seed, uint64_t ns, bool as_before_61)
{
	int r;

	memset(&all, 0, sizeof(all));
	all.random = seed | 1ull << 40;
	all.child = start_child();
	if (all.child < 0)
		return 1;
	r = start(as_before_61);
	if (r >= 0) {
		bool well = meet_child();

		lie_for(ns);
		well = well && tell_truth() && waitpid(all.child, NULL, WNOHANG) == 0;
		stop_sampling();
		r = judge(seed, as_before_61, well);
	}
	kill(all.child, SIGKILL);
	waitpid(all.child, NULL, 0);
	slabs_free(all.slabs);
	sampler_free(all.sampler);
	return r == -EPERM ? SKIP : r != 0;
}

int main(int argc, char **argv)
{
	double seconds = argc > 2 ? atof(argv[1]) : 0;
	int r = 0;

	if (seconds <= 0) {
		fprintf(stderr, "usage: %s SECONDS SEED...\n", argv[0]);
		return 2;
	}
	for (int i = 2; i < argc && !r; i++) {
		uint64_t seed = strtoull(argv[i], NULL, 10), ns = (uint64_t)(seconds * 1e9);

		r = run(seed, ns, false);
		if (!r)
			r = run(seed, ns, true);
	}
	return r;
}
