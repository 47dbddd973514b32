/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * name - a window becomes a profile: every frame gets its names, every row its labels and values.
 *
 * Each distinct frame is asked for once, each image loaded once. A frame without a name keeps its
 * address and image, so that a server or a later run can still name it.
 */
#include <stdint.h>

struct cgroups;
struct profile;
struct symbolizer;
struct window;

struct name_stats {
	uint64_t frames, frames_named;   /* frame occurrences, weighted by samples */
	uint64_t distinct, distinct_named;
	uint64_t images, images_failed;  /* loaded; of these without a symbol table or gone */
};

/* period_ns: what one sample stands for. 0 or -ENOMEM. The caller owns *ret. */
int name_window(const struct window *w, struct symbolizer *symbols, const struct cgroups *cgroups,
		uint64_t period_ns, struct profile **ret, struct name_stats *ret_stats);
