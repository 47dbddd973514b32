/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * command - the table of subcommands: what main() runs, and what help, man page and completion list.
 *
 * run() gets argv with its own name as argv[0] and returns an exit status:
 */
#include <errno.h>
#include <stddef.h>

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

extern const struct command commands[];
extern const size_t n_commands;

extern const struct cli record_cli, agent_cli, top_cli, trace_cli, routes_cli, report_cli, doctor_cli, unwind_cli, addr2line_cli, config_cli,
	completion_cli, manual_cli;
int cmd_record(int argc, char **argv);
int cmd_agent(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_completion(int argc, char **argv);
int cmd_manual(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_routes(int argc, char **argv);
int cmd_addr2line(int argc, char **argv);
int cmd_unwind(int argc, char **argv);
