/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * code_rows - the rules of a function that has no CFI, from its instructions: x86-64.
 *
 * From the entry on, where the CFA is rsp + 8, every path through the function is followed, with direct jumps:
 * how far the CFA lies above rsp, or above rbp where rsp is not known (alloca); where the caller's rbp is. A path ends
 * where rsp goes somewhere we do not know, at jumps through registers and out of the function. The jumps of a switch
 * lead to what nothing else leads to: where all of a function's have the same state, that is the state of what no
 * path reached, unless that turns out to be wrong. What is still not reached has no rule. A function that returns with anything else than its return address on top, or without the caller's
 * rbp, or two of whose paths disagree about an instruction, is one we do not understand: all of it has none, since a
 * wrong rule is worse than none.
 *
 * Pure. Time and memory: linear in the function's length.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/rows.h"

#define CODE_FUNCTION_MAX (64u << 10)

/* Before an instruction; all zero: no path comes here. */
struct code_state {
	int32_t height; /* CFA - rsp; CODE_UNKNOWN */
	int32_t frame;  /* CFA - rbp, where rbp holds a frame; 0: it does not */
	int32_t saved;  /* CFA - address of the caller's rbp; 0: that is still in rbp */
	uint8_t len;    /* of the instruction */
	bool guessed;   /* reached from a switch */
};

#define CODE_UNKNOWN INT32_MIN

/*
 * Fills one state a byte; todo: room for one number a byte. 0, or -EBADMSG: not understood, or longer than
 * CODE_FUNCTION_MAX.
 */
int code_rows_find(const uint8_t *code, uint32_t len, struct code_state *states, uint32_t *todo);

/* INVALID where the state says nothing. */
struct unwind_rule code_rule(const struct code_state *s);
