/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * addr2line_input - what is asked of addr2line: "4011d6", "0x4011d6", "main+0x16", in the file or in a section.
 *
 * As binutils reads it: digits up to the first other character; a word with a + or one that begins like no
 * hexadecimal number is a symbol of the file, when there is one; else it is 0. In an object file what is asked for are
 * offsets in the first section with code that is as large, unless one is named.
 */
#include <stdbool.h>
#include <stdint.h>

#include "symbolize/symtab.h"

struct elf_image;

struct addr2line_section {
	uint64_t address, size;
	bool code;
};

struct addr2line_input {
	struct elf_image *elf;
	struct symtab symbols; /* unsorted: aliases too; read when the first symbol is asked for */
	bool symbols_read, is_64;
	vec(struct addr2line_section) sections; /* loaded ones: what lies in none is nobody's */
	bool has_base; /* what is asked for are offsets in base */
	struct addr2line_section base;
};

/* fd must stay open. 0, -ENXIO (no such section), -EBADMSG (no ELF file) or -ENOMEM. section: NULL: none. */
int addr2line_input_open(int fd, const char *section, struct addr2line_input *ret);
uint64_t addr2line_input_value(struct addr2line_input *in, const char *word);
/* The address in the file. 0, -ENOENT: in no section, or beyond the one asked for. */
int addr2line_input_address(const struct addr2line_input *in, uint64_t value, uint64_t *ret);
void addr2line_input_fini(struct addr2line_input *in);
