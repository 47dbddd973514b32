/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * split - where the rest of a skeleton unit lies: in a .dwo, or in its part of the .dwp.
 *
 * A .dwp's index is a hash table from the unit's id to a row of offsets and sizes, one per section.
 * Sources: DWARF 5, 7.3.5; "DebugFissionDWP" of the GCC wiki for version 2 of the index.
 */
#include "symbolize/dwarf/scan.h"

/* What is known of .dwo files: the id of each unit in them. */
struct dwarf_split_row {
	uint64_t id, offset;
	uint32_t dwo; /* of dwarf_scan.dwos */
	uint32_t reserved;
};

struct dwarf_split {
	vec(struct dwarf_split_row) rows;
	struct htable index;
};

/* Learns the units of the .dwo files. 0 or -ENOMEM. */
int dwarf_split_learn(struct dwarf_scan *s, struct dwarf_split *sp);
void dwarf_split_fini(struct dwarf_split *sp);

/* Opens the split unit of a skeleton. 0; -ENOENT: it is in no file; -EBADMSG; -ENOMEM; -E2BIG. */
int dwarf_split_open(struct dwarf_scan *s, const struct dwarf_split *sp, struct dwarf_unit *skeleton,
		     struct dwarf_unit *ret);
