/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * elf_symbols - the functions of .symtab and .dynsym, and of the .symtab inside .gnu_debugdata.
 *
 * Taken: FUNC and IFUNC, and untyped symbols of executable sections (hand-written assembly) where
 * nothing typed covers the place. MiniDebugInfo (minidebug.h) is asked only when the file has no .symtab
 * of its own: it holds what .dynsym does not.
 */
struct elf_image;
struct symtab;

/* Adds what these tables hold. 0 (also when there are none, or damaged ones), -ENOMEM. Addresses are the file's. */
int elf_symbols_add(const struct elf_image *img, struct symtab *t);
