/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * arch - what differs between the machines whose code we unwind; all else is one reader and one row format.
 *
 * arm64 returns to a register, the link register, which a function saves anywhere in its frame, beside
 * the frame pointer as a rule. The return address may be signed there (PAC): instructions that say so are
 * read over, since whoever unwinds clears the bits above the address space of every address.
 * Sources: the psABI's DWARF register numbers of both; arch/x86/include/uapi/asm/sigcontext.h,
 * arch/arm64/include/uapi/asm/sigcontext.h and kernel/signal.c for the frame.
 */
#include <stdint.h>

enum arch { ARCH_X86_64, ARCH_ARM64, ARCH_N };

#define ARCH_NO_REGISTER 0xffff

struct arch_facts {
	uint16_t elf_machine;
	uint16_t fp, sp;                /* DWARF's numbers */
	uint16_t lr;                    /* the link register, or ARCH_NO_REGISTER */
	int16_t signal_sp;              /* from sp in a signal's trampoline to the sp in the ucontext there */
	int16_t signal_fp, signal_pc;   /* from that place on */
	int16_t fp_unit;                /* of a rule's fp, in bytes: arm64 keeps it at the far end of large frames */
	char names[32][4];              /* by DWARF's number; empty: not a general register */
};

const struct arch_facts *arch_facts(enum arch arch);
/* Of an ELF header's e_machine: enum arch, or -ENOTSUP. */
int arch_of_elf(uint16_t elf_machine);
