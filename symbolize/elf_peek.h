/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * elf_peek - a few bytes anywhere in an image's file, for tables too large to be held.
 *
 * A Go binary's pclntab is as large as its code. Blocks of 16 KiB go through a cache of 4 MiB, or less: what
 * is read in order of address is read once. pread, not mmap: see elf_image.h.
 * Memory: a peek owns its blocks and borrows the image, which must live as long.
 */
#include "symbolize/elf_image.h"
#include "symbolize/bytes.h"

#define PEEK_MAX 128

struct elf_peek;

/* 0 or -ENOMEM. */
int elf_peek_new(const struct elf_image *img, struct elf_peek **ret);
struct elf_peek *elf_peek_free(struct elf_peek *p);
static inline void elf_peek_freep(struct elf_peek **p)
{
	elf_peek_free(*p);
}

/* Lets go of the blocks; they are read again when asked for. */
void elf_peek_forget(struct elf_peek *p);
/* The same, and from now on holds at most so many blocks. */
void elf_peek_limit(struct elf_peek *p, uint32_t blocks);

/* Up to len bytes (at most PEEK_MAX) from a place in the file, valid until the next call; fewer at its end. */
struct bytes elf_peek(struct elf_peek *p, uint64_t offset, size_t len);
/* The same from an address of the image; nothing where no segment has it in the file. */
struct bytes elf_peek_address(struct elf_peek *p, uint64_t vaddr, size_t len);
