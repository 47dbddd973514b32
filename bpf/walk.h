/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * walk - up a user stack, frame by frame.
 *
 *	while (walk_locate(w))       pc's code: which mapping, by which rule is it unwound
 *		push pc
 *		walk_step(w)         to the caller: by that rule, else by frame pointer
 *
 * A step moves pc, sp and fp to the caller, or says why it cannot: WALK_END with walk.status, or WALK_MISS:
 * user space knows more than the tables here (a new process, an image without rows yet) and goes on from
 * this very state, with the same code.
 * Pure: memory is read by walk_read(), slab_of() and walk_cache(), which whoever includes this defines; so the same
 * code runs in the kernel, in the agent and in tests (ASan, fuzz).
 */
#include "bpf/events.h"
#include "bpf/walk_cache.h"

enum walk_verdict { WALK_END = 0, WALK_ON = 1, WALK_MISS = 2 };

#define WALK_RETURN (1u << 0) /* pc is a return address: the call before it is what is looked up */
#define WALK_REGS \
	(1u << 1) /* regs holds this frame's registers: the leaf, or what a signal interrupted */
#define WALK_CHAIN    (1u << 2) /* the last step went by frame pointer */

#define WALK_MIN_CODE 4096ull
#define WALK_MAX_CODE (1ull << EV_FRAME_KIND_SHIFT)

struct walk {
	__u64 pc, sp, fp;
	__u32 n;            /* frames pushed so far */
	__u32 status;       /* enum ev_cut, set when a step ends the walk */
	__u32 flags;        /* WALK_* */
	__u32 reserved;
	struct space space;     /* the process's mappings */
	const void *slabs;      /* slab_of()'s */
	struct space_code here; /* of the last pc */
	struct unwind_rule rule;
	__u64 regs[EV_REGS];    /* by DWARF's numbers */
};

/* Copies len bytes of the process's memory; 0 or an error. */
static long walk_read(struct walk *w, void *to, __u32 len, __u64 from);

/* NULL: there is none. */
static struct walk_cache *walk_cache(struct walk *w);

static __always_inline enum walk_verdict walk_cut(struct walk *w, __u32 why)
{
	w->status = why;
	return WALK_END;
}

/* The frame at hand as a sample holds it. */
static __always_inline __u64 walk_frame(const struct walk *w)
{
	__u64 exact = w->n && !(w->flags & WALK_RETURN) ? EV_FRAME_EXACT : EV_FRAME_NATIVE;

	return w->pc | exact << EV_FRAME_KIND_SHIFT;
}

static __always_inline enum walk_verdict walk_miss(struct walk *w)
{
	w->status = EV_CUT_NO_TABLES;
	return WALK_MISS;
}

/*
 * WALK_ON: w->here is the code of pc, w->rule its rule where it has rows. A frame pointer may lead anywhere: only
 * then a pc without code ends the walk.
 */
static __always_inline enum walk_verdict walk_locate(struct walk *w)
{
	__u64 pc = w->flags & WALK_RETURN ? w->pc - 1 : w->pc;

	if (pc - w->here.start >= w->here.end - w->here.start &&
	    !walk_find_code(walk_cache(w), w->slabs, &w->space, pc, &w->here)) {
		w->here.end = w->here.start = 0;
		return w->flags & WALK_CHAIN ? walk_cut(w, EV_CUT_RETURN_NO_CODE) : walk_miss(w);
	}
	if (w->here.how == SPACE_ROWS && !walk_find_rule(walk_cache(w), w->slabs, &w->space, &w->here, pc, &w->rule))
		w->here.how = SPACE_UNKNOWN;
	return WALK_ON;
}

/* The caller's registers, once all are read. */
static __always_inline enum walk_verdict walk_return(struct walk *w, __u64 pc, __u64 sp, __u64 fp,
						     __u32 flags)
{
	if (!pc)
		return walk_cut(w, EV_CUT_ROOT);
	if (pc < WALK_MIN_CODE || pc >= WALK_MAX_CODE)
		return walk_cut(w, EV_CUT_RETURN_BAD);
	w->pc = pc;
	w->sp = sp;
	w->fp = fp;
	w->flags = flags;
	return WALK_ON;
}

#include "bpf/walk_fp.h"
#include "bpf/walk_rows.h"

/* A leaf without rows: a function without a frame, if what lies on top of the stack is a return address. */
static __always_inline enum walk_verdict walk_bare(struct walk *w)
{
	struct space_code caller;
	__u64 ra;

	if ((w->flags & WALK_REGS) && !walk_read(w, &ra, sizeof(ra), w->sp) &&
	    ra >= WALK_MIN_CODE && ra < WALK_MAX_CODE &&
	    space_find(w->slabs, w->space.maps, w->space.n_maps, ra - 1, &caller) && walk_is_call(w, ra))
		return walk_return(w, ra, w->sp + 8, w->fp, WALK_RETURN);
	return walk_fp(w);
}

static __always_inline enum walk_verdict walk_step(struct walk *w)
{
	if (w->here.how == SPACE_UNKNOWN)
		return walk_miss(w);
	if (w->here.how != SPACE_ROWS || unwind_cfa(&w->rule) == UNWIND_INVALID)
		return walk_bare(w);
	return walk_by_rule(w, &w->rule);
}
