/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * x86_bytes - one instruction of x86-64 as it is written: its prefixes, opcode and operands, and so how long it is. Pure.
 *
 * Source: Intel's Software Developer's Manual, volume 2, appendix A (opcode maps), chapter 2 (prefixes, ModRM, VEX, EVEX).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { X86_MAX_BYTES = 15 };
enum { X86_REX_B = 1, X86_REX_X = 2, X86_REX_R = 4, X86_REX_W = 8 };
enum x86_map { X86_MAP_ONE, X86_MAP_0F, X86_MAP_0F38, X86_MAP_0F3A, X86_MAP_XOP8 = 8, X86_MAP_XOP9, X86_MAP_XOP10, X86_MAP_OTHER };

struct x86_bytes {
	const uint8_t *at, *end; /* behind what is read of it, and behind all bytes there are */
	bool bad; /* those end too early */
	bool size16, vex, has_rex;
	uint8_t repeat; /* f2 or f3, 0: none */
	uint8_t rex;
	uint8_t third;  /* VEX's other register */
	enum x86_map map;
	uint8_t opcode, modrm, sib;
	bool has_modrm;
	int32_t disp;
	int64_t imm;
};

/* 3: the operand is a register; else it is memory. */
static inline unsigned int x86_mod(const struct x86_bytes *r)
{
	return r->modrm >> 6;
}

static inline unsigned int x86_reg_field(const struct x86_bytes *r)
{
	return r->modrm >> 3 & 7;
}

/* With their fourth bit. */
static inline unsigned int x86_reg(const struct x86_bytes *r)
{
	return x86_reg_field(r) | (r->rex & X86_REX_R ? 8 : 0);
}

static inline unsigned int x86_rm(const struct x86_bytes *r)
{
	return (r->modrm & 7) | (r->rex & X86_REX_B ? 8 : 0);
}

/* 0; -ENODATA: the bytes end before it does; -EBADMSG: no instruction we know. */
int x86_read(const uint8_t *code, size_t len, struct x86_bytes *ret);
