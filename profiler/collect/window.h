/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * window - what was sampled in one flush period: rows of (stack, labels) -> samples.
 *
 *	frame  = (image, offset)      a pc that no longer depends on the process
 *	stack  = frames, leaf first   interned
 *	labels = who ran it           interned
 *	row    = (stack, labels) -> number of samples, and the CPU time they stand for
 *
 * Once sealed it can be named on another thread: it carries a copy of every image it refers to, and
 * holds a reference that keeps the copy's descriptors and path valid. Filling, sealing and freeing
 * stay with the thread that owns the images.
 * Memory: everything is bounded by max_bytes; a sample that would exceed it is refused (-ENOSPC) and
 * counted by the caller. One owner at a time.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/strpool.h"
#include "base/vec.h"
#include "proc/image.h"

struct window_frame {
	uint64_t offset;
	uint32_t image; /* IMAGE_ID_NONE: an address in no image; offset is the address then */
	uint32_t reserved;
};

struct window_stack {
	uint32_t first, n; /* in stack_frames */
};

struct window_labels {
	uint32_t pid, tid;        /* 0 when not asked for */
	uint32_t cgroup;          /* in strings; 0: none */
	uint32_t target;          /* its labels (proc/target.h), in strings; 0: none */
	uint32_t route;           /* of the request in flight, in strings; 0: none, or none known yet */
	uint32_t method;          /* of it, in strings; 0: no request is in flight */
	uint64_t span_id;         /* of it, where it becomes a span however it ends; 0: none */
	uint64_t trace_id[2];     /* of that, as bytes in the order of traceparent */
	uint32_t cut;             /* enum ev_cut: why the stack ends early; 0: it is whole */
	char comm[16];
};

struct window_image {
	uint32_t id;
	struct image image; /* a copy, made by window_seal() */
};

struct window_row {
	uint32_t stack, labels;
	uint64_t samples, cpu_ns;
};

struct window {
	struct images *images; /* borrowed */
	size_t max_bytes;
	uint64_t start_utc_ns, start_boot_ns, end_boot_ns;
	uint64_t period_ns; /* of the timer when the window began */
	uint64_t longest_period_ns; /* it had since */
	const char *limited_by;     /* the option that held the rate down in it, NULL: none; static */
	uint64_t samples;   /* sum of all rows */
	uint64_t lost;      /* samples that should be here and are not */

	vec(struct window_frame) frames;
	vec(uint32_t) stack_frames;
	vec(struct window_stack) stacks;
	vec(struct window_labels) labels;
	vec(struct window_row) rows;
	struct strpool strings;
	vec(struct window_image) images_held;
	struct htable frame_index, stack_index, labels_index, row_index, image_index;
};

int window_new(struct images *images, size_t max_bytes, struct window **ret);
struct window *window_free(struct window *w);

/* Adds that many samples of so long a period to the row of these frames and labels. The row, -ENOSPC (bound) or -ENOMEM. */
int window_add(struct window *w, const struct window_frame *frames, uint32_t n_frames,
	       const struct window_labels *labels, uint32_t samples, uint64_t period_ns);

/* So much of a row is of this route, and not of none. 0; or as above: it stays where it is. */
int window_move(struct window *w, uint32_t row, uint64_t samples, uint64_t cpu_ns, const char *route);

/* Nothing is added from here on. */
void window_seal(struct window *w);

size_t window_bytes(const struct window *w);
