/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * rows_pack - rows collected in order of address, then packed into a table's pages.
 *
 * Which rules get the short numbers is known only when all rows are: they are kept in 4 bytes each until then.
 */
#include <stdint.h>

struct rows;
struct rows_stats;
struct rules;

#define ROWS_MAX (16u << 20) /* of one table; the most seen are 1.2 million */

struct draft_row {
	uint16_t pc, rule;
};

struct rows_draft {
	uint64_t base, end;
	uint32_t n_pages, page; /* pages begun */
	uint32_t *first;        /* row of each page, and of the end */
	struct {
		struct draft_row *v;
		uint32_t n, cap;
	} rows;
	uint64_t changes; /* rows without those that only repeat one at a page's start */
	uint16_t rule;    /* of the last row */
};

int draft_init(struct rows_draft *d, uint64_t base, uint64_t end);
void draft_fini(struct rows_draft *d);
/* From base + off on, off never falling, this rule holds. 0, -ENOMEM or -E2BIG. */
int draft_put(struct rows_draft *d, uint64_t off, uint16_t rule);
/* Fills a table; takes nothing from the draft or the rules. 0 or -ENOMEM. */
int draft_pack(struct rows_draft *d, const struct rules *rules, const struct rows_stats *stats, struct rows **ret);
