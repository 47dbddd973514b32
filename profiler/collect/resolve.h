/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * resolve - a raw sample becomes frames that outlive its process.
 *
 * Must run in time order with the side-band (timeline.h): a pc is looked up in the mappings that
 * were in force when the sample was taken. Return addresses are moved one byte back, into the call.
 */
#include <stdint.h>

#include "bpf/events.h"
#include "collect/window.h"
#include "unwind/unwinder.h"

struct processes;
struct unwinder;

struct resolved {
	uint32_t n;
	uint32_t
		cut; /* enum ev_cut; may differ from the sample's when user space ended the stack */
	struct unwound user; /* the whole user stack's pcs */
	struct window_frame frames[EV_KERNEL_FRAMES + EV_USER_FRAMES];
};

/*
 * Whose sample it is, as far as anyone knows: *ret is borrowed until the table changes. NULL: nobody can tell, or not for
 * sure, so it is under nobody's name; with needs_scan set its mappings are not known. 0 or -ENOMEM.
 */
int resolve_process(struct processes *t, const struct ev_sample *ev, struct process **ret);

/*
 * Opens the images it meets for the first time, finishes the walk where the program could not. p: of resolve_process().
 * 0; -EAGAIN: unwind rows are being built, call again with the same sample; -ENOMEM.
 */
int resolve_stack(struct processes *t, struct unwinder *u, const struct ev_sample *ev,
		  const struct process *p, struct resolved *ret);
