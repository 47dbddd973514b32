/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * rules - a row's state as an 8-byte rule, and the dictionary of an image's rules.
 *
 * What no rule can say makes the row INVALID, and its reason is counted: the walker tries something else
 * there. Numbers are given in order of appearance; number 0 is INVALID.
 */
#include <stdint.h>

#include "bpf/rows.h"
#include "unwind/cfi.h"

/* Why a row, an FDE or a section gives no rule; UNWIND_WHY(id, name, what it means). */
#define UNWIND_WHYS(WHY)                                                                           \
	WHY(CFA_EXPRESSION, "cfa_expression", "the CFA is an expression of a shape we do not know")        \
	WHY(CFA_RANGE, "cfa_range", "the CFA's offset does not fit a rule")                                \
	WHY(CFA_REGISTER, "cfa_register", "the CFA counts from a register that a rule cannot name")        \
	WHY(CFA_NONE, "cfa_none", "no CFA is defined")                                                     \
	WHY(RA, "ra", "the return address is neither where a rule can say nor in a register")              \
	WHY(FP, "fp", "the frame pointer is saved in a way we do not know")                                \
	WHY(FP_RANGE, "fp_range", "the offset of the saved frame pointer does not fit a rule")             \
	WHY(SP, "sp", "the caller's stack pointer is not the CFA")                                         \
	WHY(SIGNAL, "signal", "a signal frame that is not the kernel's ucontext")                          \
	WHY(TOO_MANY, "too_many", "more different rules than an image may have")                           \
	WHY(BAD_CIE, "bad_cie", "an FDE's CIE is damaged or of an unknown kind")                           \
	WHY(BAD_FDE, "bad_fde", "an FDE is damaged")                                                       \
	WHY(BAD_CODE, "bad_code", "an instruction is unknown or damaged")                                  \
	WHY(OUTSIDE, "outside", "an FDE covers nothing of the image's executable segments")                \
	WHY(OVERLAP, "overlap", "an FDE reaches into another one, which has what they share")                     \
	WHY(BAD_SECTION, "bad_section", "the section is damaged: what follows is lost")                    \
	WHY(BAD_PAGE, "bad_page", "a page with a row for every byte")                                      \
	WHY(MINIDEBUG, "minidebug", "the MiniDebugInfo is damaged, or larger than we inflate") \
	WHY(CODE, "code", "a function without CFI whose instructions we cannot follow")                     \
	WHY(BAD_PCLNTAB, "bad_pclntab", "a Go pclntab is damaged, or no moduledata says where its code starts")

enum unwind_why {
#define UNWIND_WHY(id, name, help) UNWIND_WHY_##id,
	UNWIND_WHYS(UNWIND_WHY)
#undef UNWIND_WHY
	UNWIND_WHY_MAX,
	UNWIND_WHY_NONE = UNWIND_WHY_MAX,
};

/* "cfa_expression"; what it means. */
const char *unwind_why_name(enum unwind_why why);
const char *unwind_why_help(enum unwind_why why);

/* The rule of a state; signal: its CIE says 'S'. Where *ret_why is not NONE the rule is INVALID. */
struct unwind_rule rule_of(enum arch arch, const struct cfi_state *state, bool signal, enum unwind_why *ret_why);
/* The rule of a signal's trampoline, which needs no CFI: the kernel decides where the registers lie. */
struct unwind_rule rule_of_signal(enum arch arch);

#define RULES_MAX 8192 /* of one image; the most seen in 2,831 files are 884 */

struct rules {
	struct unwind_rule *v;
	uint32_t n;
	uint16_t *slots; /* open addressing; 0: empty */
};

/* Makes number 0, INVALID. 0 or -ENOMEM. */
int rules_init(struct rules *d);
void rules_fini(struct rules *d);
/* The rule's number. -E2BIG: the dictionary is full. */
int rules_intern(struct rules *d, struct unwind_rule rule);
