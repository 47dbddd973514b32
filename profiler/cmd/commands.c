/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/command.h"

#include "base/cleanup.h"

const struct command commands[] = {
	{ &record_cli, cmd_record },
	{ &report_cli, cmd_report },
	{ &agent_cli, cmd_agent },
	{ &top_cli, cmd_top },
	{ &trace_cli, cmd_trace },
	{ &routes_cli, cmd_routes },
	{ &doctor_cli, cmd_doctor },
	{ &unwind_cli, cmd_unwind },
	{ &addr2line_cli, cmd_addr2line },
	{ &config_cli, cmd_config },
	{ &completion_cli, cmd_completion },
	{ &manual_cli, cmd_manual },
};

const size_t n_commands = ARRAY_SIZE(commands);
