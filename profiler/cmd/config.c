/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - what can be configured, and what is.
 */
#include "agent/config.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/options_doc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/flags.h"

enum { ROW_CONFIG, ROW_EFFECTIVE, ROW_REFERENCE, ROW_SCHEMA };

static const struct flag flags[] = {
	[ROW_CONFIG] = { 'c', "config", "FILE", "the file to read (default: none)", .values = "FILE" },
	[ROW_EFFECTIVE] = { 0, "effective", NULL, "defaults, file and environment together, as YAML; secrets are masked" },
	[ROW_REFERENCE] = { 0, "reference", NULL, "every key, described, as Markdown" },
	[ROW_SCHEMA] = { 0, "schema", NULL, "JSON schema of the file, for editors" },
};

const struct cli config_cli = {
	.name = "config",
	.summary = "describe the agent's configuration, or show the one in force",
	.usage = "--effective [-c FILE] | --reference | --schema",
	.about = "Prints one of three views of the configuration on standard output.",
	.flags = flags,
	.n_flags = ARRAY_SIZE(flags),
	.after = "Exit status: 0 ok, 2 wrong usage or configuration.\n",
};

struct arguments {
	const char *path;
	size_t view; /* a row; 0: none yet */
};

static int set(void *ctx, size_t row, const char *value)
{
	struct arguments *a = ctx;

	if (row == ROW_CONFIG)
		a->path = value;
	else if (a->view)
		return flags_complain(&config_cli, "--%s and --%s exclude each other", flags[a->view].name, flags[row].name);
	else
		a->view = row;
	return 0;
}

static int print_effective(const char *path, struct buf *out)
{
	struct config_source source = { .path = path, .environment = environ };
	struct config *c;
	char err[768];

	if (config_load(&source, &c, err, sizeof(err)) < 0) {
		log_error("%s", err);
		return -EINVAL;
	}
	config_print(c, out);
	config_free(c);
	return 0;
}

int cmd_config(int argc, char **argv)
{
	_cleanup_(buf_fini) struct buf out = BUF_INIT;
	struct arguments a = { 0 };
	int first, r = flags_parse(&config_cli, argc, argv, set, &a, &first);

	if (r == FLAGS_HELP)
		return EXIT_OK;
	if (r >= 0 && first < argc)
		r = flags_complain(&config_cli, "'%s' is no option", argv[first]);
	else if (r >= 0 && !a.view)
		r = flags_complain(&config_cli, "say which view: --effective, --reference or --schema");
	if (r >= 0 && a.view == ROW_EFFECTIVE)
		r = print_effective(a.path, &out);
	if (r < 0)
		return EXIT_USAGE;
	if (a.view == ROW_REFERENCE)
		options_reference(&out);
	else if (a.view == ROW_SCHEMA)
		options_schema(&out);
	return fwrite(out.data, 1, out.len, stdout) == out.len && !fflush(stdout) ? EXIT_OK : EXIT_FAILED;
}
