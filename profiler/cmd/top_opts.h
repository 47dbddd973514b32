/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * top_opts - the command line of `hotspan top`.
 */
#include <stdbool.h>
#include <stdint.h>

#include "cmd/flags.h"
#include "cmd/target_opts.h"
#include "cmd/top_rows.h"

struct top_opts {
	struct target_opts target;
	uint64_t interval_ns;
	uint64_t window_ns; /* 0: decaying average */
	enum top_sort sort_functions, sort_processes;
	bool by_line;
	const char *filter; /* NULL: none */
	bool batch, json;
	uint64_t count; /* intervals; 0: no limit */
	uint32_t rows;  /* of each table, in batch */
};

/* 0; FLAGS_HELP when --help was printed; -EINVAL after a message on stderr. */
int top_opts_parse(int argc, char **argv, struct top_opts *ret);
