/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * relocate - puts into a debug section of an object file what a linker would: addresses of code, where elf_image
 * lays it out, and offsets in other debug sections.
 *
 * x86-64 and arm64, which keep their addends in the table (RELA). Of these the whole references (64 and 32 bit);
 * references to thread-local variables stay as they are: no code lies there.
 * Sources: System V ABI, AMD64 supplement, "Relocation Types"; ELF for the Arm 64-bit Architecture.
 */
#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>

#include "symbolize/bytes.h"

struct elf_image;

struct relocations {
	const struct elf_image *img;
	uint16_t machine;
	struct bytes rela, symbols; /* Elf64_Rela, Elf64_Sym */
};

/* Into the len bytes of a section. How many were left undone: unknown ones, and what they name or change is not there. */
uint64_t relocate(const struct relocations *r, uint8_t *section, uint64_t len);

/* A section's table, and that of the symbols it names. False: there is none. */
bool relocations_find(const struct elf_image *img, size_t section, GElf_Shdr *ret_rela, GElf_Shdr *ret_symbols);
