/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/rule_text.h"

#include <stdint.h>
#include <stdio.h>

static const char *register_name(uint32_t reg)
{
	static const char *const names[16] = { "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
					       "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };

	return names[reg & 15];
}

static void write_cfa(const struct unwind_rule *r, char *out, size_t len)
{
	switch (unwind_cfa(r)) {
	case UNWIND_SP:
	case UNWIND_FP:
	case UNWIND_REG:
	case UNWIND_FRAME:
		snprintf(out, len, "%s%+d", register_name(unwind_reg(r)), r->cfa);
		break;
	case UNWIND_PLT:
		snprintf(out, len, "plt%d", r->cfa);
		break;
	case UNWIND_DEREF_SP:
	case UNWIND_DEREF_FP:
	case UNWIND_DEREF_REG:
		snprintf(out, len, "*(%s%+d)%+d", register_name(unwind_reg(r)), unwind_deref_a(r), unwind_deref_b(r));
		break;
	case UNWIND_SIGNAL:
		snprintf(out, len, "signal%+d", r->cfa);
		break;
	default:
		snprintf(out, len, "%s", unwind_cfa(r) == UNWIND_STOP ? "stop" : "-");
	}
}

static void write_fp(const struct unwind_rule *r, char *out, size_t len)
{
	switch (unwind_fp(r)) {
	case UNWIND_FP_SAME:
		snprintf(out, len, "u");
		break;
	case UNWIND_FP_AT_CFA:
		snprintf(out, len, "c%+d", r->fp);
		break;
	case UNWIND_FP_AT_FP:
		snprintf(out, len, "*(rbp%+d)", r->fp);
		break;
	default:
		snprintf(out, len, "lost");
	}
}

static void write_ra(const struct unwind_rule *r, char *out, size_t len)
{
	if (unwind_ra(r) == UNWIND_RA_REG)
		snprintf(out, len, "%s", register_name(unwind_ra_x(r)));
	else
		snprintf(out, len, "c%+d", -8 * (int)(unwind_ra_x(r) + 1));
}

struct rule_text rule_text(const struct unwind_rule *rule)
{
	uint32_t cfa = unwind_cfa(rule);
	struct rule_text t = { .fp = "", .ra = "" };

	write_cfa(rule, t.cfa, sizeof(t.cfa));
	if (cfa == UNWIND_INVALID || cfa == UNWIND_STOP)
		return t;
	if (cfa == UNWIND_SIGNAL) {
		snprintf(t.fp, sizeof(t.fp), "*(rsp%+d)", rule->cfa - 40);
		snprintf(t.ra, sizeof(t.ra), "*(rsp%+d)", rule->cfa + 8);
		return t;
	}
	write_fp(rule, t.fp, sizeof(t.fp));
	write_ra(rule, t.ra, sizeof(t.ra));
	return t;
}
