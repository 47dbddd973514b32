/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * amount - a profile's values as people read them: 1.01 "CPU s", 12.50 "alloc_space MiB", 503 "samples".
 */
#include <stdint.h>

struct buf;
struct profile;

struct amount {
	char head[48]; /* of the column */
	double unit;   /* how many of the file's make one of ours; 0: shown as they are */
	int width;     /* of the column: the head and the largest value fit */
};

/* For the default type; largest: no value shown is larger. */
void amount_of(const struct profile *p, int64_t largest, struct amount *ret);

void amount_head(const struct amount *a, struct buf *b);               /* right-aligned in the column */
void amount_cell(const struct amount *a, int64_t value, struct buf *b);
void amount_change(const struct amount *a, double value, struct buf *b); /* with its sign */
void amount_text(const struct amount *a, int64_t value, struct buf *b); /* "1.01 CPU s" */
