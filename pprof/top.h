/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * top - the functions that led, by the profile's default value.
 *
 * A function is (name, image). Self counts samples whose leaf it is (the innermost inlined one),
 * total counts each sample once however often the function stands in its stack.
 */
#include <stdint.h>

struct profile;

struct top_row {
	char *name, *image; /* owned by the row: top_free() */
	int64_t self, total;
	double self_percent, total_percent; /* of the whole profile */
};

/* The max largest by self, then by total, then by name. Returns how many; 0 when out of memory. */
uint32_t top_by_self(const struct profile *p, struct top_row *ret, uint32_t max);
void top_free(struct top_row *rows, uint32_t n);
