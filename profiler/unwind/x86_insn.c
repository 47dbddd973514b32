/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/x86_insn.h"

#include <stdbool.h>
#include <string.h>

#include "unwind/x86_bytes.h"

/* mod 3: a register; else memory at rsp + disp? */
static bool is_reg_operand(const struct x86_bytes *r, unsigned int n)
{
	return x86_mod(r) == 3 && x86_rm(r) == n;
}

static bool is_at_sp(const struct x86_bytes *r)
{
	return x86_mod(r) != 3 && (r->modrm & 7) == 4 && r->sib == 0x24 && !(r->rex & (X86_REX_B | X86_REX_X));
}

static bool is_at_fp(const struct x86_bytes *r)
{
	return (x86_mod(r) == 1 || x86_mod(r) == 2) && (r->modrm & 7) == 5 && !(r->rex & X86_REX_B);
}

static void set(struct x86_insn *ret, enum x86_op op, unsigned int reg, int64_t value)
{
	ret->op = (uint8_t)op;
	ret->reg = (uint8_t)reg;
	ret->value = (int32_t)value;
}

static void write_reg(struct x86_insn *ret, unsigned int n)
{
	if (n == X86_RSP || n == X86_RBP)
		ret->clobbers |= (uint8_t)(1 << n);
}

static void write_rm(const struct x86_bytes *r, struct x86_insn *ret)
{
	if (x86_mod(r) == 3)
		write_reg(ret, x86_rm(r));
}

/* add, or, adc, sbb, and, sub, xor, cmp with an immediate. */
static void do_group1(const struct x86_bytes *r, struct x86_insn *ret)
{
	unsigned int what = x86_reg_field(r);
	bool whole = (r->rex & X86_REX_W) && (r->opcode == 0x81 || r->opcode == 0x83);

	if (whole && is_reg_operand(r, X86_RSP) && (what == 0 || what == 5))
		set(ret, X86_SP_ADD, X86_NO_REG, what == 0 ? r->imm : -r->imm);
	else if (what != 7)
		write_rm(r, ret);
}

/* mov: 89 to the operand, 8b from it. */
static void do_mov(const struct x86_bytes *r, struct x86_insn *ret)
{
	bool load = r->opcode == 0x8b;
	unsigned int to = load ? x86_reg(r) : x86_rm(r), from = load ? x86_rm(r) : x86_reg(r);
	bool whole = r->rex & X86_REX_W;

	if (x86_mod(r) == 3 && whole && to == X86_RBP && from == X86_RSP)
		set(ret, X86_FP_FROM_SP, X86_NO_REG, 0);
	else if (x86_mod(r) == 3 && whole && to == X86_RSP && from == X86_RBP)
		set(ret, X86_SP_FROM_FP, X86_NO_REG, 0);
	else if (whole && is_at_sp(r) && x86_reg(r) == X86_RBP)
		set(ret, load ? X86_LOAD_FP : X86_SAVE_FP, X86_NO_REG, r->disp);
	else if (load || x86_mod(r) == 3)
		write_reg(ret, to);
}

static void do_lea(const struct x86_bytes *r, struct x86_insn *ret)
{
	bool whole = r->rex & X86_REX_W;

	if (whole && x86_reg(r) == X86_RSP && is_at_sp(r))
		set(ret, X86_SP_ADD, X86_NO_REG, r->disp);
	else if (whole && x86_reg(r) == X86_RSP && is_at_fp(r))
		set(ret, X86_SP_FROM_FP, X86_NO_REG, r->disp);
	else if (whole && x86_reg(r) == X86_RBP && is_at_sp(r))
		set(ret, X86_FP_FROM_SP, X86_NO_REG, r->disp);
	else
		write_reg(ret, x86_reg(r));
}

/* inc, dec, call, far call, jmp, far jmp, push. */
static void do_group5(const struct x86_bytes *r, struct x86_insn *ret)
{
	static const uint8_t ops[] = { X86_OTHER, X86_OTHER, X86_CALL, X86_CALL, X86_JUMP_AWAY, X86_JUMP_AWAY, X86_PUSH, X86_OTHER };

	set(ret, ops[x86_reg_field(r)], X86_NO_REG, 0);
	if (x86_reg_field(r) < 2)
		write_rm(r, ret);
}

