/* SPDX-License-Identifier: Apache-2.0 */
/* From sections to rows in order of address; rows_pack.c makes the table of them. */
#include <errno.h>
#include <stdlib.h>

#include "unwind/cfi_run.h"
#include "unwind/code.h"
#include "unwind/fdes.h"
#include "unwind/go_rows.h"
#include "unwind/rows.h"
#include "unwind/rows_pack.h"

/* Code between two FDEs that is padding rather than functions without CFI. */
enum { PADDING_MAX = 15 };

struct builder {
	const struct rows_source *src;
	struct rows_draft draft;
	struct rules rules;
	struct cies cies;
	struct rows_stats stats;
	struct fdes fdes;
	uint32_t ahead[FDES_GO + 1]; /* per section: the next FDE that starts behind the one at hand */
	uint64_t cursor;               /* address up to which code is covered */
	struct cfi_run run;
	struct marks marks;   /* those that hold */
	uint16_t mark_rules[MARKS_MAX];
	uint32_t mark;        /* the one at hand */
	bool in_mark;
	uint16_t below;       /* the rule of the last row, whether a mark covers it or not */
};

static int put_row(struct builder *b, uint64_t address, uint16_t rule)
{
	return draft_put(&b->draft, address - b->draft.base, rule);
}

/* The mark at hand ends: the row below it holds again, unless something else begins there. */
static int end_mark(struct builder *b, uint64_t address)
{
	uint64_t end = b->marks.v[b->mark++].end;
	bool followed = end == address || (b->mark < b->marks.n && b->marks.v[b->mark].start == end);

	b->in_mark = false;
	return followed ? 0 : put_row(b, end, b->below);
}

/* Begins and ends marks up to an address, where the row below has not changed since. */
static int put_marks(struct builder *b, uint64_t address)
{
	int r = 0;

	while (b->mark < b->marks.n && r >= 0) {
		const struct mark *m = &b->marks.v[b->mark];

		if (address < (b->in_mark ? m->end : m->start))
			break;
		if (b->in_mark) {
			r = end_mark(b, address);
		} else {
			b->in_mark = true;
			r = put_row(b, m->start, b->mark_rules[b->mark]);
		}
	}
	return r;
}

static int put(struct builder *b, uint64_t address, uint16_t rule)
{
	int r = put_marks(b, address);

	b->below = rule;
	return r < 0 || b->in_mark ? r : put_row(b, address, rule);
}

static int put_rule(struct builder *b, uint64_t address, struct unwind_rule rule)
{
	int r = rules_intern(&b->rules, rule);

	b->stats.why[UNWIND_WHY_TOO_MANY] += r < 0;
	return put(b, address, r < 0 ? 0 : (uint16_t)r);
}

