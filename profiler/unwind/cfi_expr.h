/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cfi_expr - the few shapes of DWARF expression that compilers and linkers put into CFI.
 *
 *	reg + a                           a register saved in a realigned frame
 *	*(reg + a) + b                    a CFA kept on the stack: perlasm, DRAP
 *	reg + a + ((pc & 15) >= n) * 8    the CFA in a PLT entry, n = 10 or 11 (binutils, lld, mold)
 *
 * Recognised, never evaluated: constants are folded (OCaml adds twice), all else is EXPR_OTHER.
 */
#include "unwind/cfi.h"

enum cfi_expr_kind { EXPR_OTHER, EXPR_SUM, EXPR_DEREF, EXPR_PLT };

struct cfi_expr {
	enum cfi_expr_kind kind;
	uint16_t reg;
	uint8_t n; /* EXPR_PLT */
	int64_t a, b;
};

struct cfi_expr cfi_expr_read(const struct cfi_value *v);
