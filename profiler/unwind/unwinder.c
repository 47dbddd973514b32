/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/walk.h" /* first: it bounds the tables' reads to slabs */

#include "unwind/unwinder.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "proc/image.h"
#include "proc/maps.h"
#include "proc/process.h"
#include "unwind/slabs.h"
#include "unwind/spaces.h"

#define DEFAULT_BYTES (64 * MIB)
#define SWEEP_NS (1 * NSEC_PER_SEC)

struct unwinder {
	struct processes *processes; /* borrowed */
	struct slabs *slabs;
	struct tables *tables;
	struct spaces *spaces;
	uint64_t finished, swept_ns;
};

/* A walk over a sample's copy of the stack. */
struct finish {
	struct walk walk;
	const struct unwinder *u;
	const struct process *p;
	const struct ev_rest *rest;
	bool in_exec;
	bool short_of_stack; /* a read went where no copy of this stack could reach */
};

static const __u8 *slab_of(const void *slabs, __u32 at)
{
	return slabs_at(slabs, at & ~(SLAB_BYTES - 1));
}

/* Code does not change: the file has the bytes that a process sees. */
static bool read_code(const struct finish *f, void *to, uint32_t len, uint64_t from)
{
	const struct mapping *m = maps_find(f->p->maps, from);
	const struct image *i = m ? image_get(processes_images(f->u->processes), m->image) : NULL;

	return i && i->kind == IMAGE_FILE && i->fd >= 0 &&
	       pread(i->fd, to, len, (off_t)(from - m->start + m->pgoff)) == (ssize_t)len;
}

static bool copied(void *to, uint32_t len, const uint8_t *copy, uint32_t bytes, uint64_t skip)
{
	if (skip >= bytes || len > bytes - skip)
		return false;
	memcpy(to, copy + skip, len);
	return true;
}

static long walk_read(struct walk *w, void *to, __u32 len, __u64 from)
{
	struct finish *f = container_of(w, struct finish, walk);
	const struct ev_rest *rest = f->rest;
	uint64_t skip = from - (rest->sp - EV_RED_ZONE);

	if (copied(to, len, rest->stack, rest->stack_bytes, skip) ||
	    copied(to, len, rest->stack + rest->stack_bytes + rest->start_bytes, rest->other_bytes, from - rest->other))
		return 0;
	if (read_code(f, to, len, from))
		return 0;
	f->short_of_stack = skip >= EV_REST_STACK - 4096;
	return -EFAULT;
}

/* A process's first samples only: a cache would cost more than it saves. */
static struct walk_cache *walk_cache(struct walk *w)
{
	return NULL;
}

int unwinder_new(const struct unwinder_opts *opts, struct processes *processes, struct unwinder **ret)
{
	struct unwinder *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return -ENOMEM;
	u->processes = processes;
	r = slabs_new(opts->slabs_fd, &u->slabs);
	if (r >= 0)
		r = tables_new(u->slabs, processes_images(processes), opts->max_bytes ? opts->max_bytes : DEFAULT_BYTES, &u->tables);
	if (r >= 0)
		r = spaces_new(opts->spaces_fd, u->slabs, u->tables, processes, &u->spaces);
	if (r < 0) {
		unwinder_free(u);
		return r;
	}
	*ret = u;
	return 0;
}

struct unwinder *unwinder_free(struct unwinder *u)
{
	if (!u)
		return NULL;
	spaces_free(u->spaces);
	tables_free(u->tables);
	slabs_free(u->slabs);
	free(u);
	return NULL;
}

int unwinder_fd(const struct unwinder *u)
{
	return tables_fd(u->tables);
}

/* The walk needs to know the image behind its pc. */
static int want_image(struct finish *f, uint64_t now_ns)
{
	struct images *images = processes_images(f->u->processes);
	const struct mapping *m = maps_find(f->p->maps, f->walk.flags & WALK_RETURN ? f->walk.pc - 1 : f->walk.pc);

	if (!m)
		return 0;
	image_open(images, m->image, &(struct image_owner){ (pid_t)f->p->pid, m->vma_start, m->vma_end });
	return tables_want(f->u->tables, m->image, now_ns);
}

static void push(struct finish *f, struct unwound *out)
{
	out->pc[ev_user_slot(out->n++)] = walk_frame(&f->walk);
	f->walk.n = out->n;
}

