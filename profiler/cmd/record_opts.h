/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * record_opts - the command line of `hotspan record`.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/flags.h"
#include "cmd/output.h"
#include "cmd/target_opts.h"

struct record_opts {
	struct target_opts target;
	uint64_t symbol_timeout_ns; /* for lines that are being made at the end */
	uint64_t duration_ns; /* 0: until Ctrl-C or the target's end */
	struct output output;
	bool json;
	bool by_route; /* services and their routes are kept apart: requests are traced */
	bool all; /* with a command: sample everything while it runs */
	char **command; /* NULL: none */
};

/* 0; FLAGS_HELP when --help was printed; -EINVAL after a message on stderr. */
int record_opts_parse(int argc, char **argv, struct record_opts *ret);
