/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * strmap - a handful of names with values: labels, headers. Sorted by name, each name once.
 *
 * Memory: owns its strings. Meant for tens of entries: every operation is linear.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

struct strmap_entry {
	char *key, *value;
};

struct strmap {
	vec(struct strmap_entry) v;
};

/* Sets or replaces. 0 or -ENOMEM. */
int strmap_set(struct strmap *m, const char *key, const char *value);
void strmap_unset(struct strmap *m, const char *key);
/* NULL when there is none. */
const char *strmap_get(const struct strmap *m, const char *key);
int strmap_copy(const struct strmap *from, struct strmap *to);
bool strmap_equal(const struct strmap *a, const struct strmap *b);
void strmap_fini(struct strmap *m);
