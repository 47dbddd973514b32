/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/x86_insn.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8 };
enum map { MAP_ONE, MAP_0F, MAP_0F38, MAP_0F3A, MAP_XOP8 = 8, MAP_XOP9, MAP_XOP10, MAP_OTHER };

/*
 * What follows an opcode:
 *	.  nothing             M  ModRM                  m  ModRM, imm8        Z  ModRM, imm32 (imm16 with 66)
 *	b  imm8                z  imm32 (imm16 with 66)  v  as z, imm64 with REX.W
 *	r  rel8                R  rel32                  w  imm16              e  imm16, imm8
 *	o  an address          t  ModRM, imm8 if reg < 2       T  the same with imm32
 *	x  no instruction, or a prefix
 */
static const char one_byte[] =
	"MMMMbzxxMMMMbzxx" /* 00: add, or; 0f is the next map */
	"MMMMbzxxMMMMbzxx" /* 10: adc, sbb */
	"MMMMbzxxMMMMbzxx" /* 20: and, sub */
	"MMMMbzxxMMMMbzxx" /* 30: xor, cmp */
	"xxxxxxxxxxxxxxxx" /* 40: REX */
	"................" /* 50: push, pop */
	"xxxMxxxxzZbm...." /* 60 */
	"rrrrrrrrrrrrrrrr" /* 70: jcc */
	"mZxmMMMMMMMMMMMM" /* 80 */
	"..........x....." /* 90 */
	"oooo....bz......" /* a0 */
	"bbbbbbbbvvvvvvvv" /* b0: mov */
	"mmw.xxmZe.w..bx." /* c0 */
	"MMMMxxx.MMMMMMMM" /* d0: shifts, x87 */
	"rrrrbbbbRRxr...." /* e0 */
	"x.xx..tT......MM" /* f0 */;

static const char two_bytes[] =
	"MMMMx.....x.xM.m" /* 00 */
	"MMMMMMMMMMMMMMMM" /* 10 */
	"MMMMxxxxMMMMMMMM" /* 20 */
	"........xxxxxxxx" /* 30: 38 and 3a are maps */
	"MMMMMMMMMMMMMMMM" /* 40: cmov */
	"MMMMMMMMMMMMMMMM" /* 50 */
	"MMMMMMMMMMMMMMMM" /* 60 */
	"mmmmMMM.MMMMMMMM" /* 70 */
	"RRRRRRRRRRRRRRRR" /* 80: jcc */
	"MMMMMMMMMMMMMMMM" /* 90: setcc */
	"...MmMxx...MmMMM" /* a0 */
	"MMMMMMMMMMmMMMMM" /* b0 */
	"MMmMmmmM........" /* c0 */
	"MMMMMMMMMMMMMMMM" /* d0 */
	"MMMMMMMMMMMMMMMM" /* e0 */
	"MMMMMMMMMMMMMMMM" /* f0 */;

_Static_assert(sizeof(one_byte) == 257 && sizeof(two_bytes) == 257, "one letter each");

/* An instruction being read. */
struct reader {
	const uint8_t *at, *end;
	bool bad;      /* the bytes end too early */
	bool size16, vex, has_rex;
	uint8_t repeat; /* f2 or f3, 0: none */
	uint8_t rex;
	uint8_t third;  /* VEX's other register */
	enum map map;
	uint8_t opcode, modrm, sib;
	bool has_modrm;
	int32_t disp;
	int64_t imm;
};

static uint8_t take(struct reader *r)
{
	if (r->at == r->end) {
		r->bad = true;
		return 0;
	}
	return *r->at++;
}

/* n bytes, little-endian, with their sign. */
static int64_t take_signed(struct reader *r, unsigned int n)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < n; i++)
		v |= (uint64_t)take(r) << (8 * i);
	return n && n < 8 ? (int64_t)(v << (64 - 8 * n)) >> (64 - 8 * n) : (int64_t)v;
}

static bool take_prefix(struct reader *r)
{
	switch (*r->at) {
	case 0x66:
		r->size16 = true;
		break;
	case 0xf2:
	case 0xf3:
		r->repeat = *r->at;
		break;
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
	case 0x67:
	case 0xf0:
		break;
	default:
		return false;
	}
	r->at++;
	return true;
}