static void do_push_pop(const struct x86_bytes *r, struct x86_insn *ret)
{
	unsigned int n = (r->opcode & 7) | (r->rex & X86_REX_B ? 8 : 0);

	set(ret, r->opcode & 8 ? X86_POP : X86_PUSH, n, 0);
	if (ret->op == X86_POP && n == X86_RSP)
		write_reg(ret, n);
}

static void do_alu(const struct x86_bytes *r, struct x86_insn *ret)
{
	if ((r->opcode & 0x38) == 0x38 || (r->opcode & 7) > 3) /* cmp; al and eax */
		return;
	if (r->opcode & 2)
		write_reg(ret, x86_reg(r));
	else
		write_rm(r, ret);
}

/* Of bytes without REX, where numbers 4 and 5 mean ah and ch. */
static bool is_old_byte(const struct x86_bytes *r)
{
	static const uint8_t ones[] = { 0x80, 0x86, 0x88, 0x8a, 0xc0, 0xc6, 0xd0, 0xd2, 0xf6, 0xfe };
	uint8_t c = r->opcode;

	if (r->has_rex || r->vex)
		return false;
	if (r->map == X86_MAP_0F)
		return (c >= 0x90 && c < 0xa0) || c == 0xb0 || c == 0xc0;
	return (c < 0x40 && !(c & 1)) || memchr(ones, c, sizeof(ones));
}

static void do_one_byte(const struct x86_bytes *r, struct x86_insn *ret)
{
	uint8_t c = r->opcode;

	if (c < 0x40)
		return do_alu(r, ret);
	if (c >= 0x50 && c < 0x60)
		return do_push_pop(r, ret);
	if ((c >= 0x70 && c < 0x80) || (c >= 0xe0 && c < 0xe4))
		return set(ret, X86_BRANCH, X86_NO_REG, r->imm);
	if (c >= 0xb8 && c < 0xc0)
		return write_reg(ret, (c & 7u) | (r->rex & X86_REX_B ? 8 : 0));
	if (c == 0x90 && !(r->rex & X86_REX_B))
		return set(ret, X86_NOP, X86_NO_REG, 0);
	if (c >= 0x90 && c < 0x98) /* xchg with rax */
		return write_reg(ret, (c & 7u) | (r->rex & X86_REX_B ? 8 : 0));
	switch (c) {
	case 0x63: /* movsxd */
	case 0x69: /* imul */
	case 0x6b:
	case 0x8a:
		return write_reg(ret, x86_reg(r));
	case 0x68:
	case 0x6a:
	case 0x9c:
		return set(ret, X86_PUSH, X86_NO_REG, 0);
	case 0x9d:
		return set(ret, X86_POP, X86_NO_REG, 0);
	case 0x80:
	case 0x81:
	case 0x83:
		return do_group1(r, ret);
	case 0x86: /* xchg */
	case 0x87:
		write_reg(ret, x86_reg(r));
		return write_rm(r, ret);
	case 0x88:
	case 0xc0: /* shifts */
	case 0xc1:
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3:
	case 0xc6:
	case 0xc7:
	case 0xfe:
		return write_rm(r, ret);
	case 0xf6: /* test, not, neg, mul ... */
	case 0xf7:
		return x86_reg_field(r) == 2 || x86_reg_field(r) == 3 ? write_rm(r, ret) : (void)0;
	case 0x89:
	case 0x8b:
		return do_mov(r, ret);
	case 0x8d:
		return do_lea(r, ret);
	case 0x8f:
		set(ret, X86_POP, X86_NO_REG, 0);
		return write_rm(r, ret);
	case 0xc2:
	case 0xc3:
		return set(ret, X86_RETURN, X86_NO_REG, 0);
	case 0xc8: /* enter */
		ret->clobbers = 1 << X86_RSP | 1 << X86_RBP;
		return;
	case 0xc9:
		return set(ret, X86_LEAVE, X86_NO_REG, 0);
	case 0xca: /* far return */
	case 0xcb:
	case 0xcf:
	case 0xcc:
	case 0xf4:
		return set(ret, X86_TRAP, X86_NO_REG, 0);
	case 0xe8:
		return set(ret, X86_CALL, X86_NO_REG, r->imm);
	case 0xe9:
	case 0xeb:
		return set(ret, X86_JUMP, X86_NO_REG, r->imm);
	case 0xff:
		return do_group5(r, ret);
	default:
		return;
	}
}

