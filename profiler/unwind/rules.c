/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/rules.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "unwind/cfi_expr.h"

enum { N_REGS = 16 }; /* that a rule can name besides sp and fp: all of x86-64's, x0..x15 */

/* What becomes a rule, and of whose code. */
struct source {
	const struct arch_facts *arch;
	const struct cfi_state *state;
};

const char *unwind_why_name(enum unwind_why why)
{
	static const char *const names[] = {
#define UNWIND_WHY(id, name, help) name,
		UNWIND_WHYS(UNWIND_WHY)
#undef UNWIND_WHY
	};

	return why < ARRAY_SIZE(names) ? names[why] : "none";
}

const char *unwind_why_help(enum unwind_why why)
{
	static const char *const texts[] = {
#define UNWIND_WHY(id, name, help) help,
		UNWIND_WHYS(UNWIND_WHY)
#undef UNWIND_WHY
	};

	return why < ARRAY_SIZE(texts) ? texts[why] : "";
}

/* A base register as how_cfa says it: by the kind, and by number where four bits hold it. */
static bool base_of(const struct source *s, uint32_t reg, enum unwind_cfa sp, struct unwind_rule *r)
{
	enum unwind_cfa kind = reg == s->arch->sp ? sp : reg == s->arch->fp ? sp + 1 : sp + 2;

	if (kind == sp + 2 && reg >= N_REGS)
		return false;
	r->how_cfa = (uint8_t)(kind | (reg < N_REGS ? reg << 4 : 0));
	return true;
}
_Static_assert(UNWIND_FP == UNWIND_SP + 1 && UNWIND_REG == UNWIND_SP + 2, "base_of() counts on it");
_Static_assert(UNWIND_DEREF_FP == UNWIND_DEREF_SP + 1 && UNWIND_DEREF_REG == UNWIND_DEREF_SP + 2, "base_of() counts on it");

static enum unwind_why cfa_of_sum(const struct source *s, uint32_t reg, int64_t off, struct unwind_rule *r)
{
	if (!base_of(s, reg, UNWIND_SP, r))
		return UNWIND_WHY_CFA_REGISTER;
	if (off != (int32_t)off)
		return UNWIND_WHY_CFA_RANGE;
	r->cfa = (int32_t)off;
	return UNWIND_WHY_NONE;
}

static enum unwind_why cfa_of_deref(const struct source *s, const struct cfi_expr *e, struct unwind_rule *r)
{
	if (!base_of(s, e->reg, UNWIND_DEREF_SP, r))
		return UNWIND_WHY_CFA_REGISTER;
	if (e->a != (int16_t)e->a || e->b != (int16_t)e->b)
		return UNWIND_WHY_CFA_RANGE;
	r->cfa = (int32_t)((uint32_t)(uint16_t)e->a | (uint32_t)(uint16_t)e->b << 16);
	return UNWIND_WHY_NONE;
}

static enum unwind_why cfa_of(const struct source *s, struct unwind_rule *r)
{
	const struct cfi_value *v = &s->state->cfa;
	struct cfi_expr e;

	if (v->kind == CFI_REGISTER)
		return cfa_of_sum(s, v->reg, v->off, r);
	if (v->kind != CFI_EXPRESSION)
		return UNWIND_WHY_CFA_NONE;
	e = cfi_expr_read(v);
	if (e.kind == EXPR_SUM)
		return cfa_of_sum(s, e.reg, e.a, r);
	if (e.kind == EXPR_DEREF)
		return cfa_of_deref(s, &e, r);
	/* A PLT's expression names the pc, which arm64 has no DWARF number for. */
	if (e.kind != EXPR_PLT || e.reg != s->arch->sp || e.a != 8)
		return UNWIND_WHY_CFA_EXPRESSION;
	r->how_cfa = (uint8_t)(UNWIND_PLT | e.reg << 4);
	r->cfa = e.n;
	return UNWIND_WHY_NONE;
}

static enum unwind_why set_fp(const struct source *s, int64_t off, struct unwind_rule *r)
{
	int64_t units = off / s->arch->fp_unit;

