/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * x86_insn - what one instruction of x86-64 does to rsp and rbp. Pure.
 *
 * Everything else an instruction does is X86_OTHER. What it does to rsp or rbp in another way than the
 * operations say shows in clobbers: too much rather than too little.
 * How it is read is in x86_bytes.h.
 */
#include <stdint.h>
#include <stddef.h>

enum x86_op {
	X86_OTHER,
	X86_NOP,        /* also what pads code between functions and loops */
	X86_PUSH,       /* reg, or none: X86_NO_REG */
	X86_POP,        /* the same */
	X86_SP_ADD,     /* rsp += value */
	X86_SP_FROM_FP, /* rsp = rbp + value */
	X86_FP_FROM_SP, /* rbp = rsp + value */
	X86_LEAVE,
	X86_SAVE_FP,    /* *(rsp + value) = rbp */
	X86_LOAD_FP,    /* rbp = *(rsp + value) */
	X86_CALL,
	X86_RETURN,
	X86_JUMP,       /* to its end + value */
	X86_BRANCH,     /* there, or on */
	X86_JUMP_AWAY,  /* where a register or memory says */
	X86_TRAP,       /* nothing follows */
};

enum { X86_RSP = 4, X86_RBP = 5, X86_NO_REG = 16 };

struct x86_insn {
	uint8_t len;
	uint8_t op;       /* enum x86_op */
	uint8_t reg;
	uint8_t clobbers; /* 1 << X86_RSP, 1 << X86_RBP */
	int32_t value;
};

/* 0; -ENODATA: the bytes end before it does; -EBADMSG: no instruction we know. */
int x86_decode(const uint8_t *code, size_t len, struct x86_insn *ret);