static int put_state(struct builder *b, enum arch arch, uint64_t address, const struct cfi_state *state, bool signal)
{
	enum unwind_why why;
	struct unwind_rule rule = rule_of(arch, state, signal, &why);

	if (why != UNWIND_WHY_NONE)
		b->stats.why[why]++;
	return put_rule(b, address, rule);
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* What a function's rows did not reach is damage: it has no rules, and not those of the row before either. */
static int end_function(struct builder *b, uint64_t end)
{
	uint64_t at = b->cursor;

	if (at == end)
		return 0;
	b->stats.why[UNWIND_WHY_BAD_CODE]++;
	b->cursor = end;
	return put(b, at, 0);
}

/* The rows of an FDE up to an end, which may lie before its own. */
static int run_fde(struct builder *b, const struct cfi_section *s, const struct cfi_cie *cie, const struct cfi_fde *fde, uint64_t end)
{
	struct cfi_row row;
	int r, err;

	cfi_run_begin(&b->run, s, cie, fde);
	while (b->cursor < end && (r = cfi_run_next(&b->run, &row)) > 0) {
		if (row.end <= b->cursor)
			continue;
		err = put_state(b, s->arch, later(row.start, b->cursor), row.state, cie->signal);
		if (err < 0)
			return err;
		b->cursor = row.end < end ? row.end : end;
	}
	return end_function(b, end);
}

static int run_go(struct builder *b, const struct go_func *f, enum go_kind kind, uint64_t end)
{
	struct go_rows_run run;
	struct go_row row;
	int r = 0, err;

	go_rows_begin(&run, b->src->go, f, kind);
	while (b->cursor < end && (r = go_rows_next(&run, &row)) > 0) {
		if (row.end <= b->cursor)
			continue;
		b->stats.why[UNWIND_WHY_CFA_RANGE] += row.lost;
		err = put_rule(b, later(row.start, b->cursor), row.rule);
		if (err < 0)
			return err;
		b->cursor = row.end < end ? row.end : end;
	}
	return r == -E2BIG ? r : end_function(b, end);
}

/* Its CIE, valid as cies_get() says; NULL: damaged, or a Go function. */
static const struct cfi_cie *read_fde(struct builder *b, const struct fde_ref *ref, struct cfi_fde *ret)
{
	const struct cfi_section *s = &b->src->sections[fde_section(ref)];
	const struct cfi_cie *cie = NULL;
	struct cfi_entry e;

	if (fde_section(ref) == FDES_GO)
		return NULL;
	if (cfi_next(s, &(size_t){ fde_offset(ref) }, &e) > 0)
		cie = cies_get(&b->cies, s, e.cie);
	return cie && !cfi_fde_read(s, &e, cie, ret) ? cie : NULL;
}

/* Where the next FDE of the same section starts; the code's end when none does. Linear over all calls. */
static uint64_t next_start(struct builder *b, uint32_t i)
{
	const struct fde_ref *v = b->fdes.v;
	uint32_t section = fde_section(&v[i]), *at = &b->ahead[section];

	while (*at < b->fdes.n && (fde_section(&v[*at]) != section || v[*at].start <= v[i].start))
		++*at;
	return *at < b->fdes.n ? b->draft.base + v[*at].start : b->src->end;
}

/* Code that no FDE covers. */
static int fill_gap(struct builder *b, uint64_t start, uint64_t end)
{
	struct code_row row;
	uint64_t at = start;
	int r = put(b, start, 0);

	if (!b->src->code || end - start < CODE_GAP_MIN || r < 0)
		return r;
	r = code_begin(b->src->code, start, end);
	while (r >= 0 && (r = code_next(b->src->code, &row)) > 0) {
		b->stats.why[UNWIND_WHY_CODE] += row.lost;
		b->stats.code_rows += !row.lost;
		if (row.end <= at)
			continue;
		if (row.start > at)
			r = put(b, at, 0);
		if (r >= 0)
			r = put_rule(b, later(row.start, at), row.rule);
		at = row.end;
	}
	return r < 0 || at >= end ? r : put(b, at, 0);
}

/* Up to a function's start: a gap may belong to the code before it. */
static int begin_function(struct builder *b, uint64_t start)
{
	uint64_t at = b->cursor;

	if (start <= at)
		return 0;
	b->cursor = start;
	return start - at > PADDING_MAX ? fill_gap(b, at, start) : 0;
}

static int add_go(struct builder *b, uint32_t i)
{
	const struct fde_ref *ref = &b->fdes.v[i];
	uint64_t end = next_start(b, i);
	struct go_func f;
	int r;

	if (go_func_read(b->src->go, fde_offset(ref) >> FDES_KIND_BITS, &f) < 0)
		return 0; /* was read before: not reached unless the file has changed */
	if (f.end < end)
		end = f.end;
	if (end <= b->cursor)
		return 0;
	r = begin_function(b, b->draft.base + ref->start);
	return r < 0 ? r : run_go(b, &f, (enum go_kind)(fde_offset(ref) & ((1 << FDES_KIND_BITS) - 1)), end);
}

static int add_fde(struct builder *b, uint32_t i)
{
	const struct fde_ref *ref = &b->fdes.v[i];
	uint64_t end = next_start(b, i);
	struct cfi_fde fde;
	const struct cfi_cie *cie = read_fde(b, ref, &fde);
	int r;

	if (!cie)
		return 0; /* was read before: not reached */
	if (fde.end > end && end < b->src->end)
		b->stats.why[UNWIND_WHY_OVERLAP]++;
	if (fde.end < end)
		end = fde.end;
	if (end <= b->cursor)
		return 0;
	r = begin_function(b, fde.start);
	return r < 0 ? r : run_fde(b, &b->src->sections[fde_section(ref)], cie, &fde, end);
}

/* The last FDE that starts at or before an address, if it covers that. */
static bool fde_at(struct builder *b, uint64_t address, struct cfi_fde *ret)
{
	const struct fde_ref *v = b->fdes.v;
	uint32_t lo = 0, hi = b->fdes.n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (b->draft.base + v[mid].start <= address)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && read_fde(b, &v[lo - 1], ret) && address < ret->end;
}

/* Marks inside the code, less those that yield to an FDE, and as long as the function that one is for. */
static void settle_marks(struct builder *b)
{
	for (uint32_t i = 0; i < b->src->n_marks && i < MARKS_MAX; i++) {
		struct mark m = b->src->marks[i];
		struct cfi_fde fde;
		bool covered = fde_at(b, m.start, &fde);

		if (m.weak && covered)
			continue;
		if (m.function && covered && fde.start == m.start)
			m.end = fde.end;
		if (i + 1 < b->src->n_marks && m.end > b->src->marks[i + 1].start)
			m.end = b->src->marks[i + 1].start;
		if (m.end > b->src->end)
			m.end = b->src->end;
		if (m.start < b->src->start || m.start >= m.end)
			continue;
		b->mark_rules[b->marks.n] = (uint16_t)rules_intern(&b->rules, m.rule); /* the first ones: there is room */
		b->marks.v[b->marks.n++] = m;
	}
}

static int build(struct builder *b, struct rows **ret)
{
	const struct rows_source *src = b->src;
	uint64_t base = src->start & ~(uint64_t)0xffff;
	int r = fdes_collect(src, base, &b->cies, &b->stats, &b->fdes);
	bool known = b->fdes.n || src->n_marks;

	if (r >= 0)
		r = known || src->code ? draft_init(&b->draft, base, src->end) : -ENODATA;
	if (r >= 0)
		settle_marks(b);
	for (uint32_t i = 0; i < b->fdes.n && r >= 0; i++)
		r = fde_section(&b->fdes.v[i]) == FDES_GO ? add_go(b, i) : add_fde(b, i);
	fdes_fini(&b->fdes);
	if (r >= 0 && b->cursor < src->end)
		r = fill_gap(b, b->cursor, src->end);
	if (r >= 0)
		r = put_marks(b, src->end);
	if (r >= 0)
		r = known || b->stats.code_rows ? 0 : -ENODATA;
	if (r >= 0)
		r = draft_pack(&b->draft, &b->rules, &b->stats, ret);
	return r;
}

int rows_build(const struct rows_source *src, struct rows **ret)
{
	struct builder *b;
	int r;

	if (src->end <= src->start)
		return -ENODATA;
	if (src->end - (src->start & ~(uint64_t)0xffff) > 1ull << 32)
		return -E2BIG;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->src = src;
	b->cursor = src->start;
	r = rules_init(&b->rules);
	if (r >= 0)
		r = build(b, ret);
	if (r >= 0)
		(*ret)->arch = src->n_sections ? src->sections[0].arch : ARCH_X86_64; /* no other has Go's rows or code's */
	draft_fini(&b->draft);
	rules_fini(&b->rules);
	free(b);
	return r;
}