	if (off % s->arch->fp_unit || units != (int16_t)units)
		return UNWIND_WHY_FP_RANGE;
	r->fp = (int16_t)units;
	return UNWIND_WHY_NONE;
}

/* Anywhere in the frame, as offsets from the frame pointer's place; where that is none the rule's fp is ours. */
static enum unwind_why ra_beside_fp(const struct source *s, struct unwind_rule *r)
{
	const struct cfi_value *ra = &s->state->ra, *fp = &s->state->fp;
	int64_t from = fp->kind == CFI_OFFSET ? fp->off : ra->off, x;

	if (s->arch->lr == ARCH_NO_REGISTER || fp->kind > CFI_OFFSET || from != (int32_t)from || ra->off != (int32_t)ra->off)
		return UNWIND_WHY_RA;
	x = ra->off - from + 8 * UNWIND_RA_BESIDE;
	if (x < 0 || x >= 8 * 16 || x % 8)
		return UNWIND_WHY_RA;
	r->how |= (uint8_t)(UNWIND_RA_BESIDE_FP << 2 | x / 8 << 4);
	return set_fp(s, from, r);
}

static bool is_in_lr(const struct source *s)
{
	const struct cfi_value *v = &s->state->ra;

	return s->arch->lr != ARCH_NO_REGISTER && v->kind == CFI_REGISTER && v->reg == s->arch->lr;
}

static enum unwind_why ra_of(const struct source *s, struct unwind_rule *r)
{
	const struct cfi_value *v = &s->state->ra;

	if (is_in_lr(s))
		r->how |= UNWIND_RA_LR << 2;
	else if (v->kind == CFI_REGISTER && v->reg < N_REGS)
		r->how |= UNWIND_RA_REG << 2 | (uint8_t)(v->reg << 4);
	else if (v->kind != CFI_OFFSET)
		return UNWIND_WHY_RA;
	else if (v->off % 8 == 0 && v->off <= -8 && v->off >= -8 * 16)
		r->how |= (uint8_t)((-v->off / 8 - 1) << 4);
	else
		return ra_beside_fp(s, r);
	return UNWIND_WHY_NONE;
}

static enum unwind_why fp_of(const struct source *s, struct unwind_rule *r)
{
	const struct cfi_value *v = &s->state->fp;
	struct cfi_expr e;

	switch (v->kind) {
	case CFI_UNSPECIFIED:
	case CFI_SAME:
		return UNWIND_WHY_NONE;
	case CFI_UNDEFINED:
		r->how |= UNWIND_FP_UNDEFINED;
		return UNWIND_WHY_NONE;
	case CFI_OFFSET:
		r->how |= UNWIND_FP_AT_CFA;
		return set_fp(s, v->off, r);
	case CFI_EXPRESSION:
		e = cfi_expr_read(v);
		r->how |= UNWIND_FP_AT_FP;
		return e.kind == EXPR_SUM && e.reg == s->arch->fp ? set_fp(s, e.a, r) : UNWIND_WHY_FP;
	default:
		return UNWIND_WHY_FP;
	}
}

static enum unwind_why check_sp(const struct source *s)
{
	const struct cfi_value *v = &s->state->sp;

	return v->kind == CFI_UNSPECIFIED || (v->kind == CFI_VAL_OFFSET && !v->off) ? UNWIND_WHY_NONE : UNWIND_WHY_SP;
}

static bool is_saved_at(const struct source *s, const struct cfi_value *v, int64_t off)
{
	struct cfi_expr e = { EXPR_OTHER };

	if (v->kind == CFI_EXPRESSION)
		e = cfi_expr_read(v);
	return e.kind == EXPR_SUM && e.reg == s->arch->sp && e.a == off;
}

static struct unwind_rule signal_rule(const struct arch_facts *arch, int32_t sp_at)
{
	return (struct unwind_rule){ .cfa = sp_at, .how_cfa = (uint8_t)(UNWIND_SIGNAL | (arch->sp < N_REGS ? arch->sp << 4 : 0)) };
}

