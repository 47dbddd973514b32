/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/command.h"
#include "cmd/flags.h"
#include "symbolize/helper_serve.h"
#include "version.h"

static void usage(FILE *out)
{
	fprintf(out, "hotspan %s - where does the CPU time go, down to the function\n\n"
		     "Usage: hotspan COMMAND [options]\n\nCommands:\n", HOTSPAN_VERSION);
	for (size_t i = 0; i < n_commands; i++)
		fprintf(out, "  %-10s %s\n", commands[i].cli->name, commands[i].cli->summary);
	fprintf(out, "\nhotspan COMMAND --help describes a command. hotspan --version prints the version.\n"
		     "Exit status: 0 ok, 1 failed, 2 wrong usage, 3 missing privilege or kernel feature.\n");
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "--help";

	if (!strcmp(name, HELPER_COMMAND)) /* we ourselves, from helper_start() */
		return helper_serve(convert_image);
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		printf("hotspan %s\n", HOTSPAN_VERSION);
		return EXIT_OK;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		usage(argc > 1 ? stdout : stderr);
		return argc > 1 ? EXIT_OK : EXIT_USAGE;
	}
	for (size_t i = 0; i < n_commands; i++)
		if (!strcmp(name, commands[i].cli->name))
			return commands[i].run(argc - 1, argv + 1);
	log_error("'%s' is no command: see hotspan --help", name);
	return EXIT_USAGE;
}
