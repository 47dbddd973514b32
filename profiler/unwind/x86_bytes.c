/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/x86_bytes.h"

#include <errno.h>
#include <string.h>

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

static uint8_t take(struct x86_bytes *r)
{
	if (r->at == r->end) {
		r->bad = true;
		return 0;
	}
	return *r->at++;
}

/* n bytes, little-endian, with their sign. */
static int64_t take_signed(struct x86_bytes *r, unsigned int n)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < n; i++)
		v |= (uint64_t)take(r) << (8 * i);
	return n && n < 8 ? (int64_t)(v << (64 - 8 * n)) >> (64 - 8 * n) : (int64_t)v;
}

static bool take_prefix(struct x86_bytes *r)
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
static void take_vex(struct x86_bytes *r, uint8_t first)
{
	static const uint8_t repeats[] = { 0, 0, 0xf3, 0xf2 };
	uint8_t p = take(r), last = p, number;

	r->vex = true;
	r->map = X86_MAP_0F;
	r->rex = (uint8_t)((~p >> 5) & X86_REX_R);
	if (first != 0xc5) {
		r->rex |= (uint8_t)((~p >> 5) & (X86_REX_X | X86_REX_B));
		number = p & (first == 0x62 ? 7 : 31);
		r->map = number >= (first == 0x8f ? 8 : 1) && number <= (first == 0x8f ? 10 : 3) ? (enum x86_map)number : X86_MAP_OTHER;
		last = take(r);
		r->rex |= last & 0x80 ? X86_REX_W : 0;
	}
	r->third = (uint8_t)((~last >> 3) & 15);
	r->repeat = repeats[last & 3];
	if (first == 0x62)
		take(r);
}

static void take_opcode(struct x86_bytes *r)
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
		r->map = c == 0x38 ? X86_MAP_0F38 : c == 0x3a ? X86_MAP_0F3A : X86_MAP_0F;
		if (r->map != X86_MAP_0F)
			c = take(r);
	}
	r->opcode = c;
}

static void take_modrm(struct x86_bytes *r)
{
	bool no_base;

	r->has_modrm = true;
	r->modrm = take(r);
	if (x86_mod(r) == 3)
		return;
	no_base = (r->modrm & 7) == 5;
	if ((r->modrm & 7) == 4) {
		r->sib = take(r);
		no_base = (r->sib & 7) == 5;
	}
	if (x86_mod(r) == 1)
		r->disp = (int32_t)take_signed(r, 1);
	else if (x86_mod(r) == 2 || no_base)
		r->disp = (int32_t)take_signed(r, 4);
}

static char layout(const struct x86_bytes *r)
{
	switch (r->map) {
	case X86_MAP_ONE:
		return one_byte[r->opcode];
	case X86_MAP_0F:
		return two_bytes[r->opcode];
	case X86_MAP_0F38:
	case X86_MAP_XOP9:
		return 'M';
	case X86_MAP_0F3A:
	case X86_MAP_XOP8:
		return 'm';
	case X86_MAP_XOP10:
		return 'Z';
	default:
		return r->vex ? 'M' : 'x';
	}
}

static unsigned int immediate_bytes(const struct x86_bytes *r, char what)
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
		return r->rex & X86_REX_W ? 8 : z;
	case 'R': /* 66 changes nothing: linkers pad with it */
		return 4;
	case 'w':
		return 2;
	case 'e':
		return 3;
	case 'o':
		return 8;
	case 't':
		return x86_reg_field(r) < 2 ? 1 : 0;
	case 'T':
		return x86_reg_field(r) < 2 ? z : 0;
	default:
		return 0;
	}
}

static int take_insn(struct x86_bytes *r)
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

int x86_read(const uint8_t *code, size_t len, struct x86_bytes *ret)
{
	int r;

	*ret = (struct x86_bytes){ .at = code, .end = code + (len < X86_MAX_BYTES ? len : X86_MAX_BYTES) };
	r = take_insn(ret);
	return r == -ENODATA && len >= X86_MAX_BYTES ? -EBADMSG : r;
}
