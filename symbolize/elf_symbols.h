/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * elf_symbols - the functions of .symtab and .dynsym.
 *
 * Taken: FUNC and IFUNC, and untyped symbols of executable sections (hand-written assembly) where
 * nothing typed covers the place. Not yet: MiniDebugInfo (.gnu_debugdata) and Go's pclntab.
 */
struct elf_image;
struct symtab;

/* Adds what both tables hold. 0 (also when there are none), -ENOMEM. Addresses are the file's. */
int elf_symbols_add(const struct elf_image *img, struct symtab *t);
