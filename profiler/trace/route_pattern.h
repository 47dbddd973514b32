/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * route_pattern - the user's routes. A segment {name}, :name or a star stands for any one; a star at the end, or two, for
 * any rest, if it is only a slash.
 *
 * The first that fits wins. Memory: route_patterns owns its own. Threads: one.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/vec.h"

struct route_pattern {
	char *text; /* as the user wrote it: the route's name */
};

struct route_patterns {
	vec(struct route_pattern) v;
	bool literal; /* one has a digit in a word: http1.h must not take such words for the same */
};

/* -EINVAL: err says why. -ENOMEM. */
int route_patterns_add(struct route_patterns *p, const char *text, char *err, size_t err_len);
/* The text of the first that fits; NULL: none does. */
const char *route_patterns_match(const struct route_patterns *p, const char *path, size_t len);
void route_patterns_fini(struct route_patterns *p);
