/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/cfi_expr.h"

#include <dwarf.h>

enum { MAX_LEN = 64, REG_PC = 16 };

/* pc and sp are pushed already: & 15, >= n, << 3, and added. */
static bool read_plt(struct bytes in, struct cfi_expr *e)
{
	const uint8_t *p = bytes_take(&in, 9);

	if (!p || bytes_left(&in) || e->kind != EXPR_SUM)
		return false;
	if (p[0] != DW_OP_breg0 + REG_PC || p[1] != 0 || p[2] != DW_OP_lit15 || p[3] != DW_OP_and ||
	    p[4] < DW_OP_lit0 || p[4] > DW_OP_lit15 || p[5] != DW_OP_ge || p[6] != DW_OP_lit3 || p[7] != DW_OP_shl ||
	    p[8] != DW_OP_plus)
		return false;
	e->kind = EXPR_PLT;
	e->n = p[4] - DW_OP_lit0;
	return true;
}

/* A constant on the stack; false where op is none. */
static bool read_constant(struct bytes *in, uint8_t op, int64_t *ret)
{
	if (op >= DW_OP_lit0 && op <= DW_OP_lit31)
		*ret = op - DW_OP_lit0;
	else if (op == DW_OP_const1u)
		*ret = (int64_t)bytes_uint(in, 1);
	else if (op == DW_OP_const1s)
		*ret = bytes_int(in, 1);
	else if (op == DW_OP_const2u)
		*ret = (int64_t)bytes_uint(in, 2);
	else if (op == DW_OP_const2s)
		*ret = bytes_int(in, 2);
	else if (op == DW_OP_const4u)
		*ret = (int64_t)bytes_uint(in, 4);
	else if (op == DW_OP_const4s)
		*ret = bytes_int(in, 4);
	else if (op == DW_OP_constu)
		*ret = (int64_t)bytes_uleb(in);
	else if (op == DW_OP_consts)
		*ret = bytes_sleb(in);
	else
		return false;
	return true;
}

/* What an instruction adds to the value on the stack; false where it does something else. */
static bool read_addend(struct bytes *in, uint8_t op, int64_t *ret)
{
	if (op == DW_OP_plus_uconst) {
		*ret = (int64_t)bytes_uleb(in);
		return true;
	}
	if (!read_constant(in, op, ret))
		return false;
	op = bytes_u8(in);
	if (op == DW_OP_minus)
		*ret = (int64_t)-(uint64_t)*ret;
	return op == DW_OP_plus || op == DW_OP_minus;
}

static bool read_register(struct bytes *in, struct cfi_expr *e)
{
	uint8_t op = bytes_u8(in);
	uint64_t reg;

	if (op >= DW_OP_breg0 && op <= DW_OP_breg31)
		reg = op - DW_OP_breg0;
	else if (op == DW_OP_bregx)
		reg = bytes_uleb(in);
	else
		return false;
	e->kind = EXPR_SUM;
	e->reg = reg < UINT16_MAX ? (uint16_t)reg : UINT16_MAX;
	e->a = bytes_sleb(in);
	return true;
}

struct cfi_expr cfi_expr_read(const struct cfi_value *v)
{
	static const struct cfi_expr other = { EXPR_OTHER };
	struct bytes in = { .at = v->expr, .end = v->expr + v->len };
	struct cfi_expr e = other;
	int64_t addend;

	if (!v->len || v->len > MAX_LEN || !read_register(&in, &e))
		return other;
	if (read_plt(in, &e))
		return e;
	while (bytes_left(&in) && !in.bad) {
		uint8_t op = bytes_u8(&in);
		int64_t *sum = e.kind == EXPR_SUM ? &e.a : &e.b;

		if (op == DW_OP_nop)
			continue;
		if (op == DW_OP_deref && e.kind == EXPR_SUM)
			e.kind = EXPR_DEREF;
		else if (read_addend(&in, op, &addend))
			*sum = (int64_t)((uint64_t)*sum + (uint64_t)addend);
		else
			return other;
	}
	return in.bad ? other : e;
}