struct unwind_rule rule_of_signal(enum arch arch)
{
	const struct arch_facts *facts = arch_facts(arch);

	return signal_rule(facts, facts->signal_sp);
}

/* x86-64: glibc and the vDSO write down where each register lies in the ucontext at sp. */
static bool is_ucontext(const struct source *s, struct unwind_rule *r)
{
	struct cfi_expr cfa = { EXPR_OTHER };

	if (s->state->cfa.kind == CFI_EXPRESSION)
		cfa = cfi_expr_read(&s->state->cfa);
	if (cfa.kind != EXPR_DEREF || cfa.reg != s->arch->sp || cfa.b || cfa.a != (int16_t)cfa.a ||
	    !is_saved_at(s, &s->state->ra, cfa.a + s->arch->signal_pc) || !is_saved_at(s, &s->state->fp, cfa.a + s->arch->signal_fp))
		return false;
	*r = signal_rule(s->arch, (int32_t)cfa.a);
	return true;
}

/*
 * arm64: the vDSO describes the frame record that the kernel pushes below the ucontext. It holds the
 * interrupted fp and lr, but no pc: unwound by it the interrupted function itself would be missing.
 */
static bool is_signal_record(const struct source *s, struct unwind_rule *r)
{
	const struct cfi_state *v = s->state;

	if (s->arch->lr == ARCH_NO_REGISTER || v->cfa.kind != CFI_REGISTER || v->cfa.reg != s->arch->fp || v->cfa.off ||
	    v->fp.kind != CFI_OFFSET || v->fp.off || v->ra.kind != CFI_OFFSET || v->ra.off != 8)
		return false;
	*r = signal_rule(s->arch, s->arch->signal_sp);
	return true;
}

static enum unwind_why fill(const struct source *s, bool signal, struct unwind_rule *r)
{
	enum unwind_why why;

	if (s->state->ra.kind == CFI_UNDEFINED) {
		r->how_cfa = UNWIND_STOP;
		return UNWIND_WHY_NONE;
	}
	if (signal)
		return is_ucontext(s, r) || is_signal_record(s, r) ? UNWIND_WHY_NONE : UNWIND_WHY_SIGNAL;
	why = cfa_of(s, r);
	if (why == UNWIND_WHY_NONE)
		why = check_sp(s);
	if (why == UNWIND_WHY_NONE)
		why = ra_of(s, r);
	return why == UNWIND_WHY_NONE ? fp_of(s, r) : why;
}

struct unwind_rule rule_of(enum arch arch, const struct cfi_state *state, bool signal, enum unwind_why *ret_why)
{
	struct source s = { .arch = arch_facts(arch), .state = state };
	struct unwind_rule r = { 0 };

	*ret_why = fill(&s, signal, &r);
	return *ret_why == UNWIND_WHY_NONE ? r : (struct unwind_rule){ 0 };
}

enum { SLOTS = 2 * RULES_MAX };

int rules_init(struct rules *d)
{
	d->v = calloc(RULES_MAX, sizeof(*d->v));
	d->slots = calloc(SLOTS, sizeof(*d->slots));
	d->n = 1;
	if (d->v && d->slots)
		return 0;
	rules_fini(d);
	return -ENOMEM;
}

void rules_fini(struct rules *d)
{
	free(d->v);
	free(d->slots);
	*d = (struct rules){ 0 };
}

int rules_intern(struct rules *d, struct unwind_rule rule)
{
	uint64_t key, known;
	uint32_t at;

	memcpy(&key, &rule, sizeof(key));
	if (!key)
		return 0;
	for (at = hash_u64(key) % SLOTS; d->slots[at]; at = (at + 1) % SLOTS) {
		memcpy(&known, &d->v[d->slots[at]], sizeof(known));
		if (known == key)
			return d->slots[at];
	}
	if (d->n == RULES_MAX)
		return -E2BIG;
	d->v[d->n] = rule;
	d->slots[at] = (uint16_t)d->n;
	return (int)d->n++;
}