/* Whether an opcode of 0f writes the general register in ModRM's reg field; SSE's is another one of that number. */
static bool writes_reg_0f(uint8_t c)
{
	return (c >= 0x40 && c < 0x50) || c == 0x02 || c == 0x03 || c == 0x2c || c == 0x2d || c == 0x50 || c == 0xaf || c == 0xb6 || c == 0xb7 ||
	       c == 0xb8 || c == 0xbc || c == 0xbd || c == 0xbe || c == 0xbf || c == 0xc0 || c == 0xc1 || c == 0xc5 || c == 0xd7;
}

static bool writes_rm_0f(uint8_t c)
{
	return c == 0x7e || (c >= 0x90 && c < 0xa0) || c == 0xa4 || c == 0xa5 || c == 0xab ||
	       c == 0xac || c == 0xad || c == 0xae || c == 0xb0 || c == 0xb1 || c == 0xb3 || c == 0xba || c == 0xbb || c == 0xc0 || c == 0xc1 || c == 0xc7;
}

static void do_two_bytes(const struct x86_bytes *r, struct x86_insn *ret)
{
	uint8_t c = r->opcode;

	if (c >= 0x80 && c < 0x90 && !r->vex)
		return set(ret, X86_BRANCH, X86_NO_REG, r->imm);
	if ((c == 0xa0 || c == 0xa8) && !r->vex)
		return set(ret, X86_PUSH, X86_NO_REG, 0);
	if ((c == 0xa1 || c == 0xa9) && !r->vex)
		return set(ret, X86_POP, X86_NO_REG, 0);
	if ((c == 0x0b || c == 0xb9 || c == 0xff) && !r->vex)
		return set(ret, X86_TRAP, X86_NO_REG, 0);
	if (c >= 0xc8 && c < 0xd0 && !r->vex) /* bswap */
		return write_reg(ret, (c & 7u) | (r->rex & X86_REX_B ? 8 : 0));
	if (!r->has_modrm)
		return;
	if (c == 0x1f)
		ret->op = X86_NOP;
	if (writes_reg_0f(c))
		write_reg(ret, x86_reg(r));
	if (writes_rm_0f(c) && !(c == 0x7e && r->repeat == 0xf3)) /* which is movq to an xmm register */
		write_rm(r, ret);
}

/* Of the larger maps only a few touch general registers: crc32, movbe and VEX's; pextr. */
static void do_larger_maps(const struct x86_bytes *r, struct x86_insn *ret)
{
	uint8_t c = r->opcode;

	if ((r->map == X86_MAP_0F38 && c >= 0xf0) || (r->map == X86_MAP_0F3A && (c == 0xf0 || (c >= 0x14 && c <= 0x17)))) {
		write_reg(ret, x86_reg(r));
		write_rm(r, ret);
		if (r->vex)
			write_reg(ret, r->third);
	}
}

int x86_decode(const uint8_t *code, size_t len, struct x86_insn *ret)
{
	struct x86_bytes r;
	int err = x86_read(code, len, &r);

	if (err < 0)
		return err;
	*ret = (struct x86_insn){ .len = (uint8_t)(r.at - code), .reg = X86_NO_REG };
	if ((r.map == X86_MAP_ONE || r.map == X86_MAP_0F) && is_old_byte(&r))
		return 0;
	if (r.map == X86_MAP_ONE)
		do_one_byte(&r, ret);
	else if (r.map == X86_MAP_0F)
		do_two_bytes(&r, ret);
	else
		do_larger_maps(&r, ret);
	/* 66 on push, pop and leave moves rsp by two bytes. */
	if (r.size16 && (ret->op == X86_PUSH || ret->op == X86_POP || ret->op == X86_LEAVE))
		ret->clobbers = 1 << X86_RSP | 1 << X86_RBP;
	return 0;
}
