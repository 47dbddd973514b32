/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * builder - a thread that makes images' unwind tables, one at a time, while its owner goes on.
 *
 * Story: the walk of a sample needs an image nobody has looked at; the owner asks, keeps draining its
 * rings, and is woken when the table is there. Samples ask in the order they come, so what is hot is
 * built first and what nobody runs is never built.
 * Threads: the functions belong to the owner's. The image's file is read through a descriptor of its own.
 */
#include <stdbool.h>
#include <stdint.h>

#include "unwind/rows.h"

struct builder;
struct image;

int builder_new(struct builder **ret);
struct builder *builder_free(struct builder *b);

/* Readable when a table is done. */
int builder_fd(const struct builder *b);

/* Begins with this image; what it needs of it is copied. 0; -EBUSY: at work; or negative errno. */
int builder_start(struct builder *b, uint32_t id, const struct image *image);

struct built {
	uint32_t id;
	int result;        /* 0, or elf_cfi_rows()'s error */
	struct rows *rows; /* the caller's from here on; NULL unless result is 0 */
	uint32_t n_segments;
	struct built_segment {
		uint64_t offset, vaddr;
	} segments[4]; /* executable ones, in order of offset */
};

/* False: nothing is done. */
bool builder_take(struct builder *b, struct built *ret);
