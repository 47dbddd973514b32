/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * kernel - the few kernel types our programs look into, by hand instead of a dump of the build
 * host's BTF. Fields are found by name at load time (CO-RE): only those we read are listed, and
 * their order here means nothing.
 */
#include <linux/types.h>

#define __core __attribute__((preserve_access_index))

struct mm_struct {
	unsigned long exec_vm;
	unsigned long arg_start, arg_end, env_start, env_end;
} __core;

struct cred {
	struct {
		unsigned int val;
	} euid;
} __core;

struct task_struct {
	unsigned int flags;
	struct mm_struct *mm;
	const struct cred *cred;
	struct task_struct *group_leader;
	unsigned long long start_boottime, self_exec_id;
	void *stack;
	int pid;
	int tgid;
} __core;

#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD   0x00200000

#if defined(__TARGET_ARCH_x86)
/* Bottom of the kernel stack, where entry code saved the user registers; for kernels without
 * bpf_task_pt_regs (before 5.15). CONFIG_KASAN doubles it: such kernels are not for production. */
#define KERNEL_STACK_SIZE (16 * 1024)
#endif
