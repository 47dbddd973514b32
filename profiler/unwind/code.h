/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * code - an image's functions without CFI, known by their symbols, and their rows (code_rows.h).
 *
 * Musl as most build it has none at all, nor has assembly whose author left it out. Asked for stretches of code that no
 * FDE covers; symbols are read at the first that is long enough to matter. What a compiler links in front of every
 * program (crtbegin) is one, so nearly every image pays for that. A function's part that compilers move away (NAME.cold) is entered in the middle of a frame, by jumps
 * of another function: it has no rows.
 * Memory: the symbols of the image while its table is built, and a function's code with 20 bytes of state for each of
 * its bytes; no more than CODE_BYTES_MAX of code are followed.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bpf/rows.h"
#include "symbolize/elf_image.h"

#define CODE_GAP_MIN 64              /* .init, .fini and padding are shorter */
#define CODE_BYTES_MAX (16ull << 20) /* of an image */

struct code;

struct code_row {
	uint64_t start, end;
	struct unwind_rule rule; /* INVALID: none reaches it, or not understood */
	bool lost;               /* the function was not understood */
};

/* img is borrowed. 0 or -ENOMEM; *ret is NULL for a machine whose code we do not read. */
int code_open(const struct elf_image *img, struct code **ret);
struct code *code_free(struct code *c);
static inline void code_freep(struct code **c)
{
	code_free(*c);
}

/* The rows of a stretch; those of an earlier one end. 0 or -ENOMEM. */
int code_begin(struct code *c, uint64_t start, uint64_t end);
/* 1: the next row, in order of address; between rows there is no rule. 0: done. */
int code_next(struct code *c, struct code_row *ret);
