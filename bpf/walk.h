/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * walk - one step up a user stack: the interface every unwinder stands behind.
 *
 * The sampler pushes walk.pc, calls walk_step() and goes on while it says WALK_ON. A step moves pc,
 * sp and fp to the caller, or says why it cannot (walk.status). Pure: the only outside call is
 * bpf_probe_read_user, so the same code runs on the host in tests/bpf (ASan, fuzz).
 */
#include "bpf/events.h"

enum walk_verdict { WALK_END = 0, WALK_ON = 1 };

struct walk {
	__u64 pc, sp, fp;
	__u32 n;      /* frames pushed so far: 1 while pc is the leaf */
	__u32 status; /* enum ev_cut, set when a step ends the walk */
};

static __always_inline enum walk_verdict walk_cut(struct walk *w, __u32 why)
{
	w->status = why;
	return WALK_END;
}

#include "bpf/walk_fp.h"

/* The choice of unwinder for a pc. Frame pointers are the only one so far. */
static __always_inline enum walk_verdict walk_step(struct walk *w)
{
	return walk_fp(w);
}
