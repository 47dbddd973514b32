/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * spans - ranges of addresses that overlap become ranges that do not.
 *
 * spans_sort() orders them by start, keeping the order of adding among equals; spans_sweep() goes over them
 * once and says of every piece which span owns it: of those that cover it the one that wins.
 * O(n log n) whatever lies over what. Memory: a second array while sorting; 4 bytes for every span open at once.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

struct span {
	uint64_t start;
	uint32_t len; /* > 0 */
	uint32_t id;
};

struct spans {
	struct span *v;
	uint32_t n, cap;
};

/* [start, end): empty ones are passed over, what lies beyond 4 GiB of its start is cut. 0 or -ENOMEM. */
int spans_add(struct spans *s, uint64_t start, uint64_t end, uint32_t id);
/* 0 or -ENOMEM: nothing has moved. */
int spans_sort(struct spans *s);

struct spans_sweep {
	/* a and b are elements of the array: of two with the same address the later stands higher in it. */
	bool (*wins)(const void *ctx, const struct span *a, const struct span *b);
	/* Pieces come in order of address; neighbours may have the same owner. Not 0: ends the sweep. */
	int (*piece)(void *ctx, uint64_t start, uint64_t end, const struct span *owner);
	void *ctx;
};

/* Sorted spans. 0, -ENOMEM, or what piece() answered. */
int spans_sweep(const struct spans *s, const struct spans_sweep *how);
static inline void spans_fini(struct spans *s)
{
	vec_fini(s);
}