/* VEX of two and three bytes, EVEX, AMD's XOP: they hold REX, inverted, and the map. */
static void take_vex(struct reader *r, uint8_t first)
{
	static const uint8_t repeats[] = { 0, 0, 0xf3, 0xf2 };
	uint8_t p = take(r), last = p, number;

	r->vex = true;
	r->map = MAP_0F;
	r->rex = (uint8_t)((~p >> 5) & REX_R);
	if (first != 0xc5) {
		r->rex |= (uint8_t)((~p >> 5) & (REX_X | REX_B));
		number = p & (first == 0x62 ? 7 : 31);
		r->map = number >= (first == 0x8f ? 8 : 1) && number <= (first == 0x8f ? 10 : 3) ? (enum map)number : MAP_OTHER;
		last = take(r);
		r->rex |= last & 0x80 ? REX_W : 0;
	}
	r->third = (uint8_t)((~last >> 3) & 15);
	r->repeat = repeats[last & 3];
	if (first == 0x62)
		take(r);
}

static void take_opcode(struct reader *r)
{
	uint8_t c;

	while (r->at < r->end && take_prefix(r))
		;
	c = take(r);
	if ((c & 0xf0) == 0x40) {
		r->rex = c & 15;
		r->has_rex = true;
		c = take(r);
	}
	/* XOP's maps begin at 8: with a smaller number 8f is pop. */
	if (c == 0xc4 || c == 0xc5 || c == 0x62 || (c == 0x8f && r->at < r->end && (*r->at & 31) >= 8)) {
		take_vex(r, c);
		c = take(r);
	} else if (c == 0x0f) {
		c = take(r);
		r->map = c == 0x38 ? MAP_0F38 : c == 0x3a ? MAP_0F3A : MAP_0F;
		if (r->map != MAP_0F)
			c = take(r);
	}
	r->opcode = c;
}

static unsigned int mod(const struct reader *r)
{
	return r->modrm >> 6;
}

static unsigned int reg_field(const struct reader *r)
{
	return r->modrm >> 3 & 7;
}

/* With their fourth bit. */
static unsigned int reg(const struct reader *r)
{
	return reg_field(r) | (r->rex & REX_R ? 8 : 0);
}

static unsigned int rm(const struct reader *r)
{
	return (r->modrm & 7) | (r->rex & REX_B ? 8 : 0);
}

static void take_modrm(struct reader *r)
{
	bool no_base;

	r->has_modrm = true;
	r->modrm = take(r);
	if (mod(r) == 3)
		return;
	no_base = (r->modrm & 7) == 5;
	if ((r->modrm & 7) == 4) {
		r->sib = take(r);
		no_base = (r->sib & 7) == 5;
	}
	if (mod(r) == 1)
		r->disp = (int32_t)take_signed(r, 1);
	else if (mod(r) == 2 || no_base)
		r->disp = (int32_t)take_signed(r, 4);
}

static char layout(const struct reader *r)
{
	switch (r->map) {
	case MAP_ONE:
		return one_byte[r->opcode];
	case MAP_0F:
		return two_bytes[r->opcode];
	case MAP_0F38:
	case MAP_XOP9:
		return 'M';
	case MAP_0F3A:
	case MAP_XOP8:
		return 'm';
	case MAP_XOP10:
		return 'Z';
	default:
		return r->vex ? 'M' : 'x';
	}
}

static unsigned int immediate_bytes(const struct reader *r, char what)
{
	unsigned int z = r->size16 ? 2 : 4;

	switch (what) {
	case 'm':
	case 'b':
	case 'r':
		return 1;
	case 'Z':
	case 'z':
		return z;
	case 'v':
		return r->rex & REX_W ? 8 : z;
	case 'R': /* 66 changes nothing: linkers pad with it */
		return 4;
	case 'w':
		return 2;
	case 'e':
		return 3;
	case 'o':
		return 8;
	case 't':
		return reg_field(r) < 2 ? 1 : 0;
	case 'T':
		return reg_field(r) < 2 ? z : 0;
	default:
		return 0;
	}
}

