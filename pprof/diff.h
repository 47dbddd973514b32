/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * diff - which functions took a larger or smaller share than in another profile.
 *
 * Each side's shares are of its own whole, so two runs compare whatever their length and load. The
 * change is in points of a hundred: 30 % of one and 20 % of the other are 10 points apart.
 * Memory: the two tops own the strings.
 */
#include <stdint.h>

#include "base/vec.h"
#include "pprof/top.h"

struct diff_side {
	int64_t self, total;
	double self_percent, total_percent;
};

struct diff_row {
	const char *name, *image, *file;
	int64_t line;
	enum top_inlined inlined; /* in either */
	struct diff_side base, now;
	double self_points, total_points; /* now less base */
};

struct diff {
	struct top base, now;
	vec(struct diff_row) rows;
};

enum diff_order { DIFF_BY_EITHER, DIFF_BY_SELF, DIFF_BY_TOTAL };

/* Rows by whichever of self and total changed more. 0 or -ENOMEM; the caller owns *ret on success. */
int diff_build(const struct profile *base, const struct profile *now, enum profile_unit unit, struct diff *ret);
void diff_sort(struct diff *d, enum diff_order order);
void diff_fini(struct diff *d);
