/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * output - the file a command writes a profile to: which format, whose file.
 */
#include <stddef.h>
#include <stdint.h>

struct cli;
struct format;
struct profile;

struct output {
	const char *path;   /* "-": standard output */
	const char *format; /* a format's name; NULL: by the path's extension, folded for "-" */
};

/* For a command's flags: 0, or -EINVAL after a usage message of the command c. */
int output_check(const struct cli *c, const struct output *o);
/* After output_check(). */
const struct format *output_format(const struct output *o);

/* 0, or negative errno with err saying in one line what failed and the remedy. */
int output_write(const struct output *o, const struct profile *p, uint64_t *ret_bytes, char *err, size_t err_len);
