/* SPDX-License-Identifier: Apache-2.0 */
#include "cfi_causes.h"

#include <errno.h>
#include <string.h>

#include "unwind/cfi_run.h"

const struct cause_info *cause_info(enum cause cause)
{
	static const struct cause_info causes[CAUSE_N] = {
#define CAUSE(id, ours, text) { #id, ours, text },
		CAUSES(CAUSE)
#undef CAUSE
		{ "UNEXPLAINED", 1, "none of the known causes" },
	};

	return &causes[cause];
}

int origin_read(const struct cfi_section *sec, size_t at, struct cfi_cie *cie, struct cfi_fde *fde)
{
	struct cfi_entry e;
	int r = cfi_next(sec, &at, &e);

	if (r <= 0 || e.is_cie)
		return -ENODATA;
	if (cie->offset != e.cie || !cie->code_align)
		r = cfi_cie_read(sec, e.cie, cie);
	return r < 0 ? r : cfi_fde_read(sec, &e, cie, fde);
}

/* How many FDEs cover a pc, and the one of them that starts last. */
static int find_fdes(const struct cfi_section *sec, uint64_t pc, struct cfi_cie *cie, struct cfi_fde *ret)
{
	struct cfi_cie at_hand = { 0 };
	struct cfi_fde fde;
	struct cfi_entry e;
	size_t at = 0;
	int n = 0;

	while (cfi_next(sec, &at, &e) > 0) {
		if (e.is_cie || origin_read(sec, e.offset, &at_hand, &fde) < 0 || pc < fde.start || pc >= fde.end ||
		    (n++ && fde.start < ret->start))
			continue;
		*cie = at_hand;
		*ret = fde;
	}
	return n;
}

/* The rule that an FDE gives, as if no other FDE existed. */
static enum unwind_why own_rule(const struct origin *o, uint64_t pc, struct unwind_rule *ret)
{
	static struct cfi_run run;
	enum unwind_why why = UNWIND_WHY_BAD_CODE;
	struct cfi_row row;

	*ret = (struct unwind_rule){ 0 };
	cfi_run_begin(&run, o->section, o->cie, o->fde);
	while (cfi_run_next(&run, &row) > 0)
		if (pc >= row.start && pc < row.end) {
			*ret = rule_of(o->section->arch, row.state, o->cie->signal, &why);
			return why;
		}
	return why;
}

static bool is_marked(const struct difference *d, const struct origin *o)
{
	for (uint32_t i = 0; i < d->marks->n; i++) {
		const struct mark *m = &d->marks->v[i];
		bool inside = d->pc < m->end || (m->function && o && o->fde->start == m->start);

		if (d->pc >= m->start && inside && !memcmp(d->ours, &m->rule, sizeof(m->rule)))
			return true;
	}
	return false;
}

/* Where a reader that takes a zero length for the end stops. */
static size_t first_end(const struct cfi_section *sec)
{
	struct cfi_section s = *sec;
	struct cfi_entry e;
	size_t at = 0;

	s.ends_at_zero = true;
	while (cfi_next(&s, &at, &e) > 0)
		;
	return at;
}

static enum cause cause_of_reason(const struct difference *d, enum unwind_why why)
{
	switch (why) {
	case UNWIND_WHY_BAD_CODE:
		return d->libdw == LIBDW_NO_CFA ? CAUSE_BROKEN : CAUSE_UNEXPLAINED;
	case UNWIND_WHY_SP:
		return CAUSE_SP;
	case UNWIND_WHY_FP:
		return CAUSE_FP;
	case UNWIND_WHY_CFA_EXPRESSION:
		return CAUSE_CFA_EXPRESSION;
	default:
		return CAUSE_UNEXPLAINED;
	}
}

enum cause cause_of(const struct difference *d, enum unwind_why *ret_why)
{
	uint16_t lr = arch_facts(d->section->arch)->lr;
	struct cfi_cie cie;
	struct cfi_fde fde;
	struct origin found = { d->section, &cie, &fde };
	const struct origin *o = d->origin;
	struct unwind_rule own;
	int n = find_fdes(d->section, d->pc, &cie, &fde);

	if (!o && n)
		o = &found;
	*ret_why = UNWIND_WHY_NONE;
	if (is_marked(d, o))
		return CAUSE_MARK;
	if (!o)
		return CAUSE_UNEXPLAINED;
	if (d->libdw == LIBDW_NO_FRAME)
		return o->fde->offset > first_end(d->section) ? CAUSE_LIBDW_ENDS_EARLY : CAUSE_UNEXPLAINED;
	*ret_why = own_rule(o, d->pc, &own);
	if (*ret_why != UNWIND_WHY_NONE)
		return cause_of_reason(d, *ret_why);
	if (memcmp(&own, d->ours, sizeof(own)))
		return n > 1 ? CAUSE_OVERLAP : CAUSE_UNEXPLAINED;
	return lr != ARCH_NO_REGISTER && o->cie->ra != lr ? CAUSE_RETURN_COLUMN : CAUSE_UNEXPLAINED;
}
