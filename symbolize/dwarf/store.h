/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * store - the memory that debug sections lie in: pages of their files, and room for what is inflated or relocated.
 *
 * Memory: owns all of it until dwarf_store_fini(). Room is made in the scratch file, so that the kernel can take its pages.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

struct dwarf_mapping {
	void *at;
	size_t len;
	bool heap; /* malloc()ed */
	bool file; /* pages that can be let go: they come back from the file */
};

struct dwarf_store {
	int scratch;           /* -1: none */
	bool exact;            /* as in struct dwarf_files */
	uint64_t scratch_len;  /* used */
	uint64_t inflated, inflated_max;
	uint64_t unrelocated; /* relocations of object files that were left undone */
	vec(struct dwarf_mapping) mappings;
};

struct dwarf_section {
	const uint8_t *data;
	uint64_t len;
};

/* Bytes of a file; pages are shared with the page cache, and let go under pressure. 0, -ENOMEM, another errno of mmap(). */
int dwarf_store_map(struct dwarf_store *st, int fd, uint64_t offset, uint64_t len, struct dwarf_section *ret);
/* Room for len bytes. 0; -EFBIG: more than inflated_max in all; -ENOMEM, or an errno of the scratch file. */
int dwarf_store_bytes(struct dwarf_store *st, uint64_t len, uint8_t **ret);
/* Of the mappings: one, and those made since there were n. */
void dwarf_store_let_go(struct dwarf_store *st, uint32_t i);
void dwarf_store_forget(struct dwarf_store *st, uint32_t n);
/* Bytes of a section that will not be read again soon: their pages leave our memory. */
void dwarf_store_drop_pages(const struct dwarf_store *st, const uint8_t *from, const uint8_t *to);
/* Of a section that is read from its start on, when the reader, at this offset, has left 32 MiB behind: true then. *io: how far they are dropped. */
bool dwarf_store_drop_behind(const struct dwarf_store *st, const uint8_t *section, uint64_t at, uint64_t *io);
void dwarf_store_fini(struct dwarf_store *st);
