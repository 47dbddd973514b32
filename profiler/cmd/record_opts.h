/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * record_opts - the command line of `hotspan record`.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cmd/flags.h"
#include "cmd/output.h"
#include "collect/collector.h"

enum { RECORD_MAX_FILTERS = 64, RECORD_MAX_PIDS = 1024 };

struct record_opts {
	uint32_t frequency_hz;
	uint64_t duration_ns; /* 0: until Ctrl-C or the target's end */
	struct output output;
	bool kernel_stacks, user_stacks;
	enum collect_by by;
	bool json;
	bool all; /* with a command: sample everything while it runs */
	pid_t pids[RECORD_MAX_PIDS];
	uint32_t n_pids;
	const char *comms[RECORD_MAX_FILTERS];
	uint32_t n_comms;
	const char *cgroups[RECORD_MAX_FILTERS];
	uint32_t n_cgroups;
	char **command; /* NULL: none */
};

/* 0; FLAGS_HELP when --help was printed; -EINVAL after a message on stderr. */
int record_opts_parse(int argc, char **argv, struct record_opts *ret);
