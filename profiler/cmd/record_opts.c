/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/record_opts.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/units.h"
#include "bpf/config.h"
#include "pprof/format.h"

static const char help[] =
	"Usage: hotspan record [options] [-- COMMAND [args...]]\n"
	"\n"
	"Samples what the CPUs run and writes a flame graph or a profile.\n"
	"\n"
	"What to sample (default: every process, -a)\n"
	"  -a, --all             every process of the host, also while a COMMAND runs\n"
	"  -p, --pid PID[,PID]   these processes and the children they make; until they end\n"
	"      --comm NAME       only threads of this name (may be repeated)\n"
	"      --cgroup PATH     only below this cgroup, e.g. system.slice/nginx.service (may be repeated)\n"
	"  -- COMMAND [args...]  run this and sample it; under sudo it runs as the user who called sudo\n"
	"\n"
	"How\n"
	"  -F, --frequency HZ    samples per second and CPU (default 99; 1 to 10000)\n"
	"  -d, --duration TIME   10, 10s, 1.5m (default: until Ctrl-C, or the end of the target)\n"
	"      --kernel          kernel stacks only\n"
	"      --user            user stacks only\n"
	"      --by WHAT         keep apart: process (default), thread, or none\n"
	"\n"
	"Output\n"
	"  -o, --output FILE     .html .svg .pb.gz .pb .folded .speedscope.json; - is standard output\n"
	"                        (default hotspan.html; an existing file is kept as FILE.old)\n"
	"      --format NAME     html, svg, pprof, folded or speedscope, whatever FILE is called\n"
	"      --json            the verdict as JSON on standard output\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: the command's own with --, else 0 ok, 1 failed, 2 wrong usage,\n"
	"3 missing privilege or kernel feature.\n"
	"\n"
	"Examples\n"
	"  hotspan record -d 10                    the whole host for ten seconds\n"
	"  hotspan record -F 999 -- make -j8       a build, with its children\n"
	"  hotspan record -p 4711 -o app.pb.gz     a running process, for go tool pprof\n"
	"  hotspan record -d 5 -o - | grep main    folded stacks for your own tools\n";

enum { OPT_COMM = 256, OPT_CGROUP, OPT_KERNEL, OPT_USER, OPT_BY, OPT_FORMAT, OPT_JSON };

static const struct option options[] = {
	{ "all", no_argument, NULL, 'a' },          { "pid", required_argument, NULL, 'p' },
	{ "comm", required_argument, NULL, OPT_COMM }, { "cgroup", required_argument, NULL, OPT_CGROUP },
	{ "frequency", required_argument, NULL, 'F' }, { "duration", required_argument, NULL, 'd' },
	{ "kernel", no_argument, NULL, OPT_KERNEL }, { "user", no_argument, NULL, OPT_USER },
	{ "by", required_argument, NULL, OPT_BY },   { "output", required_argument, NULL, 'o' },
	{ "format", required_argument, NULL, OPT_FORMAT }, { "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, 'h' },          { 0 },
};

static int usage(const char *fmt, const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), fmt, what);
	log_error("%s (see hotspan record --help)", text);
	return -EINVAL;
}

static int parse_pids(const char *list, struct record_opts *o)
{
	char *copy = strdup(list), *rest = copy, *one;
	uint64_t pid;
	int r = copy ? 0 : -ENOMEM;

	while (r >= 0 && (one = strsep(&rest, ","))) {
		if (parse_u64(one, 1, 1 << 22, &pid) < 0)
			r = usage("'%s' is no pid: -p takes numbers separated by commas", one);
		else if (o->n_pids == RECORD_MAX_PIDS)
			r = usage("too many pids: %s", "1024 at most; a cgroup holds any number, see --cgroup");
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

static int parse_one(int opt, struct record_opts *o)
{
	switch (opt) {
	case 'a':
		o->all = true;
		return 0;
	case 'p':
		return parse_pids(optarg, o);
	case 'F':
		return parse_number(optarg, &o->frequency_hz);
	case 'd':
		return parse_duration(optarg, &o->duration_ns) < 0 || !o->duration_ns ?
			       usage("-d takes a time such as 10s or 1.5m, not '%s'", optarg) :
			       0;
	case 'o':
		o->output = optarg;
		return 0;
	case OPT_COMM:
		return add_filter(optarg, o->comms, &o->n_comms, SAMPLE_MAX_COMMS);
	case OPT_CGROUP:
		return add_filter(optarg, o->cgroups, &o->n_cgroups, SAMPLE_MAX_CGROUPS);
	case OPT_KERNEL:
		o->user_stacks = false;
		return 0;
	case OPT_USER:
		o->kernel_stacks = false;
		return 0;
	case OPT_BY:
		return parse_by(optarg, &o->by);
	case OPT_FORMAT:
		o->format = optarg;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case 'h':
		fputs(help, stdout);
		return 1;
	default:
		return -EINVAL; /* getopt has said why */
	}
}

static int check(const struct record_opts *o)
{
	const char *name = o->format ? o->format : o->output;

	if (!o->kernel_stacks && !o->user_stacks)
		return usage("--kernel and --user exclude each other%s: leave both out for both", "");
	if (o->all && o->n_pids)
		return usage("-a samples everything: leave out -p%s", "");
	if (o->n_pids && o->command)
		return usage("-p and a command exclude each other%s", "");
	if (o->json && !strcmp(o->output, "-"))
		return usage("--json and -o %s both want standard output: write the profile to a file", "-");
	if (!o->format && strcmp(o->output, "-") && !format_by_path(o->output))
		return usage("no format is known by the name '%s': use .html .svg .pb.gz .pb .folded .speedscope.json, or --format",
			     name);
	if (o->format && !format_by_name(o->format))
		return usage("there is no format '%s': html, svg, pprof, folded or speedscope", o->format);
	return 0;
}

int record_opts_parse(int argc, char **argv, struct record_opts *ret)
{
	int opt, r;

	*ret = (struct record_opts){ .frequency_hz = 99, .output = "hotspan.html", .kernel_stacks = true,
				     .user_stacks = true };
	optind = 0; /* also resets GNU getopt's state */
	while ((opt = getopt_long(argc, argv, "+ap:F:d:o:h", options, NULL)) != -1) {
		r = parse_one(opt, ret);
		if (r < 0 && opt == '?')
			log_error("see hotspan record --help");
		if (r)
			return r;
	}
	if (optind < argc)
		ret->command = argv + optind;
	return check(ret);
}
