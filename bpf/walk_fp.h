/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * walk_fp - a step by frame pointer: [fp] is the caller's fp, [fp + 8] the return address.
 *
 * For code without rows only: JITs, Go, and what was built with frame pointers instead of CFI.
 * Other code keeps anything in that register, and a read that faults costs 500 good ones. So nothing is
 * read before the value looks like a frame pointer: above the stack pointer, 8-aligned, within 8 MiB, and
 * rising from frame to frame. A saved fp of 0 is the root, as the ABI's process entry sets it.
 * Layout: System V AMD64 ABI 3.2.2; AAPCS64 6.4.6 (fp, lr pair) is the same.
 */
#define WALK_FP_MAX_STEP (8ull << 20)

/* Is this a frame pointer at all, and if not, what do we call it: a chain that broke, or none to begin with. */
static __always_inline __u32 walk_fp_fault(const struct walk *w)
{
	int chained = w->flags & WALK_CHAIN;

	if (w->fp == 0)
		return chained ? EV_CUT_ROOT : EV_CUT_FP_NONE;
	if (w->fp & 7)
		return chained ? EV_CUT_FP_UNALIGNED : EV_CUT_FP_NONE;
	/* The leaf may stand right before `push fp`, so fp == sp is a frame; later ones must rise. */
	if (w->fp < w->sp)
		return chained ? EV_CUT_FP_NOT_RISING : EV_CUT_FP_NONE;
	if (w->fp - w->sp > WALK_FP_MAX_STEP)
		return chained ? EV_CUT_FP_FAR : EV_CUT_FP_NONE;
	return EV_CUT_MAX;
}

static __always_inline enum walk_verdict walk_fp(struct walk *w)
{
	__u32 fault = walk_fp_fault(w);
	__u64 frame[2];

	if (fault != EV_CUT_MAX)
		return walk_cut(w, fault);
	if (walk_read(w, frame, sizeof(frame), w->fp))
		return walk_cut(w, EV_CUT_UNREADABLE);
	return walk_return(w, frame[1], w->fp + sizeof(frame), frame[0], WALK_RETURN | WALK_CHAIN);
}
