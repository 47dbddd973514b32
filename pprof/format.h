/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * format - the table of file formats a profile can be written in.
 */
#include <stdbool.h>
#include <stddef.h>

struct buf;
struct profile;

struct format {
	const char *name;
	const char *extensions; /* with the dot, each ended by a NUL, the list by another */
	int (*encode)(const struct profile *p, struct buf *out); /* 0 or negative errno */
	const char *how_to_open; /* one line, for people */
};

/* By the longest matching extension of a path; NULL when none matches. */
const struct format *format_by_path(const char *path);
const struct format *format_by_name(const char *name);
