/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * step_causes - walks that differ from the truth, by where and by their status; those we know, with the reason.
 *
 * A known cause holds for one function and allows one kind of difference, so many times at most:
 *
 *	EARLY   the walk ends early; all it has is right
 *	FEWER   the walk leaves callers out; all it has is right
 *	OTHER   the stack is half way to being another one, and the walk is of either
 */
#include <stdbool.h>
#include <stdint.h>

struct difference {
	const char *leaf, *caller; /* names, "function+0x12", as the truth has them; "" */
	const char *last;          /* of the last frame that is right */
	const char *leaf_rule;
	uint32_t status;   /* enum ev_cut */
	bool early, fewer; /* as above; early is fewer too */
};

/* Counts it. Returns how often the like was met; 0: that is known, and nothing to show. */
uint64_t causes_add(const struct difference *d);
/* Prints all of them. Returns how many walks differ that should not. */
uint64_t causes_report(void);
