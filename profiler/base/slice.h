/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* slice - a piece of text that lies somewhere else, where nothing ends it. Empty: len 0, and s may be NULL. */
#include <stddef.h>
#include <string.h>

struct slice {
	const char *s;
	size_t len;
};

#define SLICE(literal) ((struct slice){ "" literal, sizeof(literal) - 1 })

static inline struct slice slice_of(const char *text)
{
	return (struct slice){ text, strlen(text) };
}
