/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/rows.h"

#include <stdlib.h>

struct rows *rows_free(struct rows *t)
{
	if (!t)
		return NULL;
	free(t->pages);
	free(t->rules);
	free(t->blob);
	free(t);
	return NULL;
}

size_t rows_bytes(const struct rows *t)
{
	return t->n_pages * sizeof(*t->pages) + t->blob_bytes + t->n_rules * sizeof(*t->rules);
}

/* Where the row-th row of a page begins, and where the page's next one does: in low 16 bits. */
static uint32_t row_pc(const struct rows *t, const struct rows_page *p, uint32_t row)
{
	uint32_t block = 0;

	if (row >= p->n)
		return 1u << ROWS_PAGE_BITS;
	if (p->n <= ROWS_SPARSE_MAX)
		return rows_u16(t->blob, rows_at(p) + 2 * row);
	/* The last block that begins at or before the row. */
	for (uint32_t step = ROWS_BLOCKS / 2; step; step /= 2)
		if (rows_first(p, t->blob, block + step) <= row)
			block += step;
	return block << 8 | (rows_u16(t->blob, rows_behind_index(p) + 2 * row) & 0xff);
}

static uint64_t page_start(const struct rows *t, uint32_t page)
{
	return t->base + ((uint64_t)page << ROWS_PAGE_BITS);
}

/* The row at a cursor, which moves on; false at the end of the table. */
static bool next_row(const struct rows *t, struct rows_cursor *at, struct rows_span *ret)
{
	const struct rows_page *p = &t->pages[at->page];

	if (at->page >= t->n_pages)
		return false;
	ret->start = page_start(t, at->page) + (p->n ? row_pc(t, p, at->row) : 0);
	ret->end = page_start(t, at->page) + row_pc(t, p, at->row + 1);
	ret->rule = rows_find(t, ret->start);
	if (++at->row >= p->n) {
		at->page++;
		at->row = 0;
	}
	return true;
}

bool rows_next(const struct rows *t, struct rows_cursor *at, struct rows_span *ret)
{
	struct rows_cursor ahead;
	struct rows_span more;

	if (!next_row(t, at, ret))
		return false;
	/* A page's first row may only repeat the one that holds. */
	for (ahead = *at; next_row(t, &ahead, &more) && more.rule == ret->rule; *at = ahead)
		ret->end = more.end;
	return true;
}
