/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * step_shadow - the truth about a single-stepped thread's stacks: what its calls pushed and nothing popped yet.
 *
 *	call     pushes its return address            ret        pops it
 *	signal   pushes what it interrupted, and      sigreturn  pops that
 *	         the trampoline the handler returns to
 *
 * Who goes elsewhere takes entries with it: longjmp() jumps with sp above them, an exception's landing is a
 * ret with sp above them, swapcontext() is a ret on another stack. Nothing here knows of CFI.
 */
#include <stdbool.h>
#include <stdint.h>

enum { SHADOW_DEPTH = 1024, SHADOW_STACKS = 3 };

struct shadow_entry {
	uint64_t slot; /* where the return address lies; of a signal: sp in its handler */
	uint64_t pc;
	bool interrupted; /* by a signal: no return address */
};

struct shadow_stack {
	uint64_t start, end; /* 0: the thread's own, all that is in no other */
	uint32_t n;
	struct shadow_entry v[SHADOW_DEPTH];
};

struct shadow {
	uint32_t here;
	uint32_t
		jumps; /* returns to where nobody called from, or past callers: exceptions, context switches */
	struct shadow_stack stacks[SHADOW_STACKS];
};

void shadow_call(struct shadow *s, uint64_t slot, uint64_t ret);
/* A ret read its target at slot; beyond: the word above it, a new stack's first return address. */
void shadow_return(struct shadow *s, uint64_t slot, uint64_t to, uint64_t beyond);
void shadow_jump(struct shadow *s, uint64_t sp);
void shadow_signal(struct shadow *s, uint64_t slot, uint64_t interrupted, uint64_t trampoline);
/* False: nobody was interrupted there. */
bool shadow_sigreturn(struct shadow *s, uint64_t to);

/* The callers, innermost first: returns their number. */
uint32_t shadow_callers(const struct shadow *s, const struct shadow_entry **ret_last);
/* How many signals are being handled. */
uint32_t shadow_signals(const struct shadow *s);
