/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cfi_run - executes an FDE's instructions, one row of the unwind table at a time.
 *
 *	struct cfi_run run;
 *
 *	cfi_run_begin(&run, section, cie, fde);
 *	while ((r = cfi_run_next(&run, &row)) > 0)
 *		...[row.start, row.end) is unwound by *row.state...
 *
 * Each call consumes at least one instruction or ends, so a run is linear in the FDE's bytes.
 */
#include "unwind/cfi.h"

enum { CFI_RUN_STACK = 16 }; /* nested DW_CFA_remember_state; compilers nest two */

struct cfi_run {
	const struct cfi_section *section;
	const struct cfi_cie *cie;
	struct bytes in;
	uint64_t pc, end;
	struct cfi_state now;
	uint32_t depth;
	bool initial; /* a CIE's own instructions: no locations, nothing to restore */
	struct cfi_state stack[CFI_RUN_STACK];
};

struct cfi_row {
	uint64_t start, end;
	const struct cfi_state *state; /* valid until the next call */
};

void cfi_run_begin(struct cfi_run *run, const struct cfi_section *s, const struct cfi_cie *cie, const struct cfi_fde *fde);

/*
 * 1: *ret filled, start < end. 0: the FDE is done. Rows until an error stand; at it run->pc is the first
 * address without one. -EBADMSG: damaged. -ENOTSUP: an unknown instruction. -E2BIG: nested too deep.
 */
int cfi_run_next(struct cfi_run *run, struct cfi_row *ret);

/* A CIE's first instructions into cie->initial. The same errors. */
int cfi_run_initial(const struct cfi_section *s, struct cfi_cie *cie, struct bytes instructions);
