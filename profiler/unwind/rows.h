/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * rows - an image's unwind table, built from its CFI (bpf/rows.h draws the format and searches it).
 *
 *	sections, a Go binary's functions -> FDEs sorted by address -> rows -> pages, rules by frequency
 *
 * Equal neighbours are one row. Where two FDEs of a section cover a pc, the one that starts last has it,
 * as the runtimes' binary search finds it; .debug_frame fills in what .eh_frame leaves. A gap of up to
 * 15 bytes between FDEs is padding and belongs to the code before it; a wider one is INVALID:
 * code without CFI, which has what its own instructions say (code.h). Marks go over all of that.
 * Memory: a table owns all it points to. While building: 16 bytes per FDE, then 4 per row, beside the sections
 * and 4 MiB of a pclntab.
 * Threads: none shares anything; a finished table is constant.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/rows.h"
#include "unwind/cfi.h"
#include "unwind/marks.h"
#include "unwind/rules.h"

struct rows_stats {
	uint64_t fdes, go_functions, code_rows, rows, escapes;
	uint64_t why[UNWIND_WHY_MAX];
};

struct rows {
	enum arch arch;
	uint64_t base, end; /* addresses in the image; base begins page 0 */
	uint32_t n_pages, n_rules;
	struct rows_page *pages;
	struct unwind_rule *rules;
	uint8_t *blob; /* the pages' rows */
	size_t blob_bytes;
	struct rows_stats stats;
};

struct code;
struct go_pclntab;

struct rows_source {
	const struct cfi_section *sections; /* the better one first; all of one machine */
	uint32_t n_sections;
	uint64_t start, end; /* of the code; at most 4 GiB */
	struct go_pclntab *go; /* NULL: not a Go binary */
	struct code *code;     /* functions without CFI; NULL: not wanted */
	const struct mark *marks; /* as marks_find() gives them */
	uint32_t n_marks;
};

/*
 * 0; -ENODATA: no FDE, no mark and no symbol covers any of the code; -E2BIG: more code, FDEs or rows than a table may have;
 * -ENOMEM. Damage costs the rows it hits, counted in stats.
 */
int rows_build(const struct rows_source *src, struct rows **ret);
struct rows *rows_free(struct rows *t);
static inline void rows_freep(struct rows **t)
{
	rows_free(*t);
}

/* The rule for an address of the image; INVALID outside. */
static inline const struct unwind_rule *rows_find(const struct rows *t, uint64_t address)
{
	static const struct unwind_rule invalid;
	uint64_t off = address - t->base;

	if (off >> ROWS_PAGE_BITS >= t->n_pages)
		return &invalid;
	return &t->rules[rows_find_in_page(&t->pages[off >> ROWS_PAGE_BITS], t->blob, off & 0xffff)];
}

/* What the table occupies where it is used: directory, rows, rules. */
size_t rows_bytes(const struct rows *t);

/* Walks the rows in order of address. */
struct rows_cursor {
	uint32_t page, row;
};
struct rows_span {
	uint64_t start, end;
	const struct unwind_rule *rule;
};
bool rows_next(const struct rows *t, struct rows_cursor *at, struct rows_span *ret);
