/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * trace_proc - what user space decided of a process, found by its id alone.
 *
 * Every transfer on the host asks for it, most of them to hear that the process is not wanted: a look-up in the hash `procs` would be
 * most of what those cost. So it is in an array too, in the place of the id's last bits, as a word that is read and written at once:
 *
 *	bits 0-21   the process; 0: nobody was ever here
 *	     22-31  TRACE_PROC_* and the two below
 *	     32-63  its service
 *
 * Of several processes with one place the last has it; CROWDED says, for good, that the others are in the hash.
 */
#include "bpf/trace.h"

enum { TRACE_PROC_PLACES = 16384 };

#define TRACE_PROC_KNOWN   (1u << 8)
#define TRACE_PROC_CROWDED (1u << 9)

#define PROC_TGID_BITS 22 /* PID_MAX_LIMIT */

static inline __u64 proc_word(__u32 tgid, const struct trace_proc *p)
{
	return tgid | (__u64)(p->flags | TRACE_PROC_KNOWN) << PROC_TGID_BITS | (__u64)p->service << 32;
}

static inline __u32 proc_tgid(__u64 word)
{
	return word & ((1u << PROC_TGID_BITS) - 1);
}

static inline __u32 proc_flags(__u64 word)
{
	return (__u32)word >> PROC_TGID_BITS;
}

static inline __u32 proc_service(__u64 word)
{
	return word >> 32;
}
