/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * elf_cfi - where an ELF image keeps its CFI, and the unwind table made of it.
 *
 * In this order: the section .eh_frame; what PT_GNU_EH_FRAME points to (no section headers); the first
 * CIE in a loaded segment (neither: static and stripped to the bone). And .debug_frame, which hand-written
 * code carries instead. A Go binary's own functions are in its pclntab. Only 64-bit x86 so far.
 * Memory: sections are borrowed from the image; a table stands alone.
 */
#include "symbolize/elf_image.h"
#include "unwind/cfi.h"
#include "unwind/rows.h"

enum { ELF_CFI_EH_FRAME = 1, ELF_CFI_DEBUG_FRAME = 2, ELF_CFI_PCLNTAB = 8, ELF_CFI_ALL = 11 };

struct elf_cfi {
	struct cfi_section sections[2];
	uint32_t n;
	uint64_t start, end; /* of the executable segments */
};

/* 0; -ENOTSUP: another machine's; -ENODATA: no code, or no CFI of the kinds asked for. */
int elf_cfi_find(const struct elf_image *img, unsigned int which, struct elf_cfi *ret);

/* Everything an image says, elf_cfi_find() and the pclntab, through rows_build(); with the errors of both. */
int elf_cfi_rows(const struct elf_image *img, unsigned int which, struct rows **ret);
