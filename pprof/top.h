/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * top - every function of a profile with its share of the default value.
 *
 * A function is (name, image); by line, each line of it has a row of its own. Self counts samples whose leaf it is (the innermost inlined one),
 * total counts each sample once however often the function stands in its stack.
 * Memory: owns all of it; the rows' strings are borrowed from it.
 */
#include <stdint.h>

#include "base/strpool.h"
#include "base/vec.h"
#include "pprof/profile.h"

enum top_inlined { TOP_NOT_INLINED, TOP_PARTLY_INLINED, TOP_INLINED };

struct top_row {
	const char *name, *image;
	const char *file; /* "": unknown */
	int64_t line;     /* where the function begins; by line: the line; 0: unknown */
	enum top_inlined inlined;
	int64_t self, total;
	double self_percent, total_percent; /* of the whole profile */
};

struct top {
	struct strpool strings;
	vec(struct top_row) rows;
	int64_t whole; /* what is 100 %: all samples' values, negative ones by their size */
};

enum top_order { TOP_BY_SELF, TOP_BY_TOTAL };

/* Rows by self. 0 or -ENOMEM; the caller owns *ret on success. */
int top_build(const struct profile *p, enum profile_unit unit, struct top *ret);
/* The largest first, by size; then by the other value, then by name. */
void top_sort(struct top *t, enum top_order order);
void top_fini(struct top *t);

/* 0 when the whole is 0. */
double top_percent(int64_t part, int64_t whole);
