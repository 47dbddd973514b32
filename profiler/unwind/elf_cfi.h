/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * elf_cfi - where an ELF image keeps its CFI, and the unwind table made of it.
 *
 * In this order: the section .eh_frame; what PT_GNU_EH_FRAME points to (no section headers); the first
 * CIE in a loaded segment (neither: static and stripped to the bone). And .debug_frame, which
 * hand-written code carries instead; and what of the two lies in the MiniDebugInfo. A Go binary's own
 * functions are in its pclntab.
 * Memory: sections are borrowed from the image or from what an elf_cfi owns; a table stands alone.
 */
#include "symbolize/elf_image.h"
#include "symbolize/minidebug.h"
#include "unwind/cfi.h"
#include "unwind/fdes.h"
#include "unwind/rows.h"

enum {
	ELF_CFI_EH_FRAME = 1,
	ELF_CFI_DEBUG_FRAME = 2,
	ELF_CFI_MINIDEBUG = 4,
	ELF_CFI_PCLNTAB = 8,
	ELF_CFI_CODE = 16, /* what the instructions of functions without CFI say */
	ELF_CFI_ALL = 31
};

struct elf_cfi {
	enum arch arch;
	struct cfi_section sections[FDES_SECTIONS]; /* the better one first */
	uint32_t n;
	bool minidebug_lost; /* there is one, but it cannot be read */
	uint64_t start, end; /* of the executable segments */
	struct minidebug *minidebug;
};

/*
 * 0: to be let go by elf_cfi_fini(). -ENOTSUP: another machine's; -ENODATA: no code, or no CFI of the
 * kinds asked for (of which ELF_CFI_CODE is none); -ENOMEM.
 */
int elf_cfi_find(const struct elf_image *img, unsigned int which, struct elf_cfi *ret);
void elf_cfi_fini(struct elf_cfi *c);

/* Everything an image says: elf_cfi_find(), the pclntab and marks_find(), through rows_build(); with the errors of all. */
int elf_cfi_rows(const struct elf_image *img, unsigned int which, struct rows **ret);
