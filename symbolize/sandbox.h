/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * sandbox - what a process that reads hostile files gives up before it begins.
 *
 * Afterwards it can read and write the descriptors it has, and use memory within bounds: no new file, no socket,
 * no process, no code made at run time. Any other system call kills it. One way.
 *
 *	limits        memory, CPU time, size of files, descriptors; no core file
 *	nice 19       or less, where somebody waits for it: on a saturated host 19 gets a sixtieth of a CPU; and the first to go when
 *	              memory is short
 *	identity      nobody when it was root; no capabilities, no new ones
 *	seccomp       the list in sandbox_filter.c
 *
 * Memory is bounded by RLIMIT_DATA, what is private and can be written. RLIMIT_AS is a loose second bound, because
 * files are mapped: a debug file of 2 GiB takes as much address space, and no memory that the kernel cannot take back.
 * Under ASan or MSan, which need both, neither these two limits nor the filter are set.
 */
#include <stdint.h>

struct sandbox_limits {
	uint64_t data_bytes;    /* 0: 256 MiB; libjvm, with 1.6 M ranges, takes 120 */
	uint64_t address_bytes; /* 0: 16 GiB */
	uint64_t file_bytes;    /* 0: 8 GiB; of a file it writes */
	uint32_t cpu_s;         /* 0: 120 */
	uint32_t descriptors;   /* 0: 16448: a build with split DWARF has thousands of .dwo files */
	uint32_t nice;          /* 0: 19 */
};

/*
 * Call it with one thread. 0, or the negative errno of the part that could not be given up: the caller must then
 * not read what it was started for.
 */
int sandbox_enter(const struct sandbox_limits *limits);

/* The last part alone. 0; -ENOSYS, -EINVAL: this kernel has no filters. */
int sandbox_filter(void);

/* Whether this is a build whose sanitizer could not live in it. */
int sandbox_is_partial(void);
