/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cfi_causes - every way in which our rows are known to differ from libdw's, and why.
 *
 * CAUSE(id, ours, text): `ours` is 1 where a walk by our rows is the poorer one: those may be 1 pc in 10,000.
 * A difference that is none of these fails the oracle. All of a Debian 12 host (3,851 sections, 10.9 million
 * pcs) has 19 to 24 of ours, by what the random pcs hit: SP 19, FP and CFA_EXPRESSION up to 2 each; and some
 * 610 of LIBDW_ENDS_EARLY, all in one Go program, 215 of MARK, 6 of RETURN_COLUMN, 4 of BROKEN.
 */
#include "unwind/elf_cfi.h"

#define CAUSES(CAUSE)                                                                              \
	CAUSE(SP, 1,                                                                               \
	      "the caller's sp is not the CFA: longjmp, setcontext, _ITM_siglongjmp have loaded half of another " \
	      "context. No rule says that, and no walk has the registers that would be needed")     \
	CAUSE(FP, 1,                                                                               \
	      "rbp is saved at an offset from rsp, though the CFA is not: libgcrypt's perlasm keeps its frame " \
	      "in realigned memory. A few hundred bytes of code; a rule has no room for a second base") \
	CAUSE(CFA_EXPRESSION, 1,                                                                   \
	      "the CFA is *(rsp + 8 r9 + a) + b: the Montgomery multiplication of OpenSSL's descendants, whose " \
	      "table's length is in r9 and known in the leaf only")                                \
	CAUSE(OVERLAP, 1, "two FDEs cover the pc, and each reader takes another one of them")      \
	CAUSE(BROKEN, 0,                                                                           \
	      "def_cfa_register where the CFA is an expression, which DWARF 5 (6.4.2.2) calls invalid: libgcrypt's " \
	      "epilogues. libdw has no CFA there, and we no row from there to the function's end") \
	CAUSE(LIBDW_ENDS_EARLY, 0,                                                                 \
	      "libdw takes a zero length for the end of .debug_frame; Go's linker leaves one between its own "  \
	      "FDEs and those that cgo brought. We read on, as readelf does")                      \
	CAUSE(MARK, 0,                                                                             \
	      "we know the place by the ELF header or by its code (unwind/marks.h), libdw by CFI only: entry points " \
	      "of musl's, valgrind's and Go's programs; signal trampolines without CFI") \
	CAUSE(RETURN_COLUMN, 0,                                                                    \
	      "arm64: an FDE has its return address in a column that is not x30's (glibc's rawmemchr: x15). "   \
	      "libdw calls such a register undefined, the end of the stack; we read the register")

enum cause {
#define CAUSE(id, ours, text) CAUSE_##id,
	CAUSES(CAUSE)
#undef CAUSE
	CAUSE_UNEXPLAINED,
	CAUSE_N,
};

struct cause_info {
	const char *name;
	int ours;
	const char *text;
};

const struct cause_info *cause_info(enum cause cause);

/* An FDE, with its CIE. */
struct origin {
	const struct cfi_section *section;
	const struct cfi_cie *cie;
	const struct cfi_fde *fde;
};

/* Reads the FDE at an offset; *cie is the one of the call before, or zero. 0 or a negative errno. */
int origin_read(const struct cfi_section *section, size_t offset, struct cfi_cie *cie, struct cfi_fde *fde);

struct difference {
	uint64_t pc;
	const struct unwind_rule *ours;
	const struct cfi_section *section;
	const struct marks *marks;
	const struct origin *origin; /* the FDE that the pc was taken from; NULL: a random pc */
	enum { LIBDW_DIFFERS, LIBDW_NO_CFA, LIBDW_NO_FRAME } libdw;
};

/* *ret_why: for what reason we have no rule there, or NONE. */
enum cause cause_of(const struct difference *d, enum unwind_why *ret_why);