static int read_insn(struct reader *r)
{
	char what;

	take_opcode(r);
	what = layout(r);
	if (r->bad)
		return -ENODATA;
	if (what == 'x')
		return -EBADMSG;
	if (strchr("MmZtT", what))
		take_modrm(r);
	if (!r->bad)
		r->imm = take_signed(r, immediate_bytes(r, what));
	return r->bad ? -ENODATA : 0;
}

/* ---- what it does ---- */

/* mod 3: a register; else memory at rsp + disp? */
static bool is_reg_operand(const struct reader *r, unsigned int n)
{
	return mod(r) == 3 && rm(r) == n;
}

static bool is_at_sp(const struct reader *r)
{
	return mod(r) != 3 && (r->modrm & 7) == 4 && r->sib == 0x24 && !(r->rex & (REX_B | REX_X));
}

static bool is_at_fp(const struct reader *r)
{
	return (mod(r) == 1 || mod(r) == 2) && (r->modrm & 7) == 5 && !(r->rex & REX_B);
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

static void write_rm(const struct reader *r, struct x86_insn *ret)
{
	if (mod(r) == 3)
		write_reg(ret, rm(r));
}

/* add, or, adc, sbb, and, sub, xor, cmp with an immediate. */
static void do_group1(const struct reader *r, struct x86_insn *ret)
{
	unsigned int what = reg_field(r);
	bool whole = (r->rex & REX_W) && (r->opcode == 0x81 || r->opcode == 0x83);

	if (whole && is_reg_operand(r, X86_RSP) && (what == 0 || what == 5))
		set(ret, X86_SP_ADD, X86_NO_REG, what == 0 ? r->imm : -r->imm);
	else if (what != 7)
		write_rm(r, ret);
}

/* mov: 89 to the operand, 8b from it. */
static void do_mov(const struct reader *r, struct x86_insn *ret)
{
	bool load = r->opcode == 0x8b;
	unsigned int to = load ? reg(r) : rm(r), from = load ? rm(r) : reg(r);
	bool whole = r->rex & REX_W;

	if (mod(r) == 3 && whole && to == X86_RBP && from == X86_RSP)
		set(ret, X86_FP_FROM_SP, X86_NO_REG, 0);
	else if (mod(r) == 3 && whole && to == X86_RSP && from == X86_RBP)
		set(ret, X86_SP_FROM_FP, X86_NO_REG, 0);
	else if (whole && is_at_sp(r) && reg(r) == X86_RBP)
		set(ret, load ? X86_LOAD_FP : X86_SAVE_FP, X86_NO_REG, r->disp);
	else if (load || mod(r) == 3)
		write_reg(ret, to);
}

static void do_lea(const struct reader *r, struct x86_insn *ret)
{
	bool whole = r->rex & REX_W;

	if (whole && reg(r) == X86_RSP && is_at_sp(r))
		set(ret, X86_SP_ADD, X86_NO_REG, r->disp);
	else if (whole && reg(r) == X86_RSP && is_at_fp(r))
		set(ret, X86_SP_FROM_FP, X86_NO_REG, r->disp);
	else if (whole && reg(r) == X86_RBP && is_at_sp(r))
		set(ret, X86_FP_FROM_SP, X86_NO_REG, r->disp);
	else
		write_reg(ret, reg(r));
}

/* inc, dec, call, far call, jmp, far jmp, push. */
static void do_group5(const struct reader *r, struct x86_insn *ret)
{
	static const uint8_t ops[] = { X86_OTHER, X86_OTHER, X86_CALL, X86_CALL, X86_JUMP_AWAY, X86_JUMP_AWAY, X86_PUSH, X86_OTHER };

	set(ret, ops[reg_field(r)], X86_NO_REG, 0);
	if (reg_field(r) < 2)
		write_rm(r, ret);
}

static void do_push_pop(const struct reader *r, struct x86_insn *ret)
{
	unsigned int n = (r->opcode & 7) | (r->rex & REX_B ? 8 : 0);

	set(ret, r->opcode & 8 ? X86_POP : X86_PUSH, n, 0);
	if (ret->op == X86_POP && n == X86_RSP)
		write_reg(ret, n);
}

static void do_alu(const struct reader *r, struct x86_insn *ret)
{
	if ((r->opcode & 0x38) == 0x38 || (r->opcode & 7) > 3) /* cmp; al and eax */
		return;
	if (r->opcode & 2)
		write_reg(ret, reg(r));
	else
		write_rm(r, ret);
}

/* Of bytes without REX, where numbers 4 and 5 mean ah and ch. */
static bool is_old_byte(const struct reader *r)
{
	static const uint8_t ones[] = { 0x80, 0x86, 0x88, 0x8a, 0xc0, 0xc6, 0xd0, 0xd2, 0xf6, 0xfe };
	uint8_t c = r->opcode;

	if (r->has_rex || r->vex)
		return false;
	if (r->map == MAP_0F)
		return (c >= 0x90 && c < 0xa0) || c == 0xb0 || c == 0xc0;
	return (c < 0x40 && !(c & 1)) || memchr(ones, c, sizeof(ones));
}

static void do_one_byte(const struct reader *r, struct x86_insn *ret)
{
	uint8_t c = r->opcode;

	if (c < 0x40)
		return do_alu(r, ret);
	if (c >= 0x50 && c < 0x60)
		return do_push_pop(r, ret);
	if ((c >= 0x70 && c < 0x80) || (c >= 0xe0 && c < 0xe4))
		return set(ret, X86_BRANCH, X86_NO_REG, r->imm);
	if (c >= 0xb8 && c < 0xc0)
		return write_reg(ret, (c & 7u) | (r->rex & REX_B ? 8 : 0));
	if (c == 0x90 && !(r->rex & REX_B))
		return set(ret, X86_NOP, X86_NO_REG, 0);
	if (c >= 0x90 && c < 0x98) /* xchg with rax */
		return write_reg(ret, (c & 7u) | (r->rex & REX_B ? 8 : 0));
	switch (c) {
	case 0x63: /* movsxd */
	case 0x69: /* imul */
	case 0x6b:
	case 0x8a:
		return write_reg(ret, reg(r));
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
		write_reg(ret, reg(r));
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
		return reg_field(r) == 2 || reg_field(r) == 3 ? write_rm(r, ret) : (void)0;
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

static void do_two_bytes(const struct reader *r, struct x86_insn *ret)
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
		return write_reg(ret, (c & 7u) | (r->rex & REX_B ? 8 : 0));
	if (!r->has_modrm)
		return;
	if (c == 0x1f)
		ret->op = X86_NOP;
	if (writes_reg_0f(c))
		write_reg(ret, reg(r));
	if (writes_rm_0f(c) && !(c == 0x7e && r->repeat == 0xf3)) /* which is movq to an xmm register */
		write_rm(r, ret);
}

/* Of the larger maps only a few touch general registers: crc32, movbe and VEX's; pextr. */
static void do_larger_maps(const struct reader *r, struct x86_insn *ret)
{
	uint8_t c = r->opcode;

	if ((r->map == MAP_0F38 && c >= 0xf0) || (r->map == MAP_0F3A && (c == 0xf0 || (c >= 0x14 && c <= 0x17)))) {
		write_reg(ret, reg(r));
		write_rm(r, ret);
		if (r->vex)
			write_reg(ret, r->third);
	}
}

int x86_decode(const uint8_t *code, size_t len, struct x86_insn *ret)
{
	struct reader r = { .at = code, .end = code + (len < X86_MAX_BYTES ? len : X86_MAX_BYTES) };
	int err = read_insn(&r);

	if (err < 0)
		return err == -ENODATA && len >= X86_MAX_BYTES ? -EBADMSG : err;
	*ret = (struct x86_insn){ .len = (uint8_t)(r.at - code), .reg = X86_NO_REG };
	if ((r.map == MAP_ONE || r.map == MAP_0F) && is_old_byte(&r))
		return 0;
	if (r.map == MAP_ONE)
		do_one_byte(&r, ret);
	else if (r.map == MAP_0F)
		do_two_bytes(&r, ret);
	else
		do_larger_maps(&r, ret);
	/* 66 on push, pop and leave moves rsp by two bytes. */
	if (r.size16 && (ret->op == X86_PUSH || ret->op == X86_POP || ret->op == X86_LEAVE))
		ret->clobbers = 1 << X86_RSP | 1 << X86_RBP;
	return 0;
}
