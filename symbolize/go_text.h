/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * go_text - where a Go binary's code starts: what the entries of its pclntab count from, since Go 1.18.
 *
 * The header's own field is relocated in a PIE and gone since Go 1.26; .text may begin with C's code. The
 * runtime's moduledata has the answer, as it must for the program itself: its first word points to the
 * pclntab, and of what follows minpc is the first function's address. gofunc, further on, is what funcdata
 * counts from.
 * In a PIE such words are addends of relocations, and zero in the file.
 */
struct elf_image;
struct go_pclntab;

/* 0: t->text and t->gofunc are set. -EBADMSG: no moduledata agrees with the table. */
int go_text_find(const struct elf_image *img, struct go_pclntab *t);
