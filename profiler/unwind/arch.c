/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/arch.h"

#include <elf.h>
#include <errno.h>

static const struct arch_facts facts[ARCH_N] = {
	[ARCH_X86_64] = {
		.elf_machine = EM_X86_64, .fp = 6, .sp = 7, .lr = ARCH_NO_REGISTER,
		/* ucontext at sp: 40 bytes before the registers, rsp is the 16th of them, rbp the 11th, rip the 17th */
		.signal_sp = 160, .signal_fp = -40, .signal_pc = 8, .fp_unit = 1,
		.names = { "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
			   "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" },
	},
	[ARCH_ARM64] = {
		.elf_machine = EM_AARCH64, .fp = 29, .sp = 31, .lr = 30,
		/* siginfo (128) and ucontext at sp: x0 lies at 312, sp behind x30, pc behind sp */
		.signal_sp = 560, .signal_fp = -16, .signal_pc = 8, .fp_unit = 8,
		.names = { "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
			   "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "x30", "sp" },
	},
};

const struct arch_facts *arch_facts(enum arch arch)
{
	return &facts[arch];
}

int arch_of_elf(uint16_t elf_machine)
{
	for (int i = 0; i < ARCH_N; i++)
		if (facts[i].elf_machine == elf_machine)
			return i;
	return -ENOTSUP;
}
