/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent - always on: the whole host, a profile per service and interval, pushed to the receivers.
 */
#include "agent/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/options.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/vec.h"
#include "cmd/command.h"
#include "cmd/flags.h"

#define DEFAULT_CONFIG "/etc/hotspan/hotspan.yaml"

/* The rows of options.def follow, in their order. */
enum { ROW_CONFIG, ROW_CHECK, ROW_OPTIONS, FIRST_OPTION };

#define ARG_U32 "N"
#define ARG_BOOL "true|false"
#define ARG_DURATION "TIME"
#define ARG_BYTES "SIZE"
#define ARG_PERCENT "PERCENT"
#define ARG_STRING "TEXT"
#define ARG_CHOICE "NAME"
#define ARG_MAP "NAME=VALUE,..."
#define ARG_LIST "TEXT,..."

static const struct flag flags[] = {
	[ROW_CONFIG] = { 'c', "config", "FILE", "YAML configuration (default " DEFAULT_CONFIG ", where there is one)", .values = "FILE" },
	[ROW_CHECK] = { 0, "check", NULL, "read the configuration, say whether it is right, and end" },
	[ROW_OPTIONS] = { .heading = "Instead of the file's; HOTSPAN_FREQUENCY and so on in the environment do the same" },
#define OPTION(field, key, type, def_, min, max, unit, live, help_) { 0, key, ARG_##type, help_, .def = def_ },
#include "agent/options.def"
#undef OPTION
};

const struct cli agent_cli = {
	.name = "agent",
	.summary = "profile the host for ever and push to Pyroscope or a collector",
	.usage = "[-c FILE] [options]",
	.about = "Samples the whole host and sends a profile of each service to every receiver, each flush interval.\n"
		 "The receivers are in the configuration file; hotspan config --reference describes it.",
	.flags = flags,
	.n_flags = ARRAY_SIZE(flags),
	.after = "SIGHUP reads the configuration again. SIGTERM sends what is left and ends.\n"
		 "Exit status: 0 ended by a signal, 1 failed, 2 wrong usage or configuration,\n"
		 "3 missing privilege or kernel feature.\n",
};

struct arguments {
	struct config_source source;
	bool check;
	vec(struct config_override) overrides;
};

static int set(void *ctx, size_t row, const char *value)
{
	struct arguments *a = ctx;
	struct config_override *o;

	if (row == ROW_CONFIG) {
		a->source.path = value;
		return 0;
	}
	if (row == ROW_CHECK) {
		a->check = true;
		return 0;
	}
	o = vec_push(&a->overrides);
	if (!o)
		return -ENOMEM;
	*o = (struct config_override){ .key = flags[row].name, .value = value };
	return 0;
}

static int parse(int argc, char **argv, struct arguments *a)
{
	int first, r = flags_parse(&agent_cli, argc, argv, set, a, &first);

	if (r)
		return r;
	if (first < argc)
		return flags_complain(&agent_cli, "'%s' is no option: a configuration file goes behind -c", argv[first]);
	if (!a->source.path && access(DEFAULT_CONFIG, F_OK) == 0)
		a->source.path = DEFAULT_CONFIG;
	a->source.environment = environ;
	a->source.overrides = a->overrides.v;
	a->source.n_overrides = a->overrides.n;
	return 0;
}

/* The agent reads them; threads must not be interrupted by them. */
static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int run(struct config *c, const struct config_source *source)
{
	_cleanup_(agent_freep) struct agent *a = NULL;
	char err[768] = "";
	int r;

	log_use_json(!strcmp(c->log_format, "json"));
	block_signals();
	r = agent_new(c, source, &a, err, sizeof(err));
	if (r < 0)
		config_free(c);
	else
		r = agent_run(a, err, sizeof(err));
	if (r < 0)
		log_error("%s", err[0] ? err : strerror(-r));
	if (r == -ETIMEDOUT)
		_exit(EXIT_FAILED);
	return r >= 0 ? EXIT_OK : r == -EPERM || r == -EACCES || r == -ENOTSUP ? EXIT_CANNOT : EXIT_FAILED;
}

int cmd_agent(int argc, char **argv)
{
	struct arguments a = { 0 };
	struct config *c = NULL;
	char err[768];
	int r = parse(argc, argv, &a), status = EXIT_OK;

	if (r < 0)
		status = EXIT_USAGE;
	if (!r && config_load(&a.source, &c, err, sizeof(err)) < 0) {
		log_error("%s", err);
		status = EXIT_USAGE;
	}
	if (c && a.check) {
		printf("%s: ok, %u receivers\n", a.source.path ? a.source.path : "environment and flags", c->receivers.n);
		config_free(c);
	} else if (c) {
		status = run(c, &a.source);
	}
	vec_fini(&a.overrides);
	return status;
}
