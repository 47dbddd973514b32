/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/rows_pack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "unwind/rows.h"

int draft_init(struct rows_draft *d, uint64_t base, uint64_t end)
{
	*d = (struct rows_draft){ .base = base, .end = end };
	d->n_pages = (uint32_t)((end - base + 0xffff) >> ROWS_PAGE_BITS);
	d->first = calloc(d->n_pages + 1, sizeof(*d->first));
	return d->first ? 0 : -ENOMEM;
}

void draft_fini(struct rows_draft *d)
{
	free(d->first);
	vec_fini(&d->rows);
	*d = (struct rows_draft){ 0 };
}

static int push(struct rows_draft *d, uint32_t pc, uint16_t rule)
{
	struct draft_row *row;

	if (d->rows.n == ROWS_MAX)
		return -E2BIG;
	row = vec_push(&d->rows);
	if (!row)
		return -ENOMEM;
	*row = (struct draft_row){ .pc = (uint16_t)pc, .rule = rule };
	return 0;
}

/* Begins pages up to n of them; each starts with the rule that holds. */
static int begin_pages(struct rows_draft *d, uint32_t n)
{
	int r = 0;

	while (d->page < n && r >= 0) {
		d->first[d->page++] = d->rows.n;
		r = push(d, 0, d->rule);
	}
	return r;
}

int draft_put(struct rows_draft *d, uint64_t off, uint16_t rule)
{
	uint32_t pc = off & 0xffff;
	int r;

	if (rule == d->rule)
		return 0;
	r = begin_pages(d, (uint32_t)(off >> ROWS_PAGE_BITS) + 1);
	if (r < 0)
		return r;
	d->rule = rule;
	d->changes++;
	if (d->rows.v[d->rows.n - 1].pc != pc)
		return push(d, pc, rule);
	d->rows.v[d->rows.n - 1].rule = rule; /* the page's own first row */
	return 0;
}

struct use {
	uint32_t count;
	uint16_t rule;
};

static int by_count(const void *a, const void *b)
{
	const struct use *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return (int)x->rule - (int)y->rule;
}

/* Renumbers by frequency, INVALID staying 0: number[old] = new. */
static int number_rules(const struct rows_draft *d, const struct rules *rules, uint16_t *number, struct rows *t)
{
	struct use *uses = calloc(rules->n, sizeof(*uses));

	t->rules = calloc(rules->n, sizeof(*t->rules));
	t->n_rules = rules->n;
	if (!uses || !t->rules) {
		free(uses);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < rules->n; i++)
		uses[i].rule = (uint16_t)i;
	for (uint32_t i = 0; i < d->rows.n; i++)
		uses[d->rows.v[i].rule].count++;
	qsort(uses + 1, rules->n - 1, sizeof(*uses), by_count);
	for (uint32_t i = 0; i < rules->n; i++) {
		number[uses[i].rule] = (uint16_t)i;
		t->rules[i] = rules->v[uses[i].rule];
	}
	free(uses);
	return 0;
}

static uint32_t count_escapes(const struct draft_row *rows, uint32_t n)
{
	uint32_t escapes = 0;

	for (uint32_t i = 0; i < n; i++)
		escapes += rows[i].rule >= ROWS_ESCAPE;
	return escapes;
}

/* The first row at or behind each block's start. */
static void find_blocks(const struct draft_row *rows, uint32_t n, uint16_t *first)
{
	uint32_t row = 0;

	for (uint32_t block = 0; block < ROWS_BLOCKS; block++) {
		while (row < n && rows[row].pc >> 8 < block)
			row++;
		first[block] = (uint16_t)row;
	}
}

static bool needs_wide(const uint16_t *first)
{
	for (uint32_t block = 0; block < ROWS_BLOCKS; block++)
		if (first[block] - first[block >> ROWS_GROUP_BITS << ROWS_GROUP_BITS] > UINT8_MAX)
			return true;
	return false;
}

