/* SPDX-License-Identifier: Apache-2.0 */
#include "cfi_eval.h"

#include <dwarf.h>
#include <string.h>

#include "base/hash.h"

enum { STACK = 32 };

void machine_randomise(struct machine *m, enum arch arch, uint64_t pc, uint64_t seed)
{
	m->arch = arch_facts(arch);
	m->pc = arch == ARCH_X86_64 ? 16 : 32;
	m->seed = hash_u64(seed + 1);
	for (int i = 0; i < m->pc; i++)
		m->reg[i] = hash_u64(m->seed + (uint64_t)i) & ~(uint64_t)7;
	m->reg[m->pc] = pc;
}

static uint64_t memory(const struct machine *m, uint64_t at)
{
	return hash_u64(at ^ m->seed);
}

static uint64_t rule_cfa(const struct unwind_rule *r, const struct machine *m)
{
	uint64_t sp = m->reg[m->arch->sp], fp = m->reg[m->arch->fp], reg = m->reg[unwind_reg(r)];

	switch (unwind_cfa(r)) {
	case UNWIND_SP:
		return sp + (int64_t)r->cfa;
	case UNWIND_FP:
	case UNWIND_FRAME:
		return fp + (int64_t)r->cfa;
	case UNWIND_REG:
		return reg + (int64_t)r->cfa;
	case UNWIND_PLT:
		return sp + 8 + ((m->reg[m->pc] & 15) >= (uint64_t)r->cfa) * 8;
	case UNWIND_DEREF_SP:
		return memory(m, sp + (int64_t)unwind_deref_a(r)) + (int64_t)unwind_deref_b(r);
	case UNWIND_DEREF_FP:
		return memory(m, fp + (int64_t)unwind_deref_a(r)) + (int64_t)unwind_deref_b(r);
	default:
		return memory(m, reg + (int64_t)unwind_deref_a(r)) + (int64_t)unwind_deref_b(r);
	}
}

static uint64_t rule_ra(const struct unwind_rule *r, const struct machine *m, uint64_t cfa)
{
	uint32_t x = unwind_ra_x(r);

	switch (unwind_ra(r)) {
	case UNWIND_RA_REG:
		return m->reg[x];
	case UNWIND_RA_BESIDE_FP:
		return memory(m, cfa + (int64_t)r->fp * 8 + 8 * ((int64_t)x - UNWIND_RA_BESIDE));
	case UNWIND_RA_LR:
		return m->reg[m->arch->lr];
	default:
		return memory(m, cfa - 8 * (x + 1));
	}
}

void eval_rule(const struct unwind_rule *r, const struct machine *m, struct unwound *ret)
{
	uint64_t context = m->reg[m->arch->sp] + (int64_t)r->cfa;

	*ret = (struct unwound){ .stop = unwind_cfa(r) == UNWIND_STOP, .fp_known = true };
	if (ret->stop)
		return;
	if (unwind_cfa(r) == UNWIND_SIGNAL) {
		ret->cfa = memory(m, context);
		ret->ra = memory(m, context + (int64_t)m->arch->signal_pc);
		ret->fp = memory(m, context + (int64_t)m->arch->signal_fp);
		return;
	}
	ret->cfa = rule_cfa(r, m);
	ret->ra = rule_ra(r, m, ret->cfa);
	switch (unwind_fp(r)) {
	case UNWIND_FP_SAME:
		ret->fp = m->reg[m->arch->fp];
		break;
	case UNWIND_FP_AT_CFA:
		ret->fp = memory(m, ret->cfa + (int64_t)r->fp * m->arch->fp_unit);
		break;
	case UNWIND_FP_AT_FP:
		ret->fp = memory(m, m->reg[m->arch->fp] + (int64_t)r->fp * m->arch->fp_unit);
		break;
	default:
		ret->fp_known = false;
	}
}

struct evaluation {
	const struct machine *m;
	uint64_t cfa, stack[STACK];
	int n;
	bool is_value; /* the result is the value, not where it lies */
};

static int push(struct evaluation *e, uint64_t v)
{
	if (e->n == STACK)
		return -1;
	e->stack[e->n++] = v;
	return 0;
}

