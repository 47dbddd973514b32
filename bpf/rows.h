/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * rows - an image's unwind table: which rule unwinds a pc.
 *
 *	pc - base = page (64 KiB) | block (256 B) | low byte
 *	page directory   one entry per page: where its rows lie and how many; 0: one rule for all of it
 *	page, dense      each block's first row: u16 per group of 16 blocks, u8 more per block (wide, where
 *	                 that is too little: u16 per block); rows {u8 low byte, u8 rule}; escapes
 *	page, sparse     up to 288 rows: u16 low half of each pc, u8 rule of each; escapes
 *	rules            8 bytes each, per image; the 255 most frequent ones have the short numbers
 *
 * A row holds until the next one. Rule 255 in a row sends to the escapes {u16 pc, u16 rule}: the last
 * one at or below the pc is that row's. Every page begins with a row, so no search leaves it.
 * Pure: the same search runs on the host. All loops are bounded by the format; all loads are of 16 bits
 * at even offsets, so that one mask bounds them.
 * Why groups: most code changes its rule every 100 bytes, and 257 starts of 2 bytes were a quarter of
 * such a page. A page is wide where a rule changes every 16 bytes: starts weigh little there.
 */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define ROWS_PAGE_BITS 16
#define ROWS_BLOCKS 256
#define ROWS_GROUP_BITS 4
#define ROWS_GROUPS (ROWS_BLOCKS >> ROWS_GROUP_BITS)
#define ROWS_INDEX (2 * ROWS_GROUPS + ROWS_BLOCKS) /* bytes before a dense page's rows */
#define ROWS_INDEX_WIDE (2 * ROWS_BLOCKS)
#define ROWS_SPARSE_MAX ROWS_INDEX /* above it a dense page is the smaller one: 2 bytes a row, not 3 */
#define ROWS_ESCAPE 255

/* A BPF program bounds what it adds to a slab's start; the host's tables are made by itself. */
#ifndef ROWS_BOUND
#define ROWS_BOUND(offset) (offset)
#endif

struct rows_page {
	__u32 at;   /* of its bytes, from the slab's start: even, | 1: wide */
	__u16 n;    /* rows */
	__u16 info; /* n == 0: the rule; else escapes */
};
_Static_assert(sizeof(struct rows_page) == 8, "an ABI between BPF and the agent");

/*
 * How the caller's CFA (its sp after the return) is found.
 *
 * SIGNAL: the interrupted sp lies at sp + cfa, its pc 8 bytes behind that. Before it: 40 bytes rbp on
 * x86-64; on arm64 16 bytes fp and 8 bytes lr, which is alive again in the frame that follows.
 */
enum unwind_cfa {
	UNWIND_INVALID,   /* no rule here: try something else */
	UNWIND_STOP,      /* the outermost frame */
	UNWIND_SIGNAL,    /* a signal's trampoline: the registers lie in a ucontext */
	UNWIND_SP,        /* sp + cfa */
	UNWIND_FP,        /* fp + cfa */
	UNWIND_REG,       /* reg + cfa: known in the leaf only */
	UNWIND_PLT,       /* sp + 8 + ((pc & 15) >= cfa) * 8 */
	UNWIND_DEREF_SP,  /* *(sp + a) + b */
	UNWIND_DEREF_FP,  /* *(fp + a) + b */
	UNWIND_DEREF_REG, /* *(reg + a) + b: leaf only */
	UNWIND_FRAME,     /* fp + cfa like FP, but of a stack switched from: the CFA may lie below sp */
};

/*
 * How the caller's frame pointer is found, and its return address. Of the latter: AT_CFA at
 * CFA - 8 (x + 1); REG in register x: known in the leaf only. arm64 has two more: BESIDE_FP at
 * CFA + 8 fp + 8 (x - UNWIND_RA_BESIDE), where fp may be an offset for this alone (FP_SAME); LR in the
 * link register: known in the leaf and behind a signal.
 * arm64 may sign return addresses, and no rule says when: clear the bits above the address space of
 * each, which changes no address that is not signed.
 */
enum unwind_fp { UNWIND_FP_SAME, UNWIND_FP_AT_CFA, UNWIND_FP_AT_FP, UNWIND_FP_UNDEFINED };
enum unwind_ra { UNWIND_RA_AT_CFA, UNWIND_RA_REG, UNWIND_RA_BESIDE_FP, UNWIND_RA_LR };
#define UNWIND_RA_BESIDE 8

struct unwind_rule {
	__s32 cfa;    /* offset; of a DEREF: a in the low half, b in the high one */
	__s16 fp;     /* offset from the CFA or the frame pointer: in bytes; of arm64's code in eights */
	__u8 how_cfa; /* enum unwind_cfa | register (DWARF's number, of REG and DEREF_REG) << 4 */
	__u8 how;     /* enum unwind_fp | enum unwind_ra << 2 | x << 4 */
};
_Static_assert(sizeof(struct unwind_rule) == 8, "an ABI between BPF and the agent");