/* The root's side of a stack too deep to hold lies in a ring: turned round so that it follows the leaf's. */
static void straighten(struct unwound *out)
{
	const uint32_t leaf = EV_USER_FRAMES - EV_ROOT_FRAMES;
	uint64_t ring[EV_ROOT_FRAMES];

	if (out->n <= EV_USER_FRAMES)
		return;
	memcpy(ring, out->pc + leaf, sizeof(ring));
	for (uint32_t i = 0; i < EV_ROOT_FRAMES; i++)
		out->pc[leaf + i] = ring[(out->n - leaf + i) % EV_ROOT_FRAMES];
	out->n = EV_USER_FRAMES;
	if (out->status == EV_CUT_ROOT)
		out->status = EV_CUT_MIDDLE;
}

/* A leaf in no code is still where the CPU was; except that execve has taken its image away. */
static int in_no_code(struct finish *f, struct unwound *out)
{
	out->status = !out->n && f->in_exec ? EV_CUT_IN_EXEC : EV_CUT_RETURN_NO_CODE;
	if (!out->n && !f->in_exec)
		push(f, out);
	return 0;
}

/* Why the walk ended; inside execve the stack's memory goes a little before the kernel tells of it. */
static uint32_t why(const struct finish *f)
{
	if (f->walk.status != EV_CUT_UNREADABLE)
		return f->walk.status;
	if (f->in_exec)
		return EV_CUT_IN_EXEC;
	return f->short_of_stack ? EV_CUT_REST_SHORT : EV_CUT_UNREADABLE;
}

/* Pushes the frame at hand and goes to its caller. 0: the walk is over; 1: on; -EAGAIN. */
static int go(struct finish *f, struct unwound *out, uint64_t now_ns)
{
	int r;

	if (walk_locate(&f->walk) != WALK_ON)
		return in_no_code(f, out);
	if (f->walk.here.how == SPACE_UNKNOWN) {
		r = want_image(f, now_ns);
		f->walk.here.start = f->walk.here.end = 0;
		if (r == -EAGAIN)
			return r;
		if (r < 0 || walk_locate(&f->walk) != WALK_ON || f->walk.here.how == SPACE_UNKNOWN) {
			push(f, out);
			out->status = EV_CUT_ROWS_LATE;
			return 0;
		}
	}
	if (out->n == EV_WALK_FRAMES) {
		out->status = EV_CUT_DEPTH;
		return 0;
	}
	push(f, out);
	if (walk_step(&f->walk) == WALK_ON)
		return 1;
	out->status = why(f);
	return 0;
}

static void begin(struct finish *f, const struct ev_sample *ev, const struct space *space)
{
	const struct ev_rest *rest = f->rest;

	f->walk = (struct walk){ .pc = rest->pc, .sp = rest->sp, .fp = rest->fp, .flags = rest->flags, .slabs = f->u->slabs,
				 .space = *space, .n = ev->uframes };
	memcpy(f->walk.regs, rest->regs, sizeof(f->walk.regs));
}

int unwinder_finish(struct unwinder *u, const struct process *p, const struct ev_sample *ev, const struct ev_rest *rest,
		    struct unwound *ret)
{
	struct finish f = { .u = u, .p = p, .rest = rest, .in_exec = ev->flags & EV_SAMPLE_IN_EXEC };
	uint64_t now = time_boot_ns();
	struct space space = { 0 };
	int r;

	ret->n = ev->uframes;
	ret->status = ev->status;
	memcpy(ret->pc, ev->pc + ev->kframes, ev_user_words(ev) * sizeof(ret->pc[0]));
	if (!rest) {
		straighten(ret);
		return 0;
	}
	r = spaces_get(u->spaces, p, rest->mm, rest->exec_pages, now, &space);
	begin(&f, ev, &space);
	/* No room for its mappings, whatever the reason, or none for its stack: it ends here, and says so. */
	if (r < 0 || ev->flags & EV_SAMPLE_NO_STACK) {
		push(&f, ret);
		r = 0;
	} else {
		do
			r = go(&f, ret, now);
		while (r > 0);
	}
	if (r < 0)
		return r;
	straighten(ret);
	u->finished++;
	return 0;
}

void unwinder_touch(struct unwinder *u, uint32_t image, uint64_t now_ns)
{
	tables_touch(u->tables, image, now_ns);
}

void unwinder_poll(struct unwinder *u, uint64_t now_ns)
{
	tables_poll(u->tables, now_ns);
	if (now_ns - u->swept_ns < SWEEP_NS)
		return;
	u->swept_ns = now_ns;
	spaces_sweep(u->spaces, now_ns);
	tables_sweep(u->tables, now_ns);
	slabs_reap(u->slabs, now_ns);
}

void unwinder_stats(const struct unwinder *u, struct unwinder_stats *ret)
{
	*ret = (struct unwinder_stats){ .finished = u->finished, .spaces = spaces_count(u->spaces),
					.kernel_bytes = slabs_kernel_bytes(u->slabs) };
	tables_stats(u->tables, &ret->tables);
}
