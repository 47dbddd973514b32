/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan - what the parts of one dwarf_scan() share: files, caches, the budget, the builder.
 */
#include "base/buf.h"
#include "symbolize/dwarf/dwarf_scan.h"
#include "symbolize/dwarf/line_program.h"
#include "symbolize/dwarf/ranges.h"
#include "symbolize/dwarf/units.h"
#include "symbolize/symcache_build.h"

/* Where the units of a file begin, for references from one to another. */
struct dwarf_unit_index {
	vec(uint64_t) offsets;
};

struct dwarf_entity {
	uint64_t key;      /* file and offset of the entry */
	uint32_t function; /* of the builder */
	uint32_t reserved;
};

struct dwarf_text_slot {
	uint64_t key; /* place of the text; 0: empty */
	uint32_t id;  /* of the builder */
	uint32_t reserved;
};

enum { DWARF_NEAR_UNITS = 64, DWARF_TEXT_SLOTS = 1 << 15 };

struct dwarf_scan {
	struct dwarf_store store;
	struct dwarf_object main, alt, dwp;
	struct dwarf_object *dwos;
	uint32_t n_dwos;
	struct dwarf_unit_index main_index, alt_index;
	struct dwarf_live live;
	struct dwarf_budget budget;
	struct dwarf_abbrev_cache abbrevs;
	/* Units that the one being read refers to: one of each number modulo the size. */
	struct dwarf_unit near[DWARF_NEAR_UNITS];
	vec(struct dwarf_entity) entities;
	struct htable entity_index;
	struct dwarf_text_slot *texts;
	struct dwarf_ranges ranges;
	struct dwarf_line_rows rows;
	struct htable lines_done; /* programs that were run: offsets */
	vec(uint64_t) lines_run;
	struct buf path;
	struct symcache_build *out;
	struct dwarf_scan_stats stats;
};

/* scan_files.c: opens them. The errors of dwarf_scan(). */
int dwarf_scan_open(struct dwarf_scan *s, const struct dwarf_files *files);

/* The file of a number in the unit's line program. */
int dwarf_scan_file(struct dwarf_scan *s, struct dwarf_unit *u, uint64_t number, uint32_t *ret);

/* walk.c: the entries of an open unit. 0: to its end, or to damage (counted); -ENOMEM, -E2BIG. */
int dwarf_walk(struct dwarf_scan *s, struct dwarf_unit *u);
