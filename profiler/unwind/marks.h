/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * marks - places whose rows CFI does not give, known by the ELF header or by their code.
 *
 *	the entry point of a program    STOP    musl and valgrind do not mark it as the root
 *	that of a dynamic linker        STOP    glibc's has no CFI there
 *	a signal's trampoline           SIGNAL  musl and Go have no CFI for theirs
 *	before glibc's __start_context  STOP    a coroutine of makecontext() returns there: libgcc ends where
 *	                                        there is no CFI, and padding is none
 *	.plt and .plt.sec of lld's programs     SP, PLT; where no FDE covers them: binutils' linker writes those
 *	where musl's clone() begins a thread; where its libc calls main() and a thread's function   STOP
 *
 * The last two end a walk some frames before the root, in code without CFI through which none leads.
 * A trampoline cannot be mistaken: whoever executes these bytes asks the kernel to take the ucontext at
 * sp. So may the others only where they say what no other code could mean; a place that calls main() has
 * to call exit() with what that returned, and is left to an FDE where one covers it.
 *
 * Code is searched only of images that load nothing else and have no CFI with 'S': static programs and
 * dynamic linkers (musl's is its libc), a vDSO; and of glibc's libc. Within bounds, in windows: no image is held in
 * memory. Of all others two entries of .plt are read.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bpf/rows.h"
#include "symbolize/elf_image.h"

#define MARKS_MAX 8
#define MARKS_CODE_MAX (64ull << 20) /* searched, of an image */

struct mark {
	uint64_t start, end;
	struct unwind_rule rule;
	bool function; /* up to the end of the FDE that begins at start, where there is one */
	bool weak;     /* only where no FDE covers start */
};

struct marks {
	struct mark v[MARKS_MAX]; /* by start, none into another */
	uint32_t n;
};

struct elf_cfi;

/* 0 or -ENOMEM. What cannot be read has no marks. */
int marks_find(const struct elf_image *img, const struct elf_cfi *c, struct marks *ret);
