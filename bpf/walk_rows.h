/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * walk_rows - a step by an image's rule (bpf/rows.h): the CFA, then what lies below it.
 *
 * Each step climbs: a CFA at or below sp would be a loop, except where the return address is in a register
 * (vfork) and nothing lies on the stack. Signal frames and Go's systemstack switch stacks: they may go anywhere.
 */
#if defined(__TARGET_ARCH_x86) || defined(__x86_64__)
/* The kernel's struct sigcontext: r8..r15 di si bp bx dx ax cx sp ip; a rule counts from sp's place. */
enum { SIG_DI = 8, SIG_SI, SIG_BP, SIG_BX, SIG_DX, SIG_AX, SIG_CX, SIG_SP, SIG_IP, SIG_REGS };

static __always_inline enum walk_verdict walk_signal(struct walk *w, const struct unwind_rule *r)
{
	__u64 g[SIG_REGS];

	if (walk_read(w, g, sizeof(g), w->sp + (__s64)r->cfa - 8 * SIG_SP))
		return walk_cut(w, EV_CUT_UNREADABLE);
	w->regs[0] = g[SIG_AX];
	w->regs[1] = g[SIG_DX];
	w->regs[2] = g[SIG_CX];
	w->regs[3] = g[SIG_BX];
	w->regs[4] = g[SIG_SI];
	w->regs[5] = g[SIG_DI];
	w->regs[6] = g[SIG_BP];
	w->regs[7] = g[SIG_SP];
	for (int i = 0; i < 8; i++)
		w->regs[8 + i] = g[i];
	return walk_return(w, g[SIG_IP], g[SIG_SP], g[SIG_BP], WALK_REGS);
}

/* Do 8 bytes of code end in a call? e8 rel32, or ff /2 with its operand in 2, 3, 4, 6 or 7 bytes. */
static __always_inline int walk_ends_in_call(const __u8 *b)
{
	return b[3] == 0xe8 || (b[6] == 0xff && (b[7] & 0x38) == 0x10) || (b[5] == 0xff && (b[6] & 0x38) == 0x10) ||
	       (b[4] == 0xff && (b[5] & 0x38) == 0x10) || (b[2] == 0xff && (b[3] & 0x38) == 0x10) ||
	       (b[1] == 0xff && (b[2] & 0x38) == 0x10);
}

static __always_inline int walk_is_call(struct walk *w, __u64 ra)
{
	__u8 b[8];

	return !walk_read(w, b, sizeof(b), ra - sizeof(b)) && walk_ends_in_call(b);
}
#endif

/* 0 with the CFA; else why there is none. */
static __always_inline __u32 walk_cfa(struct walk *w, const struct unwind_rule *r, __u64 *ret)
{
	__u32 how = unwind_cfa(r);
	__u64 base = w->sp;

	if (how == UNWIND_FP || how == UNWIND_DEREF_FP || how == UNWIND_FRAME)
		base = w->fp;
	if (how == UNWIND_REG || how == UNWIND_DEREF_REG) {
		if (!(w->flags & WALK_REGS))
			return EV_CUT_REG_LOST;
		base = w->regs[unwind_reg(r) % EV_REGS];
	}
	if (how == UNWIND_PLT) {
		*ret = base + 8 + ((w->pc & 15) >= (__u64)(__s64)r->cfa ? 8 : 0);
		return 0;
	}
	if (how < UNWIND_DEREF_SP || how == UNWIND_FRAME) {
		*ret = base + (__s64)r->cfa;
		return 0;
	}
	if (walk_read(w, &base, sizeof(base), base + (__s64)unwind_deref_a(r)))
		return EV_CUT_UNREADABLE;
	*ret = base + (__s64)unwind_deref_b(r);
	return 0;
}

/* The usual frame: return address and frame pointer lie side by side below the CFA, one read for both. */
static __always_inline int walk_saved(struct walk *w, const struct unwind_rule *r, __u64 cfa, __u64 *pc, __u64 *fp)
{
	__u64 pair[2];

	if (unwind_fp(r) == UNWIND_FP_AT_CFA && r->fp == -16 && !unwind_ra(r) && !unwind_ra_x(r)) {
		if (walk_read(w, pair, sizeof(pair), cfa - 16))
			return -1;
		*fp = pair[0];
		*pc = pair[1];
		return 0;
	}
	if (unwind_fp(r) == UNWIND_FP_AT_CFA || unwind_fp(r) == UNWIND_FP_AT_FP) {
		__u64 at = unwind_fp(r) == UNWIND_FP_AT_CFA ? cfa : w->fp;

		if (walk_read(w, fp, sizeof(*fp), at + (__s64)r->fp))
			return -1;
	} else if (unwind_fp(r) == UNWIND_FP_UNDEFINED) {
		*fp = 0;
	}
	if (unwind_ra(r) == UNWIND_RA_REG)
		return 0;
	return walk_read(w, pc, sizeof(*pc), cfa - 8 - 8 * unwind_ra_x(r)) ? -1 : 0;
}

static __always_inline enum walk_verdict walk_by_rule(struct walk *w, const struct unwind_rule *r)
{
	int in_reg = unwind_ra(r) == UNWIND_RA_REG;
	__u64 cfa, pc = 0, fp = w->fp;
	__u32 fault;

	if (unwind_cfa(r) == UNWIND_STOP)
		return walk_cut(w, EV_CUT_ROOT);
	if (unwind_cfa(r) == UNWIND_SIGNAL)
		return walk_signal(w, r);
	fault = walk_cfa(w, r, &cfa);
	if (fault)
		return walk_cut(w, fault);
	if (cfa & 7 || (unwind_cfa(r) != UNWIND_FRAME && (cfa < w->sp || (cfa == w->sp && !in_reg))))
		return walk_cut(w, EV_CUT_CFA_BAD);
	if (in_reg) {
		if (!(w->flags & WALK_REGS))
			return walk_cut(w, EV_CUT_REG_LOST);
		pc = w->regs[unwind_ra_x(r) % EV_REGS];
	}
	if (walk_saved(w, r, cfa, &pc, &fp))
		return walk_cut(w, EV_CUT_UNREADABLE);
	return walk_return(w, pc, cfa, fp, WALK_RETURN);
}
