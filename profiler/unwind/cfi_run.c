/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/cfi_run.h"

#include <dwarf.h>
#include <errno.h>

/* Signs the return address or ends that, as DW_CFA_GNU_window_save does on arm64, with the pc in it too. */
enum { DW_CFA_AARCH64_negate_ra_state_with_pc = 0x2c };

/* The slot of a register in a state; NULL for one that a walk does not need. */
static struct cfi_value *slot_of(const struct cfi_run *run, struct cfi_state *state, uint64_t reg)
{
	const struct arch_facts *arch = arch_facts(run->section->arch);

	if (reg == run->cie->ra)
		return &state->ra;
	if (reg == arch->fp)
		return &state->fp;
	return reg == arch->sp ? &state->sp : NULL;
}

static void set(struct cfi_run *run, uint64_t reg, struct cfi_value v)
{
	struct cfi_value *slot = slot_of(run, &run->now, reg);

	if (slot)
		*slot = v;
}

/* A column beyond 65,534 is nobody's register: it must not fold onto one that is. */
static uint16_t narrow(uint64_t reg)
{
	return reg < UINT16_MAX ? (uint16_t)reg : UINT16_MAX;
}

/*
 * A register that is said to be the same. A return address is in its own column then, where that is a
 * register; x86-64's is none, and no rule says it.
 */
static struct cfi_value unchanged(const struct cfi_run *run, uint64_t reg)
{
	bool in_register = reg == run->cie->ra && arch_facts(run->section->arch)->lr != ARCH_NO_REGISTER;

	return in_register ? (struct cfi_value){ .kind = CFI_REGISTER, .reg = narrow(reg) } : (struct cfi_value){ .kind = CFI_SAME };
}

static int64_t scaled(const struct cfi_run *run, uint64_t factored)
{
	return (int64_t)(factored * (uint64_t)run->cie->data_align);
}

static void set_offset(struct cfi_run *run, uint64_t reg, enum cfi_kind kind, uint64_t factored)
{
	set(run, reg, (struct cfi_value){ .kind = kind, .off = scaled(run, factored) });
}

static struct cfi_value read_expression(struct cfi_run *run, enum cfi_kind kind)
{
	uint64_t len = bytes_uleb(&run->in);
	const uint8_t *p = bytes_take(&run->in, len);

	return (struct cfi_value){ .kind = kind, .len = p ? (uint32_t)len : 0, .expr = p };
}

static void set_cfa(struct cfi_run *run, uint64_t reg, int64_t off)
{
	run->now.cfa = (struct cfi_value){ .kind = CFI_REGISTER, .reg = narrow(reg), .off = off };
}

/* Only the offset or only the register: of a CFA that is an expression that means nothing. */
static int change_cfa(struct cfi_run *run, const uint64_t *reg, const int64_t *off)
{
	struct cfi_value *cfa = &run->now.cfa;

	if (cfa->kind != CFI_REGISTER && cfa->kind != CFI_UNSPECIFIED)
		return -EBADMSG;
	set_cfa(run, reg ? *reg : cfa->reg, off ? *off : cfa->off);
	return 0;
}

static int restore(struct cfi_run *run, uint64_t reg)
{
	struct cfi_state *initial = (struct cfi_state *)&run->cie->initial;
	struct cfi_value *slot = slot_of(run, &run->now, reg);

	if (run->initial)
		return -EBADMSG;
	if (slot)
		*slot = *slot_of(run, initial, reg);
	return 0;
}

static int remember(struct cfi_run *run)
{
	if (run->depth == CFI_RUN_STACK)
		return -E2BIG;
	run->stack[run->depth++] = run->now;
	return 0;
}

static int recall(struct cfi_run *run)
{
	if (!run->depth)
		return -EBADMSG;
	run->now = run->stack[--run->depth];
	return 0;
}

