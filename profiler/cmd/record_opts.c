/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/record_opts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "bpf/config.h"
#include "cmd/command.h"
#include "cmd/flags.h"

/* In the order of the rows below. */
enum { ROW_WHAT, ROW_ALL, ROW_PID, ROW_COMM, ROW_CGROUP, ROW_HOW, ROW_FREQUENCY, ROW_DURATION, ROW_KERNEL, ROW_USER, ROW_BY,
       ROW_OUTPUTS, ROW_OUTPUT, ROW_FORMAT, ROW_JSON };

static const struct flag flags[] = {
	[ROW_WHAT] = { .heading = "What to sample (default: every process, -a); -- COMMAND runs a command and samples it,\n"
				  "under sudo as the user who called sudo" },
	[ROW_ALL] = { 'a', "all", NULL, "every process of the host, also while a COMMAND runs" },
	[ROW_PID] = { 'p', "pid", "PID[,PID]", "these processes and the children they make; until they end" },
	[ROW_COMM] = { 0, "comm", "NAME", "only threads of this name (may be repeated)" },
	[ROW_CGROUP] = { 0, "cgroup", "PATH", "only below this cgroup, e.g. system.slice/nginx.service\n(may be repeated)" },
	[ROW_HOW] = { .heading = "How" },
	[ROW_FREQUENCY] = { 'F', "frequency", "HZ", "samples per second and CPU (default 99; 1 to 10000)" },
	[ROW_DURATION] = { 'd', "duration", "TIME", "10, 10s, 1.5m (default: until Ctrl-C, or the end of the target)" },
	[ROW_KERNEL] = { 0, "kernel", NULL, "kernel stacks only" },
	[ROW_USER] = { 0, "user", NULL, "user stacks only" },
	[ROW_BY] = { 0, "by", "WHAT", "keep apart: process (default), thread, or none", .values = "process|thread|none" },
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
		 "  hotspan record -F 999 -- make -j8       a build, with its children\n"
		 "  hotspan record -p 4711 -o app.pb.gz     a running process, for go tool pprof\n"
		 "  hotspan record -d 5 -o - | grep main    folded stacks for your own tools\n",
};

#define usage(...) flags_complain(&record_cli, __VA_ARGS__)

static int parse_pids(const char *list, struct record_opts *o)
{
	char *copy = strdup(list), *rest = copy, *one;
	uint64_t pid;
	int r = copy ? 0 : -ENOMEM;

	while (r >= 0 && (one = strsep(&rest, ","))) {
		if (parse_u64(one, 1, 1 << 22, &pid) < 0)
			r = usage("'%s' is no pid: -p takes numbers separated by commas", one);
		else if (o->n_pids == RECORD_MAX_PIDS)
			r = usage("too many pids: %d at most; a cgroup holds any number, see --cgroup", RECORD_MAX_PIDS);
		else
			o->pids[o->n_pids++] = (pid_t)pid;
	}
	free(copy);
	return r;
}

static int parse_by(const char *what, enum collect_by *ret)
{
	static const char *const names[] = { [COLLECT_BY_PROCESS] = "process", [COLLECT_BY_THREAD] = "thread",
					     [COLLECT_BY_NONE] = "none" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(what, names[i]))
			continue;
		*ret = (enum collect_by)i;
		return 0;
	}
	return usage("--by takes process, thread or none, not '%s'", what);
}

static int add_filter(const char *what, const char **list, uint32_t *n, uint32_t max)
{
	if (*n == max)
		return usage("too many filters: '%s' is one more than can be", what);
	list[(*n)++] = what;
	return 0;
}

static int parse_number(const char *s, uint32_t *ret_hz)
{
	uint64_t hz;

	if (parse_u64(s, 1, 10000, &hz) < 0)
		return usage("-F takes a number from 1 to 10000, not '%s'", s);
	*ret_hz = (uint32_t)hz;
	return 0;
}

static int set(void *ctx, size_t row, const char *value)
{
	struct record_opts *o = ctx;

	switch (row) {
	case ROW_ALL:
		o->all = true;
		return 0;
	case ROW_PID:
		return parse_pids(value, o);
	case ROW_COMM:
		return add_filter(value, o->comms, &o->n_comms, SAMPLE_MAX_COMMS);
	case ROW_CGROUP:
		return add_filter(value, o->cgroups, &o->n_cgroups, SAMPLE_MAX_CGROUPS);
	case ROW_FREQUENCY:
		return parse_number(value, &o->frequency_hz);
	case ROW_DURATION:
		return parse_duration(value, &o->duration_ns) < 0 || !o->duration_ns ?
			       usage("-d takes a time such as 10s or 1.5m, not '%s'", value) :
			       0;
	case ROW_KERNEL:
		o->user_stacks = false;
		return 0;
	case ROW_USER:
		o->kernel_stacks = false;
		return 0;
	case ROW_BY:
		return parse_by(value, &o->by);
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
	if (!o->kernel_stacks && !o->user_stacks)
		return usage("--kernel and --user exclude each other: leave both out for both");
	if (o->all && o->n_pids)
		return usage("-a samples everything: leave out -p");
	if (o->n_pids && o->command)
		return usage("-p and a command exclude each other");
	if (o->json && !strcmp(o->output.path, "-"))
		return usage("--json and -o - both want standard output: write the profile to a file");
	return output_check(&record_cli, &o->output);
}

int record_opts_parse(int argc, char **argv, struct record_opts *ret)
{
	int first, r;

	*ret = (struct record_opts){ .frequency_hz = 99, .output.path = "hotspan.html", .kernel_stacks = true,
				     .user_stacks = true };
	r = flags_parse(&record_cli, argc, argv, set, ret, &first);
	if (r)
		return r;
	if (first < argc)
		ret->command = argv + first;
	return check(ret);
}
