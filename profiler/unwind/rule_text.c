/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/rule_text.h"

#include <stdint.h>
#include <stdio.h>

/* The register that a CFA counts from. */
static const char *base_name(const struct arch_facts *arch, const struct unwind_rule *r)
{
	switch (unwind_cfa(r)) {
	case UNWIND_SP:
	case UNWIND_DEREF_SP:
		return arch->names[arch->sp];
	case UNWIND_FP:
	case UNWIND_FRAME:
	case UNWIND_DEREF_FP:
		return arch->names[arch->fp];
	default:
		return arch->names[unwind_reg(r)];
	}
}

static void write_cfa(const struct arch_facts *arch, const struct unwind_rule *r, char *out, size_t len)
{
	switch (unwind_cfa(r)) {
	case UNWIND_SP:
	case UNWIND_FP:
	case UNWIND_REG:
	case UNWIND_FRAME:
		snprintf(out, len, "%s%+d", base_name(arch, r), r->cfa);
		break;
	case UNWIND_PLT:
		snprintf(out, len, "plt%d", r->cfa);
		break;
	case UNWIND_DEREF_SP:
	case UNWIND_DEREF_FP:
	case UNWIND_DEREF_REG:
		snprintf(out, len, "*(%s%+d)%+d", base_name(arch, r), unwind_deref_a(r), unwind_deref_b(r));
		break;
	case UNWIND_SIGNAL:
		snprintf(out, len, "signal%+d", r->cfa);
		break;
	default:
		snprintf(out, len, "%s", unwind_cfa(r) == UNWIND_STOP ? "stop" : "-");
	}
}

static void write_fp(const struct arch_facts *arch, const struct unwind_rule *r, char *out, size_t len)
{
	switch (unwind_fp(r)) {
	case UNWIND_FP_SAME:
		snprintf(out, len, "u");
		break;
	case UNWIND_FP_AT_CFA:
		snprintf(out, len, "c%+d", r->fp * arch->fp_unit);
		break;
	case UNWIND_FP_AT_FP:
		snprintf(out, len, "*(%s%+d)", arch->names[arch->fp], r->fp * arch->fp_unit);
		break;
	default:
		snprintf(out, len, "lost");
	}
}

static void write_ra(const struct arch_facts *arch, const struct unwind_rule *r, char *out, size_t len)
{
	int x = (int)unwind_ra_x(r);

	switch (unwind_ra(r)) {
	case UNWIND_RA_REG:
		snprintf(out, len, "%s", arch->names[x]);
		break;
	case UNWIND_RA_BESIDE_FP:
		snprintf(out, len, "c%+d", r->fp * arch->fp_unit + 8 * (x - UNWIND_RA_BESIDE));
		break;
	case UNWIND_RA_LR:
		snprintf(out, len, "u");
		break;
	default:
		snprintf(out, len, "c%+d", -8 * (x + 1));
	}
}

struct rule_text rule_text(enum arch machine, const struct unwind_rule *rule)
{
	const struct arch_facts *arch = arch_facts(machine);
	uint32_t cfa = unwind_cfa(rule);
	struct rule_text t = { .fp = "", .ra = "" };

	write_cfa(arch, rule, t.cfa, sizeof(t.cfa));
	if (cfa == UNWIND_INVALID || cfa == UNWIND_STOP)
		return t;
	if (cfa == UNWIND_SIGNAL) {
		snprintf(t.fp, sizeof(t.fp), "*(%s%+d)", arch->names[arch->sp], rule->cfa + arch->signal_fp);
		snprintf(t.ra, sizeof(t.ra), "*(%s%+d)", arch->names[arch->sp], rule->cfa + arch->signal_pc);
		return t;
	}
	write_fp(arch, rule, t.fp, sizeof(t.fp));
	write_ra(arch, rule, t.ra, sizeof(t.ra));
	return t;
}
