/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * report_view - what `hotspan report` prints of a profile: the facts of it, then the view asked for.
 */
#include <stddef.h>

struct buf;
struct loaded;
struct report_opts;

struct report_input {
	const struct report_opts *opts;
	const struct loaded *now;
	const struct loaded *base; /* NULL: no --diff */
};

/* 0; -ENOENT with err when the function asked for is not there; -ENOMEM. */
int report_view(const struct report_input *in, struct buf *out, char *err, size_t err_len);
