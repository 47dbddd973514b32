/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * arena - memory for one flush window: many small allocations, one release.
 *
 * Memory comes in 64 KiB chunks (more for a larger request); nothing is returned before
 * arena_reset (keeps the first chunk) or arena_fini. Allocations are 8-aligned and not zeroed.
 */
#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;
	size_t used_bytes; /* handed out since the last reset */
};

/* NULL when out of memory. */
void *arena_alloc(struct arena *a, size_t len);
void *arena_dup(struct arena *a, const void *data, size_t len);
void arena_reset(struct arena *a);
void arena_fini(struct arena *a);