/* Instructions that change the state. */
static int execute(struct cfi_run *run, uint8_t op)
{
	struct bytes *in = &run->in;
	uint64_t reg;
	int64_t off;

	switch (op) {
	case DW_CFA_nop:
		return 0;
	case DW_CFA_GNU_args_size:
		bytes_uleb(in);
		return 0;
	case DW_CFA_remember_state:
		return remember(run);
	case DW_CFA_restore_state:
		return recall(run);
	case DW_CFA_GNU_window_save: /* arm64: the return address is signed from here on, or no longer */
		return 0;
	case DW_CFA_AARCH64_negate_ra_state_with_pc:
		return run->section->arch == ARCH_ARM64 ? 0 : -ENOTSUP;
	case DW_CFA_def_cfa_expression:
		run->now.cfa = read_expression(run, CFI_EXPRESSION);
		return 0;
	case DW_CFA_def_cfa_offset:
		off = (int64_t)bytes_uleb(in);
		return change_cfa(run, NULL, &off);
	case DW_CFA_def_cfa_offset_sf:
		off = scaled(run, (uint64_t)bytes_sleb(in));
		return change_cfa(run, NULL, &off);
	}

	reg = bytes_uleb(in);
	switch (op) {
	case DW_CFA_offset_extended:
		set_offset(run, reg, CFI_OFFSET, bytes_uleb(in));
		break;
	case DW_CFA_offset_extended_sf:
		set_offset(run, reg, CFI_OFFSET, (uint64_t)bytes_sleb(in));
		break;
	case DW_CFA_GNU_negative_offset_extended:
		set_offset(run, reg, CFI_OFFSET, -bytes_uleb(in));
		break;
	case DW_CFA_val_offset:
		set_offset(run, reg, CFI_VAL_OFFSET, bytes_uleb(in));
		break;
	case DW_CFA_val_offset_sf:
		set_offset(run, reg, CFI_VAL_OFFSET, (uint64_t)bytes_sleb(in));
		break;
	case DW_CFA_restore_extended:
		return restore(run, reg);
	case DW_CFA_undefined:
		set(run, reg, (struct cfi_value){ .kind = CFI_UNDEFINED });
		break;
	case DW_CFA_same_value:
		set(run, reg, unchanged(run, reg));
		break;
	case DW_CFA_register:
		set(run, reg, (struct cfi_value){ .kind = CFI_REGISTER, .reg = narrow(bytes_uleb(in)) });
		break;
	case DW_CFA_expression:
		set(run, reg, read_expression(run, CFI_EXPRESSION));
		break;
	case DW_CFA_val_expression:
		set(run, reg, read_expression(run, CFI_VAL_EXPRESSION));
		break;
	case DW_CFA_def_cfa:
		set_cfa(run, reg, (int64_t)bytes_uleb(in));
		break;
	case DW_CFA_def_cfa_sf:
		set_cfa(run, reg, scaled(run, (uint64_t)bytes_sleb(in)));
		break;
	case DW_CFA_def_cfa_register:
		return change_cfa(run, &reg, NULL);
	default:
		return -ENOTSUP;
	}
	return 0;
}

/* Instructions that move to another address: 1 with *ret, 0 for any other instruction. */
static int advance(struct cfi_run *run, uint8_t op, uint64_t *ret)
{
	struct bytes *in = &run->in;
	uint64_t delta;

	switch (op) {
	case DW_CFA_set_loc:
		*ret = cfi_pointer(run->section, in, run->cie->fde_encoding, run->cie->address_size);
		return 1;
	case DW_CFA_advance_loc1:
		delta = bytes_uint(in, 1);
		break;
	case DW_CFA_advance_loc2:
		delta = bytes_uint(in, 2);
		break;
	case DW_CFA_advance_loc4:
		delta = bytes_uint(in, 4);
		break;
	case DW_CFA_MIPS_advance_loc8:
		delta = bytes_uint(in, 8);
		break;
	default:
		if ((op & 0xc0) != DW_CFA_advance_loc)
			return 0;
		delta = op & 0x3f;
	}
	*ret = run->pc + delta * run->cie->code_align;
	return 1;
}

/* One instruction. 1: it moved to *ret_pc. */
static int step(struct cfi_run *run, uint64_t *ret_pc)
{
	uint8_t op = bytes_u8(&run->in);
	int r = advance(run, op, ret_pc);

	if (r)
		return run->initial ? -EBADMSG : r;
	if ((op & 0xc0) == DW_CFA_offset) {
		set_offset(run, op & 0x3f, CFI_OFFSET, bytes_uleb(&run->in));
		return 0;
	}
	return (op & 0xc0) == DW_CFA_restore ? restore(run, op & 0x3f) : execute(run, op);
}

void cfi_run_begin(struct cfi_run *run, const struct cfi_section *s, const struct cfi_cie *cie, const struct cfi_fde *fde)
{
	run->section = s;
	run->cie = cie;
	run->in = fde->instructions;
	run->pc = fde->start;
	run->end = fde->end;
	run->now = cie->initial;
	run->depth = 0;
	run->initial = false;
}

static bool give_row(struct cfi_run *run, uint64_t end, struct cfi_row *ret)
{
	*ret = (struct cfi_row){ .start = run->pc, .end = end, .state = &run->now };
	run->pc = end;
	return ret->start < ret->end;
}

int cfi_run_next(struct cfi_run *run, struct cfi_row *ret)
{
	uint64_t pc;
	int r;

	while (run->pc < run->end && bytes_left(&run->in)) {
		r = step(run, &pc);
		if (r < 0 || run->in.bad)
			return r < 0 ? r : -EBADMSG;
		if (!r)
			continue;
		if (pc < run->pc)
			return -EBADMSG;
		if (give_row(run, pc < run->end ? pc : run->end, ret))
			return 1;
	}
	return run->pc < run->end && give_row(run, run->end, ret);
}

int cfi_run_initial(const struct cfi_section *s, struct cfi_cie *cie, struct bytes instructions)
{
	struct cfi_run run = { .section = s, .cie = cie, .in = instructions, .initial = true };
	uint64_t pc;

	run.now.ra = unchanged(&run, cie->ra);
	while (bytes_left(&run.in)) {
		int r = step(&run, &pc);

		if (r < 0 || run.in.bad)
			return r < 0 ? r : -EBADMSG;
	}
	cie->initial = run.now;
	return 0;
}
