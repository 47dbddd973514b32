/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/record_opts.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "cmd/command.h"
#include "cmd/flags.h"

/* In the order of the rows below. */
enum { ROW_WHAT, ROW_ALL, ROW_PID, ROW_COMM, ROW_CGROUP, ROW_HOW, ROW_FREQUENCY, ROW_DURATION, ROW_KERNEL, ROW_USER, ROW_BY, ROW_NO_INLINE, ROW_PATH_MAP, ROW_NO_SYMBOLS, ROW_SYMBOL_CACHE, ROW_SYMBOL_TIMEOUT, ROW_DEBUGINFOD,
       ROW_OUTPUTS, ROW_OUTPUT, ROW_FORMAT, ROW_JSON };

static const struct flag flags[] = {
	[ROW_WHAT] = { .heading = "What to sample (default: every process, -a); -- COMMAND runs a command and samples it,\n"
				  "under sudo as the user who called sudo" },
	[ROW_ALL] = { 'a', "all", NULL, "every process of the host, also while a COMMAND runs" },
	[ROW_PID] = TARGET_ROW_PID,
	[ROW_COMM] = TARGET_ROW_COMM,
	[ROW_CGROUP] = TARGET_ROW_CGROUP,
	[ROW_HOW] = { .heading = "How" },
	[ROW_FREQUENCY] = TARGET_ROW_FREQUENCY,
	[ROW_DURATION] = { 'd', "duration", "TIME", "10, 10s, 1.5m (default: until Ctrl-C, or the end of the target)" },
	[ROW_KERNEL] = TARGET_ROW_KERNEL,
	[ROW_USER] = TARGET_ROW_USER,
	[ROW_BY] = { 0, "by", "WHAT", "keep apart: process (default), thread or none; route: services, and the HTTP\nroutes of each, whose requests are counted", .values = "process|thread|none|route" },
	[ROW_NO_INLINE] = TARGET_ROW_NO_INLINE,
	[ROW_PATH_MAP] = TARGET_ROW_PATH_MAP,
	[ROW_NO_SYMBOLS] = TARGET_ROW_NO_SYMBOLS,
	[ROW_SYMBOL_CACHE] = TARGET_ROW_SYMBOL_CACHE,
	[ROW_SYMBOL_TIMEOUT] = { 0, "symbol-timeout", "TIME", "how long to wait at the end for debug information that is read for\nthe first time (default 30s; 0: not at all)" },
	[ROW_DEBUGINFOD] = TARGET_ROW_DEBUGINFOD,
	[ROW_OUTPUTS] = { .heading = "Output" },
	[ROW_OUTPUT] = { 'o', "output", "FILE", ".html .svg .pb.gz .pb .folded .speedscope.json; - is standard output\n"
			"(default hotspan.html; an existing file is kept as FILE.old)", .values = "FILE" },
	[ROW_FORMAT] = { 0, "format", "NAME", "html, svg, pprof, folded or speedscope, whatever FILE is called",
			 .values = "html|svg|pprof|folded|speedscope" },
	[ROW_JSON] = { 0, "json", NULL, "the verdict as JSON on standard output" },
};

const struct cli record_cli = {
	.name = "record",
	.summary = "sample CPUs for a while and write a flame graph or a profile",
	.usage = "[options] [-- COMMAND [args...]]",
	.about = "Samples what the CPUs run and writes a flame graph or a profile.",
	.flags = flags,
	.n_flags = ARRAY_SIZE(flags),
	.after = "Exit status: the command's own with --, else 0 ok, 1 failed, 2 wrong usage,\n"
		 "3 missing privilege or kernel feature.\n"
		 "\n"
		 "Examples\n"
		 "  hotspan record -d 10                    the whole host for ten seconds\n"
		 "  hotspan record -d 10 --by route         and of each HTTP route\n"
		 "  hotspan record -F 999 -- make -j8       a build, with its children\n"
		 "  hotspan record -p 4711 -o app.pb.gz     a running process, for go tool pprof\n"
		 "  hotspan record -d 5 -o - | grep main    folded stacks for your own tools\n",
};

#define usage(...) flags_complain(&record_cli, __VA_ARGS__)

static int parse_by(struct record_opts *o, const char *what)
{
	o->by_route = !strcmp(what, "route");
	if (!o->by_route)
		return target_opts_parse_by(&record_cli, what, &o->target.by);
	o->target.by = COLLECT_BY_TARGET;
	o->target.names.services = true;
	return 0;
}

static int set(void *ctx, size_t row, const char *value)
{
	struct record_opts *o = ctx;
	int r = target_opts_set(&o->target, &record_cli, row, value);

	if (r != -ENOENT)
		return r;
	switch (row) {
	case ROW_ALL:
		o->all = true;
		return 0;
	case ROW_DURATION:
		return parse_duration(value, &o->duration_ns) < 0 || !o->duration_ns ?
			       usage("-d takes a time such as 10s or 1.5m, not '%s'", value) :
			       0;
	case ROW_SYMBOL_TIMEOUT:
		return parse_duration(value, &o->symbol_timeout_ns) < 0 ?
			       usage("--symbol-timeout takes a time such as 30s or 2m, not '%s'", value) :
			       0;
	case ROW_BY:
		return parse_by(o, value);
	case ROW_OUTPUT:
		o->output.path = value;
		return 0;
	case ROW_FORMAT:
		o->output.format = value;
		return 0;
	case ROW_JSON:
		o->json = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int check(const struct record_opts *o)
{
	if (target_opts_check(&o->target, &record_cli) < 0)
		return -EINVAL;
	if (o->all && o->target.n_pids)
		return usage("-a samples everything: leave out -p");
	if (o->target.n_pids && o->command)
		return usage("-p and a command exclude each other");
	if (o->by_route && (o->target.n_comms || o->target.n_cgroups))
		return usage("--by route counts requests of whole processes: -p instead of --comm and --cgroup");
	if (o->json && !strcmp(o->output.path, "-"))
		return usage("--json and -o - both want standard output: write the profile to a file");
	return output_check(&record_cli, &o->output);
}

int record_opts_parse(int argc, char **argv, struct record_opts *ret)
{
	int first, r;

	*ret = (struct record_opts){ .target = TARGET_OPTS_INIT, .symbol_timeout_ns = 30 * NSEC_PER_SEC, .output.path = "hotspan.html" };
	r = flags_parse(&record_cli, argc, argv, set, ret, &first);
	if (r)
		return r;
	if (first < argc)
		ret->command = argv + first;
	return check(ret);
}
