/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * report_load - the files of a command line as one profile: read, filtered, added up.
 */
#include <stddef.h>
#include <stdint.h>

struct profile;
struct report_opts;

struct loaded {
	struct profile *p;
	int64_t whole; /* of the type shown, before labels and regular expressions took their part */
};

/* On failure err names file, line where there is one, and the remedy. The caller owns ret->p. */
int report_load(const struct report_opts *o, char *const *files, uint32_t n, struct loaded *ret, char *err,
		size_t err_len);
