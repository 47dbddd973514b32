/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * step_target - a stopped process as the walker sees it: its images' rows in slabs, its memory, its names.
 *
 * The walk is the program's own (bpf/walk.h), over tables loaded as the agent loads them; only the memory is
 * read by process_vm_readv(). Made once all the code is mapped; what is mapped later is unknown.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "bpf/events.h"

struct target;

/* 0 or negative errno. */
int target_new(pid_t pid, struct target **ret);
struct target *target_free(struct target *t);

/* pid: the process itself, or one that shares its code. 0, or -1 when it cannot be read. */
int target_read(pid_t pid, void *to, size_t len, uint64_t from);

struct walked {
	uint32_t n, status; /* enum ev_cut */
	uint64_t pc[EV_USER_FRAMES];
};
void target_walk(struct target *t, pid_t pid, const struct user_regs_struct *regs,
		 struct walked *ret);

/* What an instruction does to the stack of return addresses. */
enum step_code { STEP_OTHER, STEP_CALL, STEP_RETURN, STEP_JUMP, STEP_SYSCALL };
enum step_code target_code(const struct target *t, uint64_t pc);

/* "function+0x12", and without one "file+0x1234"; good until the next call. */
const char *target_name(struct target *t, uint64_t pc);
/* As readelf writes it: "rsp+16 c-16 c-8". */
const char *target_rule(struct target *t, uint64_t pc);
/* An object of the program itself; false when it has none of that name. */
bool target_object(const struct target *t, const char *name, uint64_t *ret_at, uint64_t *ret_size);
