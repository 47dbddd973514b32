/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * window - what was sampled in one flush period: rows of (stack, labels) -> samples.
 *
 *	frame  = (image, offset)      a pc that no longer depends on the process
 *	stack  = frames, leaf first   interned
 *	labels = who ran it           interned
 *	row    = (stack, labels) -> number of periods
 *
 * No pointers out of itself: images are named by id, and the window holds a reference to each.
 * Memory: everything is bounded by max_bytes; a sample that would exceed it is refused (-ENOSPC) and
 * counted by the caller. One owner at a time.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/vec.h"

struct images;

struct window_frame {
	uint64_t offset;
	uint32_t image; /* IMAGE_ID_NONE: an address in no image; offset is the address then */
	uint32_t reserved;
};

struct window_stack {
	uint32_t first, n; /* in stack_frames */
};

struct window_labels {
	uint64_t cgroup_id;
	uint32_t pid, tid; /* 0 when not asked for */
	char comm[16];
};

struct window_row {
	uint32_t stack, labels;
	uint64_t samples;
};

struct window {
	struct images *images; /* borrowed */
	size_t max_bytes;
	uint64_t start_utc_ns, start_boot_ns, end_boot_ns;
	uint64_t samples; /* sum of all rows */

	vec(struct window_frame) frames;
	vec(uint32_t) stack_frames;
	vec(struct window_stack) stacks;
	vec(struct window_labels) labels;
	vec(struct window_row) rows;
	vec(uint32_t) images_held;
	struct htable frame_index, stack_index, labels_index, row_index, image_index;
};

int window_new(struct images *images, size_t max_bytes, struct window **ret);
struct window *window_free(struct window *w);

/* Adds `weight` periods to the row of these frames and labels. 0, -ENOSPC (bound) or -ENOMEM. */
int window_add(struct window *w, const struct window_frame *frames, uint32_t n_frames,
	       const struct window_labels *labels, uint32_t weight);

size_t window_bytes(const struct window *w);