/* Where a page's rows go and how long they are; the rows have their final rules. */
static uint32_t place_page(struct rows *t, uint32_t page, const struct draft_row *rows, uint32_t n, uint32_t at)
{
	struct rows_page *p = &t->pages[page];
	uint16_t first[ROWS_BLOCKS];

	if (n > UINT16_MAX) {
		t->stats.why[UNWIND_WHY_BAD_PAGE]++;
		return 0;
	}
	if (n == 1) {
		p->info = rows->rule;
		return 0;
	}
	p->at = at;
	p->n = (uint16_t)n;
	p->info = (uint16_t)count_escapes(rows, n);
	t->stats.escapes += p->info;
	if (n > ROWS_SPARSE_MAX) {
		find_blocks(rows, n, first);
		p->at |= needs_wide(first);
	}
	return rows_escapes(p) - at + 4 * p->info;
}

static uint32_t short_rule(const struct draft_row *row)
{
	return row->rule >= ROWS_ESCAPE ? ROWS_ESCAPE : row->rule;
}

static void write_sparse(uint8_t *out, const struct draft_row *rows, uint32_t n)
{
	uint16_t *pcs = (uint16_t *)out;

	out += 2 * n;
	for (uint32_t i = 0; i < n; i++) {
		pcs[i] = rows[i].pc;
		out[i] = (uint8_t)short_rule(&rows[i]);
	}
	if (n & 1)
		out[n] = 0;
}

static void write_index(uint8_t *out, const struct draft_row *rows, uint32_t n, bool wide)
{
	uint16_t first[ROWS_BLOCKS], *starts = (uint16_t *)out;

	find_blocks(rows, n, first);
	if (wide) {
		memcpy(out, first, sizeof(first));
		return;
	}
	for (uint32_t block = 0; block < ROWS_BLOCKS; block++) {
		uint32_t group = block >> ROWS_GROUP_BITS;

		starts[group] = first[group << ROWS_GROUP_BITS];
		out[2 * ROWS_GROUPS + block] = (uint8_t)(first[block] - starts[group]);
	}
}

static void write_dense(uint16_t *out, const struct draft_row *rows, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		out[i] = (uint16_t)((rows[i].pc & 0xff) | short_rule(&rows[i]) << 8);
}

static void write_escapes(uint16_t *out, const struct draft_row *rows, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (rows[i].rule >= ROWS_ESCAPE) {
			*out++ = rows[i].pc;
			*out++ = rows[i].rule;
		}
}

static void write_page(const struct rows_page *p, const struct draft_row *rows, uint8_t *blob)
{
	uint8_t *out = blob + rows_at(p), *behind = blob + rows_behind_index(p);

	if (!p->n)
		return;
	if (p->n <= ROWS_SPARSE_MAX) {
		write_sparse(out, rows, p->n);
	} else {
		write_index(out, rows, p->n, p->at & 1);
		write_dense((uint16_t *)behind, rows, p->n);
	}
	write_escapes((uint16_t *)(blob + rows_escapes(p)), rows, p->n);
}

static int write_pages(const struct rows_draft *d, struct rows *t)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < d->n_pages; i++)
		at += place_page(t, i, &d->rows.v[d->first[i]], d->first[i + 1] - d->first[i], at);
	t->blob = malloc(at ? at : 1);
	if (!t->blob)
		return -ENOMEM;
	t->blob_bytes = at;
	for (uint32_t i = 0; i < d->n_pages; i++)
		write_page(&t->pages[i], &d->rows.v[d->first[i]], t->blob);
	return 0;
}

static int pack(struct rows_draft *d, const struct rules *rules, uint16_t *number, struct rows *t)
{
	int r = number_rules(d, rules, number, t);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < d->rows.n; i++)
		d->rows.v[i].rule = number[d->rows.v[i].rule];
	t->pages = calloc(d->n_pages, sizeof(*t->pages));
	return t->pages ? write_pages(d, t) : -ENOMEM;
}

int draft_pack(struct rows_draft *d, const struct rules *rules, const struct rows_stats *stats, struct rows **ret)
{
	struct rows *t = calloc(1, sizeof(*t));
	uint16_t *number = calloc(rules->n, sizeof(*number));
	int r = t && number ? begin_pages(d, d->n_pages) : -ENOMEM;

	if (r >= 0) {
		d->first[d->n_pages] = d->rows.n;
		*t = (struct rows){ .base = d->base, .end = d->end, .n_pages = d->n_pages, .stats = *stats };
		t->stats.rows = d->changes;
		r = pack(d, rules, number, t);
	}
	free(number);
	if (r < 0)
		rows_free(t);
	else
		*ret = t;
	return r;
}
