/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * command - what every subcommand looks like to main.c's table.
 *
 * run() gets argv with its own name as argv[0] and returns an exit status:
 */
enum exit_status {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_CANNOT = 3, /* a privilege or a kernel feature is missing */
};

struct cli;

struct command {
	const struct cli *cli;
	int (*run)(int argc, char **argv);
};

extern const struct cli record_cli;
int cmd_record(int argc, char **argv);

extern const struct cli report_cli;
int cmd_report(int argc, char **argv);
