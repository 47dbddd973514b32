/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * ranges - the addresses of an entry: low_pc and high_pc, or a list in .debug_ranges or .debug_rnglists.
 *
 * Only live ones come out: the linker leaves entries of functions it dropped behind, at 0, -1, -2 or at an
 * offset from there; what begins in no executable segment is one of those.
 * Source: DWARF 5, 2.17.3 and 7.25; DWARF 4, 2.17.3.
 */
#include <stdint.h>

#include "base/vec.h"
#include "symbolize/dwarf/units.h"

struct dwarf_range {
	uint64_t start, end;
};

/* Executable segments of the image. */
struct dwarf_live {
	vec(struct dwarf_range) v;
	uint64_t dead; /* counted */
};

struct dwarf_ranges {
	vec(struct dwarf_range) v;
};

/* Cut to the segment it begins in; false when it is empty or dead. */
bool dwarf_live_clip(struct dwarf_live *live, struct dwarf_range *io);

/* Replaces what is in *ret by the entry's live ranges. 0 or -ENOMEM; damage ends a list. */
int dwarf_ranges_of(const struct dwarf_unit *u, const struct dwarf_die *d, struct dwarf_live *live,
		    struct dwarf_budget *budget, struct dwarf_ranges *ret);