static __always_inline __u32 unwind_cfa(const struct unwind_rule *r)
{
	return r->how_cfa & 15;
}

static __always_inline __u32 unwind_reg(const struct unwind_rule *r)
{
	return r->how_cfa >> 4;
}

static __always_inline __s32 unwind_deref_a(const struct unwind_rule *r)
{
	return (__s16)(r->cfa & 0xffff);
}

static __always_inline __s32 unwind_deref_b(const struct unwind_rule *r)
{
	return r->cfa >> 16;
}

static __always_inline __u32 unwind_fp(const struct unwind_rule *r)
{
	return r->how & 3;
}

static __always_inline __u32 unwind_ra(const struct unwind_rule *r)
{
	return r->how >> 2 & 3;
}

static __always_inline __u32 unwind_ra_x(const struct unwind_rule *r)
{
	return r->how >> 4;
}

static __always_inline __u32 rows_u16(const __u8 *slab, __u32 offset)
{
	return *(const __u16 *)(slab + ROWS_BOUND(offset));
}

static __always_inline __u32 rows_u8(const __u8 *slab, __u32 offset)
{
	return rows_u16(slab, offset & ~1u) >> 8 * (offset & 1) & 0xff;
}

static __always_inline __u32 rows_at(const struct rows_page *p)
{
	return p->at & ~1u;
}

/* A dense page's index: the first row at or behind a block's start. */
static __always_inline __u32 rows_first(const struct rows_page *p, const __u8 *slab, __u32 block)
{
	__u32 at = rows_at(p);

	if (block >= ROWS_BLOCKS)
		return p->n;
	if (p->at & 1)
		return rows_u16(slab, at + 2 * block);
	return rows_u16(slab, at + 2 * (block >> ROWS_GROUP_BITS)) + rows_u8(slab, at + 2 * ROWS_GROUPS + block);
}

/* Where a dense page's rows lie; a sparse page's rules. */
static __always_inline __u32 rows_behind_index(const struct rows_page *p)
{
	if (p->n <= ROWS_SPARSE_MAX)
		return rows_at(p) + 2 * p->n;
	return rows_at(p) + (p->at & 1 ? ROWS_INDEX_WIDE : ROWS_INDEX);
}

/*
 * Of n keys (n >= 1) in steps of stride bytes, the last one at or below key. The first is taken to be
 * and never read. Keys are masked: a row's low byte, or all of it.
 */
static __always_inline __u32 rows_last(const __u8 *slab, __u32 at, __u32 stride, __u32 mask, __u32 n, __u32 key)
{
	__u32 lo = 0, half;

	for (int i = 0; i < ROWS_PAGE_BITS && n > 1; i++) {
		half = n / 2;
		if ((rows_u16(slab, at + (lo + half) * stride) & mask) <= key)
			lo += half;
		n -= half;
	}
	return lo;
}

static __always_inline __u32 rows_find_dense(const struct rows_page *p, const __u8 *slab, __u32 pc)
{
	__u32 rows = rows_behind_index(p);
	__u32 first = rows_first(p, slab, pc >> 8), end = rows_first(p, slab, (pc >> 8) + 1);

	/* Where the block's first row lies above the pc, the row before it, of an earlier block, holds. */
	if (first)
		first--;
	first += rows_last(slab, rows + 2 * first, 2, 0xff, end - first, pc & 0xff);
	return rows_u16(slab, rows + 2 * first) >> 8;
}

static __always_inline __u32 rows_find_sparse(const struct rows_page *p, const __u8 *slab, __u32 pc)
{
	return rows_u8(slab, rows_behind_index(p) + rows_last(slab, rows_at(p), 2, 0xffff, p->n, pc));
}

static __always_inline __u32 rows_escapes(const struct rows_page *p)
{
	return rows_behind_index(p) + (p->n <= ROWS_SPARSE_MAX ? (p->n + 1u) & ~1u : 2u * p->n);
}

static __always_inline __u32 rows_find_escape(const struct rows_page *p, const __u8 *slab, __u32 pc)
{
	__u32 at = rows_escapes(p);

	return rows_u16(slab, at + 4 * rows_last(slab, at, 4, 0xffff, p->info, pc) + 2);
}

/* The number of the rule for a pc's low 16 bits. */
static __always_inline __u32 rows_find_in_page(const struct rows_page *p, const __u8 *slab, __u32 pc)
{
	__u32 rule;

	if (!p->n)
		return p->info;
	rule = p->n <= ROWS_SPARSE_MAX ? rows_find_sparse(p, slab, pc) : rows_find_dense(p, slab, pc);
	return rule == ROWS_ESCAPE ? rows_find_escape(p, slab, pc) : rule;
}
