/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * go_lines - a Go binary's functions, files and lines at an address, with all inlined calls, from its pclntab:
 * stripped or not.
 *
 * Story: the functab gives the function; its file and line tables those of the innermost inlined call; the
 * call's place in its caller the next ones, and so on outwards (go_inlines.h). Nothing is read ahead: a
 * lookup costs a search of the functab and the tables of one function, a few microseconds.
 * Names are the linker's: type arguments in full, wrappers and all. Files are as the compiler wrote them.
 * Memory: 1 MiB at most, blocks of the file read last (elf_peek.h), until go_lines_forget(). The image is
 * borrowed.
 * Hostile tables: depth, steps and strings are bounded; what is damaged costs the lines it would give.
 */
#include <stddef.h>
#include <stdint.h>

struct elf_image;
struct go_lines;
struct strpool;

#define GO_DEPTH_MAX 256
#define GO_STRING_MAX 4096 /* longer names and paths are cut */

struct go_line {
	const char *name; /* in the pool */
	const char *file; /* in the pool; NULL: unknown */
	uint32_t line, start_line; /* 0: unknown */
};

/* 0; -ENODATA: no Go binary; -EBADMSG: its pclntab is damaged; -ENOMEM. */
int go_lines_new(const struct elf_image *img, struct go_lines **ret);
struct go_lines *go_lines_free(struct go_lines *g);

/*
 * Number of frames written (>= 1), the innermost call first, the function that the code belongs to last. When
 * there is no room, calls before the last are left out. -ENOENT: no function of the table, or its record is
 * damaged; -ENOMEM: of the pool.
 */
int go_lines_find(struct go_lines *g, uint64_t vaddr, struct strpool *names, struct go_line *ret, size_t max);

/* The code that the table covers: what else names it can be passed over. 0 or -EBADMSG. */
int go_lines_range(struct go_lines *g, uint64_t *ret_start, uint64_t *ret_end);

/* Lets go of the blocks: another binary has its turn. */
void go_lines_forget(struct go_lines *g);
/* Between two rounds: the same, and lookups may again cost GO_STEPS_MAX steps, and bytes of strings, in all. */
void go_lines_rest(struct go_lines *g);
