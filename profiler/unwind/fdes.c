/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/fdes.h"

#include <errno.h>
#include <stdlib.h>

#include "base/vec.h"
#include "unwind/go_rows.h"
#include "unwind/rows.h"

const struct cfi_cie *cies_get(struct cies *c, const struct cfi_section *s, size_t offset)
{
	struct cie_slot *slot = &c->slots[(offset >> 2 ^ offset >> 6) % CIES_SLOTS];

	if (slot->section == s && slot->cie.offset == offset)
		return &slot->cie;
	slot->section = NULL;
	if (cfi_cie_read(s, offset, &slot->cie) < 0)
		return NULL;
	slot->section = s;
	return &slot->cie;
}

static int collect_one(const struct rows_source *src, uint64_t base, const struct cfi_section *s, const struct cfi_entry *e,
		       struct cies *cies, struct rows_stats *stats, struct fdes *out)
{
	const struct cfi_cie *cie = cies_get(cies, s, e->cie);
	struct fde_ref *ref;
	struct cfi_fde fde;

	if (!cie || cfi_fde_read(s, e, cie, &fde) < 0) {
		stats->why[cie ? UNWIND_WHY_BAD_FDE : UNWIND_WHY_BAD_CIE]++;
		return 0;
	}
	if (fde.start == fde.end)
		return 0;
	if (fde.start < src->start || fde.start >= src->end) {
		stats->why[UNWIND_WHY_OUTSIDE]++;
		return 0;
	}
	if (out->n == FDES_MAX)
		return -E2BIG;
	ref = vec_push(out);
	if (!ref)
		return -ENOMEM;
	ref->start = (uint32_t)(fde.start - base);
	ref->place = (uint32_t)(e->offset << 2) | (uint32_t)(s - src->sections);
	stats->fdes++;
	return 0;
}

static int collect_section(const struct rows_source *src, uint64_t base, const struct cfi_section *s, struct cies *cies,
			   struct rows_stats *stats, struct fdes *out)
{
	struct cfi_entry e;
	size_t offset = 0;
	int r;

	if (s->len >> 30)
		return -E2BIG;
	while ((r = cfi_next(s, &offset, &e)) > 0) {
		r = e.is_cie ? 0 : collect_one(src, base, s, &e, cies, stats, out);
		if (r < 0)
			return r;
	}
	stats->why[UNWIND_WHY_BAD_SECTION] += r < 0;
	return 0;
}

static int collect_go_one(const struct rows_source *src, uint64_t base, uint32_t i, struct rows_stats *stats, struct fdes *out)
{
	struct fde_ref *ref;
	struct go_func f;
	enum go_kind kind;
	uint64_t start;

	if (go_func_read(src->go, i, &f) < 0 || f.end < f.entry) {
		stats->why[UNWIND_WHY_BAD_FDE]++;
		return 0;
	}
	kind = go_kind(&f);
	start = go_func_start(&f, kind);
	if (start < src->start || start >= src->end) {
		stats->why[UNWIND_WHY_OUTSIDE]++;
		return 0;
	}
	if (f.end == f.entry)
		return 0;
	ref = vec_push(out);
	if (!ref)
		return -ENOMEM;
	ref->start = (uint32_t)(start - base);
	ref->place = (i << FDES_KIND_BITS | kind) << 2 | FDES_GO;
	stats->go_functions++;
	return 0;
}

static int collect_go(const struct rows_source *src, uint64_t base, struct rows_stats *stats, struct fdes *out)
{
	int r = 0;

	for (uint32_t i = 0; src->go && i < src->go->n_funcs && r >= 0; i++)
		r = collect_go_one(src, base, i, stats, out);
	return r;
}

enum { DIGIT_BITS = 11, DIGITS = 3 };

static void sort_by_digit(const struct fde_ref *from, struct fde_ref *to, uint32_t n, unsigned int shift)
{
	uint32_t place[1 << DIGIT_BITS] = { 0 }, sum = 0, mask = (1 << DIGIT_BITS) - 1;

	for (uint32_t i = 0; i < n; i++)
		place[from[i].start >> shift & mask]++;
	for (uint32_t d = 0; d <= mask; d++) {
		uint32_t count = place[d];

		place[d] = sum;
		sum += count;
	}
	for (uint32_t i = 0; i < n; i++)
		to[place[from[i].start >> shift & mask]++] = from[i];
}

static bool is_sorted(const struct fdes *f)
{
	for (uint32_t i = 1; i < f->n; i++)
		if (f->v[i].start < f->v[i - 1].start)
			return false;
	return true;
}

/* Stable: of FDEs with one start the better section's stays first. */
static int sort(struct fdes *f)
{
	struct fde_ref *from = f->v, *to, *other;

	if (is_sorted(f))
		return 0;
	other = to = malloc(f->n * sizeof(*to));
	if (!to)
		return -ENOMEM;
	for (unsigned int d = 0; d < DIGITS; d++) {
		struct fde_ref *swap = from;

		sort_by_digit(from, to, f->n, d * DIGIT_BITS);
		from = to;
		to = swap;
	}
	/* An odd number of passes: what is sorted lies in the other array. */
	free(f->v);
	f->v = other;
	f->cap = f->n;
	return 0;
}

int fdes_collect(const struct rows_source *src, uint64_t base, struct cies *cies, struct rows_stats *stats, struct fdes *ret)
{
	struct fdes f = { 0 };
	int r = collect_go(src, base, stats, &f); /* first: of two with one start theirs is the better */

	for (uint32_t i = 0; i < src->n_sections && i < FDES_SECTIONS && r >= 0; i++)
		r = collect_section(src, base, &src->sections[i], cies, stats, &f);
	if (r >= 0)
		r = sort(&f);
	if (r < 0)
		fdes_fini(&f);
	else
		*ret = f;
	return r;
}

void fdes_fini(struct fdes *f)
{
	vec_fini(f);
}
