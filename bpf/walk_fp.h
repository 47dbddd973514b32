/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * walk_fp - a step by frame pointer: [fp] is the caller's fp, [fp + 8] the return address.
 *
 * Code built without frame pointers keeps anything in that register, and a read that faults costs
 * 500 good ones. So nothing is read before the value looks like a frame pointer: above the stack
 * pointer, 8-aligned, within 8 MiB, and rising from frame to frame. A saved fp of 0 is the root, as
 * the ABI's process entry sets it.
 * Layout: System V AMD64 ABI 3.2.2; AAPCS64 6.4.6 (fp, lr pair) is the same.
 */
#define WALK_FP_MAX_STEP (8ull << 20)
#define WALK_MIN_CODE 4096ull
#define WALK_MAX_CODE (1ull << EV_FRAME_KIND_SHIFT)

static __always_inline enum walk_verdict walk_fp(struct walk *w)
{
	__u64 frame[2];

	if (w->fp == 0 && w->n > 1)
		return walk_cut(w, EV_CUT_ROOT);
	if (w->fp & 7)
		return walk_cut(w, w->n > 1 ? EV_CUT_FP_UNALIGNED : EV_CUT_FP_NONE);
	/* The leaf may stand right before `push fp`, so fp == sp is a frame; later ones must rise. */
	if (w->fp < w->sp)
		return walk_cut(w, w->n > 1 ? EV_CUT_FP_NOT_RISING : EV_CUT_FP_NONE);
	if (w->fp - w->sp > WALK_FP_MAX_STEP)
		return walk_cut(w, w->n > 1 ? EV_CUT_FP_FAR : EV_CUT_FP_NONE);
	if (bpf_probe_read_user(frame, sizeof(frame), (const void *)w->fp))
		return walk_cut(w, EV_CUT_UNREADABLE);
	if (frame[1] == 0)
		return walk_cut(w, EV_CUT_ROOT);
	if (frame[1] < WALK_MIN_CODE || frame[1] >= WALK_MAX_CODE)
		return walk_cut(w, EV_CUT_RETURN_BAD);
	w->sp = w->fp + sizeof(frame);
	w->fp = frame[0];
	w->pc = frame[1];
	return WALK_ON;
}
