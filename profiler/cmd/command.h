/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * command - what every subcommand looks like to main.c's table.
 *
 * run() gets argv with its own name as argv[0] and returns an exit status:
 */
#include <errno.h>

enum exit_status {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_CANNOT = 3, /* a privilege or a kernel feature is missing */
};

/* Of a negative errno that ends a command. */
static inline int exit_status_of(int r)
{
	return r == -EPERM || r == -EACCES || r == -ENOTSUP ? EXIT_CANNOT : EXIT_FAILED;
}

struct cli;

struct command {
	const struct cli *cli;
	int (*run)(int argc, char **argv);
};

extern const struct cli record_cli, top_cli;
int cmd_record(int argc, char **argv);
int cmd_top(int argc, char **argv);
