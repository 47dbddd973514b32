/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * go_rows - the rules that a Go binary's pclntab stands for, on x86-64.
 *
 * The CFA is sp + what the function has moved it + 8. From the moment it has moved, the caller's rbp lies
 * at CFA - 16: every Go function with a frame saves it first (the prologue before Go 1.21 moves sp first:
 * one instruction where the rbp of the caller is not there yet). Functions of the runtime where this is not
 * so are named in go_rows.c.
 */
#include "bpf/rows.h"
#include "symbolize/go_pclntab.h"

/* What is special about a function. */
enum go_kind {
	GO_PLAIN,
	GO_STOP,   /* the outermost frame, or one whose caller is on no stack of its own */
	GO_SWITCH, /* goes to another stack and back: by frame pointer */
	GO_SIGNAL, /* where signal handlers return to */
};

enum go_kind go_kind(const struct go_func *f);
/* Its first address as callers' pcs see it: they look for a trampoline one byte before it. */
uint64_t go_func_start(const struct go_func *f, enum go_kind kind);

struct go_row {
	uint64_t start, end;
	struct unwind_rule rule;
	bool lost; /* INVALID: sp has moved further than a rule can say, or the wrong way */
};

struct go_rows_run {
	struct go_sp_run sp;
	enum go_kind kind;
	bool whole;              /* one rule for all of it */
	bool frameless;          /* switches stacks without a frame of its own */
	uint64_t done, end;      /* rows so far reach up to here */
	struct unwind_rule rule; /* the last one's */
};

void go_rows_begin(struct go_rows_run *run, struct go_pclntab *t, const struct go_func *f,
		   enum go_kind kind);
/* 1: start < end, the rows tile the function. 0: done. -EBADMSG, -E2BIG: as go_sp_next() says. */
int go_rows_next(struct go_rows_run *run, struct go_row *ret);
