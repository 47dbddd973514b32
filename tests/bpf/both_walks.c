/* SPDX-License-Identifier: Apache-2.0 */
/*
 * both_walks DEPTH...: the same stacks from both programs, the one with bpf_loop and the one of older kernels.
 *
 * A process spins at the bottom of a recursion. Each program in turn samples it until it walked some stacks by itself;
 * all of them must be equal in every frame but the leaf's pc, reach the root, or stop at the depth a walk goes and
 * say so. Needs root. On a kernel before 6.1 both are the older one.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "collect/sampler.h"
#include "proc/image.h"
#include "proc/process.h"
#include "proc/scan.h"
#include "unwind/unwinder.h"

enum { WANTED = 20, HZ = 99, SKIP = 77, TRIES = 1500 /* of 20 ms */ };

/* A program at work on the child, and what it says of the child's stack. */
struct way {
	struct sampler *sampler;
	struct images *images;
	struct processes *processes;
	struct unwinder *unwinder;
	uint32_t n, status, words; /* of the first stack */
	uint64_t pc[EV_USER_FRAMES];
	uint32_t same, other; /* stacks like it, and unlike */
	uint64_t ns;          /* spent in the program, all samples */
	uint64_t sent;
};

/* Called by a pointer, so that no frame is inlined into another. */
static void spin(int depth);
static void (*volatile spin_on)(int) = spin;

static void spin(int depth)
{
	volatile uint64_t x[2] = { 0 };

	if (depth > 1)
		spin_on(depth - 1);
	while (depth <= 1)
		x[0] += x[1] + 1;
	x[1] = 1;
}

static pid_t start_child(int depth)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	spin(depth);
	_exit(0);
}

static void way_fini(struct way *w)
{
	unwinder_free(w->unwinder);
	sampler_free(w->sampler);
	processes_free(w->processes);
	images_free(w->images);
}

static int way_start(struct way *w, pid_t child, bool as_before_61)
{
	const struct sampler_opts opts = { .frequency_hz = HZ,
					   .user_stacks = true,
					   .pids = &child,
					   .n_pids = 1,
					   .as_before_61 = as_before_61 };
	struct unwinder_opts tables;
	char err[256] = "";
	int r = sampler_new(&opts, &w->sampler, err, sizeof(err));

	if (r < 0) {
		printf("%s\n", err);
		return r;
	}
	tables = (struct unwinder_opts){ .slabs_fd = sampler_slabs_fd(w->sampler),
					 .spaces_fd = sampler_spaces_fd(w->sampler) };
	if ((r = images_new(&w->images)) < 0 || (r = processes_new(w->images, &w->processes)) < 0 ||
	    (r = scan_process(w->processes, child, child)) < 0 ||
	    (r = unwinder_new(&tables, w->processes, &w->unwinder)) < 0)
		return r;
	for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN) && r >= 0; cpu++)
		r = sampler_open_cpu(w->sampler, cpu);
	return r;
}

static int on_sample(void *ctx, const struct ev_sample *ev, size_t len)
{
	struct process *p;
	struct way *w = ctx;
	static struct unwound finished;

	if (ev->flags & EV_SAMPLE_REST) {
		p = process_find(w->processes, ev->tgid);
		if (p)
			unwinder_finish(w->unwinder, p, ev, ev_rest_of(ev),
					&finished); /* the next ones need it no more */
		return 0;
	}
	if (!w->words) {
		w->n = ev->uframes;
		w->status = ev->status;
		w->words = ev_user_words(ev);
		memcpy(w->pc, ev->pc, w->words * sizeof(w->pc[0]));
	}
	if (ev->uframes == w->n && ev->status == w->status &&
	    !memcmp(ev->pc + 1, w->pc + 1, (w->words - 1) * sizeof(w->pc[0])))
		w->same++;
	else
		w->other++;
	return 0;
}

/* Does it take stacks of this process as they are said to be? */
static int way_walk(struct way *w, pid_t child, bool as_before_61)
{
	uint64_t counters[EV_COUNT_MAX];
	int r = way_start(w, child, as_before_61);

	for (int i = 0; i < TRIES && r >= 0 && w->same + w->other < WANTED; i++) {
		poll(&(struct pollfd){ .fd = unwinder_fd(w->unwinder), .events = POLLIN }, 1, 20);
		unwinder_poll(w->unwinder, time_boot_ns());
		r = sampler_drain(w->sampler, on_sample, w);
	}
	if (r >= 0)
		r = sampler_counters(w->sampler, counters);
	if (r < 0)
		return r;
	w->ns = counters[EV_COUNT_RUN_NS];
	w->sent = counters[EV_COUNT_SENT];
	return 0;
}

static bool is_right(const struct way *w, uint32_t depth)
{
	if (w->other || w->same < WANTED)
		return false;
	if (depth >= EV_WALK_FRAMES)
		return w->status == EV_CUT_DEPTH && w->n == EV_WALK_FRAMES;
	return w->status == EV_CUT_ROOT && w->n > depth &&
	       w->n < depth + 16; /* main() and what called it */
}

static bool are_equal(const struct way *a, const struct way *b)
{
	return a->n == b->n && a->status == b->status && a->words == b->words &&
	       !memcmp(a->pc + 1, b->pc + 1, (a->words - 1) * sizeof(a->pc[0]));
}

static int compare(uint32_t depth)
{
	static struct way ways[2]; /* large */
	pid_t child = start_child((int)depth);
	bool well = true;
	int r = child < 0 ? -errno : 0;

	memset(ways, 0, sizeof(ways));
	for (int i = 0; i < 2 && r >= 0; i++) {
		struct way *w = &ways[i];

		r = way_walk(w, child, i == 1);
		way_fini(w);
		printf("depth %u, %s: %u stacks of %u frames, %u others, status %u, %.1f us a "
		       "sample\n",
		       depth, i ? "before 6.1" : "this kernel", w->same, w->n, w->other, w->status,
		       (double)w->ns / 1e3 / (double)(w->sent ? w->sent : 1));
		well = well && r >= 0 && is_right(w, depth);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	if (r < 0)
		return r == -EPERM ? SKIP : 1;
	return well && are_equal(&ways[0], &ways[1]) ? 0 : 1;
}

int main(int argc, char **argv)
{
	int r = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i < argc && !r; i++)
		r = compare((uint32_t)atoi(argv[i]));
	return r;
}