static int push_register(struct evaluation *e, uint64_t reg, uint64_t add)
{
	return reg > e->m->pc ? -1 : push(e, e->m->reg[reg] + add);
}

static int binary(struct evaluation *e, uint8_t atom)
{
	uint64_t a, b;

	if (e->n < 2)
		return -1;
	b = e->stack[--e->n];
	a = e->stack[--e->n];
	switch (atom) {
	case DW_OP_plus:
		return push(e, a + b);
	case DW_OP_minus:
		return push(e, a - b);
	case DW_OP_mul:
		return push(e, a * b);
	case DW_OP_and:
		return push(e, a & b);
	case DW_OP_shl:
		return push(e, b < 64 ? a << b : 0);
	case DW_OP_ge:
		return push(e, (int64_t)a >= (int64_t)b);
	default:
		return -1;
	}
}

static int step(struct evaluation *e, const Dwarf_Op *op)
{
	uint8_t atom = op->atom;

	if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31)
		return push(e, atom - DW_OP_lit0);
	if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31)
		return push_register(e, atom - DW_OP_breg0, op->number);
	if (atom >= DW_OP_reg0 && atom <= DW_OP_reg31) {
		e->is_value = true;
		return push_register(e, atom - DW_OP_reg0, 0);
	}
	switch (atom) {
	case DW_OP_nop:
		return 0;
	case DW_OP_bregx:
		return push_register(e, op->number, op->number2);
	case DW_OP_regx:
		e->is_value = true;
		return push_register(e, op->number, 0);
	case DW_OP_call_frame_cfa:
		return push(e, e->cfa);
	case DW_OP_stack_value:
		e->is_value = true;
		return 0;
	case DW_OP_const1u ... DW_OP_consts:
		return push(e, op->number);
	case DW_OP_plus_uconst:
		return push(e, op->number) < 0 ? -1 : binary(e, DW_OP_plus);
	case DW_OP_deref:
		if (!e->n)
			return -1;
		e->stack[e->n - 1] = memory(e->m, e->stack[e->n - 1]);
		return 0;
	default:
		return binary(e, atom);
	}
}

static int evaluate(struct evaluation *e, const Dwarf_Op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (step(e, &ops[i]) < 0)
			return -1;
	return e->n ? 0 : -1;
}

/* 1 with *ret, 0: undefined, -1. */
static int libdw_register(Dwarf_Frame *frame, int reg, const struct machine *m, uint64_t cfa, uint64_t *ret)
{
	struct evaluation e = { .m = m, .cfa = cfa };
	Dwarf_Op space[3], *ops;
	uint64_t v;
	size_t n;

	if (dwarf_frame_register(frame, reg, space, &ops, &n))
		return -1;
	if (!n && !ops) {
		*ret = m->reg[reg];
		return 1;
	}
	if (!n)
		return 0;
	if (evaluate(&e, ops, n) < 0)
		return -1;
	v = e.stack[e.n - 1];
	*ret = e.is_value ? v : memory(m, v);
	return 1;
}

int eval_libdw(Dwarf_Frame *frame, const struct machine *m, struct unwound *ret)
{
	struct evaluation e = { .m = m };
	int ra = dwarf_frame_info(frame, NULL, NULL, NULL), r;
	Dwarf_Op *ops;
	size_t n;

	*ret = (struct unwound){ .stop = false };
	if (ra < 0 || ra > m->pc)
		return -1;
	r = libdw_register(frame, ra, m, 0, &ret->ra);
	ret->stop = !r;
	if (r <= 0)
		return r;
	if (dwarf_frame_cfa(frame, &ops, &n) || evaluate(&e, ops, n) < 0)
		return -1;
	ret->cfa = e.stack[e.n - 1];
	if (libdw_register(frame, ra, m, ret->cfa, &ret->ra) < 0)
		return -1;
	r = libdw_register(frame, m->arch->fp, m, ret->cfa, &ret->fp);
	ret->fp_known = r > 0;
	return r < 0 ? -1 : 0;
}
