/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * go_inlines - which calls the Go compiler inlined at a pc.
 *
 * A function's record names a tree (one of its funcdata): an array of inlined calls, each with its callee's
 * name and the offset of an instruction that stands for the call in its caller. One of its pcdata tables
 * gives the call that a pc lies in; the caller's is found by asking again at that instruction.
 * The array has no length: only entries that a pc leads to are read, each against the file's end.
 *
 *	Go 1.12         tree 2, table 1, entries of 20 bytes; funcdata are addresses
 *	Go 1.13 - 1.15  tree 4, table 2
 *	Go 1.16, 1.17   tree 3, table 2
 *	Go 1.18, 1.19   funcdata count from moduledata's gofunc
 *	Go 1.20         entries of 16 bytes, with the line the callee begins at
 *
 * The first two share a layout: which it is, the trees themselves must tell. Before Go 1.12 calls have no
 * instruction of their caller, and only leaves were inlined: not read. Nor are those of a PIE that ld linked
 * before Go 1.18, where funcdata are relocations; Go's own linker writes the addresses too.
 * Sources: Go's runtime/symtab.go, runtime/symtabinl.go, internal/abi/symtab.go, release by release.
 */
#include "symbolize/go_pclntab.h"

struct go_inlines {
	uint8_t tree, table; /* 0: not to be read */
	uint8_t entry_size;
};

struct go_inline {
	uint32_t name_at;    /* in the table's names */
	uint32_t start_line; /* 0: unknown */
	uint64_t call_pc;    /* in the caller */
};

/* What this table's trees are like. */
struct go_inlines go_inlines_find(struct go_pclntab *t);

/* 1: *ret is the innermost inlined call at pc. 0: nothing is inlined there, or its tree cannot be read. */
int go_inline_at(struct go_pclntab *t, const struct go_inlines *form, const struct go_func *f, uint64_t pc,
		 struct go_inline *ret);
