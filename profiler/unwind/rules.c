/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/rules.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "unwind/cfi_expr.h"

/* DWARF's numbers on x86-64: 0..15 are the general registers. */
enum { REG_FP = 6, REG_SP = 7, N_REGS = 16 };
/* Where a ucontext's registers lie from its rsp on: rbp before, rip behind (asm/sigcontext.h). */
enum { UCONTEXT_FP = -40, UCONTEXT_PC = 8 };

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

static enum unwind_why cfa_of_sum(uint32_t reg, int64_t off, struct unwind_rule *r)
{
	if (reg >= N_REGS)
		return UNWIND_WHY_CFA_REGISTER;
	if (off != (int32_t)off)
		return UNWIND_WHY_CFA_RANGE;
	r->how_cfa = (reg == REG_SP ? UNWIND_SP : reg == REG_FP ? UNWIND_FP : UNWIND_REG) | (uint8_t)(reg << 4);
	r->cfa = (int32_t)off;
	return UNWIND_WHY_NONE;
}

static enum unwind_why cfa_of_deref(const struct cfi_expr *e, struct unwind_rule *r)
{
	if (e->reg >= N_REGS)
		return UNWIND_WHY_CFA_REGISTER;
	if (e->a != (int16_t)e->a || e->b != (int16_t)e->b)
		return UNWIND_WHY_CFA_RANGE;
	r->how_cfa = (e->reg == REG_SP ? UNWIND_DEREF_SP : e->reg == REG_FP ? UNWIND_DEREF_FP : UNWIND_DEREF_REG) |
		     (uint8_t)(e->reg << 4);
	r->cfa = (int32_t)((uint32_t)(uint16_t)e->a | (uint32_t)(uint16_t)e->b << 16);
	return UNWIND_WHY_NONE;
}

static enum unwind_why cfa_of(const struct cfi_value *v, struct unwind_rule *r)
{
	struct cfi_expr e;

	if (v->kind == CFI_REGISTER)
		return cfa_of_sum(v->reg, v->off, r);
	if (v->kind != CFI_EXPRESSION)
		return UNWIND_WHY_CFA_NONE;
	e = cfi_expr_read(v);
	if (e.kind == EXPR_SUM)
		return cfa_of_sum(e.reg, e.a, r);
	if (e.kind == EXPR_DEREF)
		return cfa_of_deref(&e, r);
	if (e.kind != EXPR_PLT || e.reg != REG_SP || e.a != 8)
		return UNWIND_WHY_CFA_EXPRESSION;
	r->how_cfa = UNWIND_PLT | REG_SP << 4;
	r->cfa = e.n;
	return UNWIND_WHY_NONE;
}

static enum unwind_why ra_of(const struct cfi_value *v, struct unwind_rule *r)
{
	int64_t up = -(v->off / 8) - 1;

	if (v->kind == CFI_REGISTER && v->reg < N_REGS)
		r->how |= UNWIND_RA_REG << 2 | (uint8_t)(v->reg << 4);
	else if (v->kind == CFI_OFFSET && v->off % 8 == 0 && up >= 0 && up < 16)
		r->how |= (uint8_t)(up << 4);
	else
		return UNWIND_WHY_RA;
	return UNWIND_WHY_NONE;
}

static enum unwind_why fp_at(enum unwind_fp how, int64_t off, struct unwind_rule *r)
{
	if (off != (int16_t)off)
		return UNWIND_WHY_FP_RANGE;
	r->how |= how;
	r->fp = (int16_t)off;
	return UNWIND_WHY_NONE;
}

static enum unwind_why fp_of(const struct cfi_value *v, struct unwind_rule *r)
{
	struct cfi_expr e;

	switch (v->kind) {
	case CFI_UNSPECIFIED:
	case CFI_SAME:
		return UNWIND_WHY_NONE;
	case CFI_UNDEFINED:
		r->how |= UNWIND_FP_UNDEFINED;
		return UNWIND_WHY_NONE;
	case CFI_OFFSET:
		return fp_at(UNWIND_FP_AT_CFA, v->off, r);
	case CFI_EXPRESSION:
		e = cfi_expr_read(v);
		return e.kind == EXPR_SUM && e.reg == REG_FP ? fp_at(UNWIND_FP_AT_FP, e.a, r) : UNWIND_WHY_FP;
	default:
		return UNWIND_WHY_FP;
	}
}

static enum unwind_why check_sp(const struct cfi_value *v)
{
	return v->kind == CFI_UNSPECIFIED || (v->kind == CFI_VAL_OFFSET && !v->off) ? UNWIND_WHY_NONE : UNWIND_WHY_SP;
}

static bool is_saved_at(const struct cfi_value *v, int64_t off)
{
	struct cfi_expr e = { EXPR_OTHER };

	if (v->kind == CFI_EXPRESSION)
		e = cfi_expr_read(v);
	return e.kind == EXPR_SUM && e.reg == REG_SP && e.a == off;
}

/* The kernel's frame: glibc and musl write down where each register lies in the ucontext at sp. */
static bool is_ucontext(const struct cfi_state *s, struct unwind_rule *r)
{
	struct cfi_expr cfa = { EXPR_OTHER };

	if (s->cfa.kind == CFI_EXPRESSION)
		cfa = cfi_expr_read(&s->cfa);
	if (cfa.kind != EXPR_DEREF || cfa.reg != REG_SP || cfa.b || cfa.a != (int16_t)cfa.a ||
	    !is_saved_at(&s->ra, cfa.a + UCONTEXT_PC) || !is_saved_at(&s->fp, cfa.a + UCONTEXT_FP))
		return false;
	*r = (struct unwind_rule){ .cfa = (int32_t)cfa.a, .how_cfa = UNWIND_SIGNAL | REG_SP << 4 };
	return true;
}

static enum unwind_why fill(const struct cfi_state *s, bool signal, struct unwind_rule *r)
{
	enum unwind_why why;

	if (s->ra.kind == CFI_UNDEFINED) {
		r->how_cfa = UNWIND_STOP;
		return UNWIND_WHY_NONE;
	}
	if (signal)
		return is_ucontext(s, r) ? UNWIND_WHY_NONE : UNWIND_WHY_SIGNAL;
	why = cfa_of(&s->cfa, r);
	if (why == UNWIND_WHY_NONE)
		why = check_sp(&s->sp);
	if (why == UNWIND_WHY_NONE)
		why = ra_of(&s->ra, r);
	return why == UNWIND_WHY_NONE ? fp_of(&s->fp, r) : why;
}

struct unwind_rule rule_of(const struct cfi_state *state, bool signal, enum unwind_why *ret_why)
{
	struct unwind_rule r = { 0 };

	*ret_why = fill(state, signal, &r);
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
