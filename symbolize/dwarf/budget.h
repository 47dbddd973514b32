/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * budget - what bounds the work on bytes that are read more than once.
 *
 * An entry is referenced by many, a list of ranges shared, tables overlap: honest files read some bytes twice
 * or ten times, a hostile one could have each byte read by each other one. Whoever goes back in the file pays
 * for the bytes it reads; what cannot be paid is left out.
 */
#include <stdbool.h>
#include <stdint.h>

struct dwarf_budget {
	uint64_t bytes;
	bool spent;
};

/* False: no more of it. */
static inline bool dwarf_budget_pay(struct dwarf_budget *b, uint64_t bytes)
{
	if (bytes > b->bytes) {
		b->spent = true;
		return false;
	}
	b->bytes -= bytes;
	return true;
}
