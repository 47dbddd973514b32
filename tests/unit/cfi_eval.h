/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cfi_eval - one frame unwound twice on a machine of random registers and random memory: by our rule as
 * the walker will, and by what libdw says. Equal answers on random contents mean equal expressions.
 */
#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stdint.h>

#include "bpf/rows.h"
#include "unwind/arch.h"

struct machine {
	const struct arch_facts *arch;
	uint64_t reg[33]; /* by DWARF's numbers */
	uint16_t pc;      /* which of them it is: behind the general ones */
	uint64_t seed;
};

struct unwound {
	bool stop, fp_known;
	uint64_t cfa, ra, fp;
};

void machine_randomise(struct machine *m, enum arch arch, uint64_t pc, uint64_t seed);
void eval_rule(const struct unwind_rule *r, const struct machine *m, struct unwound *ret);
/* 0, or -1: an operation that is not implemented here. */
int eval_libdw(Dwarf_Frame *frame, const struct machine *m, struct unwound *ret);
