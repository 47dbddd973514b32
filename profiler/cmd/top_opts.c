/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top_opts.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "cmd/command.h"
#include "cmd/flags.h"
#include "cmd/top_model.h"

#define MIN_INTERVAL_NS (100 * NSEC_PER_MSEC)
#define MAX_INTERVAL_NS (3600 * NSEC_PER_SEC)

/* In the order of the rows below. */
enum { ROW_WHAT, ROW_PID, ROW_COMM, ROW_CGROUP, ROW_HOW, ROW_FREQUENCY, ROW_KERNEL, ROW_USER, ROW_BY, ROW_DEBUGINFOD, ROW_SHOWN, ROW_INTERVAL,
       ROW_WINDOW, ROW_SORT, ROW_LINES, ROW_NO_INLINE, ROW_FILTER, ROW_OUTPUT, ROW_BATCH, ROW_COUNT, ROW_ONCE, ROW_ROWS, ROW_JSON };

static const struct flag flags[] = {
	[ROW_WHAT] = { .heading = "What to sample (default: every process)" },
	[ROW_PID] = TARGET_ROW_PID,
	[ROW_COMM] = TARGET_ROW_COMM,
	[ROW_CGROUP] = TARGET_ROW_CGROUP,
	[ROW_HOW] = { .heading = "How" },
	[ROW_FREQUENCY] = TARGET_ROW_FREQUENCY,
	[ROW_KERNEL] = TARGET_ROW_KERNEL,
	[ROW_USER] = TARGET_ROW_USER,
	[ROW_BY] = { 0, "by", "WHAT", "keep apart: process (default) or thread", .values = "process|thread" },
	[ROW_DEBUGINFOD] = TARGET_ROW_DEBUGINFOD,
	[ROW_SHOWN] = { .heading = "What is shown" },
	[ROW_INTERVAL] = { 'i', "interval", "TIME", "refresh this often (default 1s; from 100ms)" },
	[ROW_WINDOW] = { 'w', "window", "TIME", "average over exactly the last TIME, up to 64 intervals\n"
			 "(default: decaying, each second the past loses 1/8)" },
	[ROW_SORT] = { 's', "sort", "KEY", "functions by self (default), total or name;\nprocesses by cpu (default), comm or pid",
		       .values = "self|total|name|cpu|comm|pid" },
	[ROW_LINES] = { 0, "lines", NULL, "each line of a function by itself, where it is known" },
	[ROW_NO_INLINE] = TARGET_ROW_NO_INLINE,
	[ROW_FILTER] = { 'f', "filter", "TEXT", "only functions, images and commands whose name holds TEXT" },
	[ROW_OUTPUT] = { .heading = "Without the screen (also when input or output is no terminal)" },
	[ROW_BATCH] = { 'b', "batch", NULL, "print tables each interval" },
	[ROW_COUNT] = { 'n', "count", "N", "end after so many intervals" },
	[ROW_ONCE] = { 0, "once", NULL, "one interval: -b -n 1" },
	[ROW_ROWS] = { 'r', "rows", "N", "of each table (default 10; 1 to 10000)" },
	[ROW_JSON] = { 0, "json", NULL, "one JSON object a line and interval" },
};

const struct cli top_cli = {
	.name = "top",
	.summary = "watch functions and processes live",
	.usage = "[options]",
	.about = "Shows which functions and processes take the CPU time, refreshed each second. ? lists the keys.",
	.flags = flags,
	.n_flags = ARRAY_SIZE(flags),
	.after = "Exit status: 0 ok, 1 failed, 2 wrong usage, 3 missing privilege or kernel feature.\n"
		 "\n"
		 "Examples\n"
		 "  hotspan top                      the whole host\n"
		 "  hotspan top -p 4711 --by thread  the threads of one process\n"
		 "  hotspan top -i 5 -w 30           every five seconds, over the last thirty\n"
		 "  hotspan top --once | head        a look, as text\n"
		 "  hotspan top --json -n 60 >log    a minute, for your own tools\n",
};

#define usage(...) flags_complain(&top_cli, __VA_ARGS__)

static int parse_sort(struct top_opts *o, const char *key)
{
	static const char *const names[] = { [TOP_SORT_SELF] = "self", [TOP_SORT_TOTAL] = "total", [TOP_SORT_NAME] = "name",
					     [TOP_SORT_CPU] = "cpu", [TOP_SORT_COMM] = "comm", [TOP_SORT_PID] = "pid" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(key, names[i]))
			continue;
		*(i < TOP_SORT_CPU ? &o->sort_functions : &o->sort_processes) = (enum top_sort)i;
		return 0;
	}
	return usage("--sort takes self, total, name, cpu, comm or pid, not '%s'", key);
}

static int parse_by(struct top_opts *o, const char *what)
{
	int r = target_opts_parse_by(&top_cli, what, &o->target.by);

	if (r >= 0 && o->target.by != COLLECT_BY_PROCESS && o->target.by != COLLECT_BY_THREAD)
		return usage("--by takes process or thread, not '%s'", what);
	return r;
}

static int parse_interval(struct top_opts *o, const char *value)
{
	if (parse_duration(value, &o->interval_ns) < 0 || o->interval_ns < MIN_INTERVAL_NS || o->interval_ns > MAX_INTERVAL_NS)
		return usage("-i takes a time from 100ms to 1h, not '%s'", value);
	return 0;
}

static int parse_window(struct top_opts *o, const char *value)
{
	if (parse_duration(value, &o->window_ns) < 0 || !o->window_ns)
		return usage("-w takes a time such as 10s or 1m, not '%s'", value);
	return 0;
}

static int parse_count(struct top_opts *o, const char *value)
{
	return parse_u64(value, 1, UINT32_MAX, &o->count) < 0 ? usage("-n takes a number from 1, not '%s'", value) : 0;
}

static int parse_rows(struct top_opts *o, const char *value)
{
	uint64_t n;

	if (parse_u64(value, 1, 10000, &n) < 0)
		return usage("-r takes a number from 1 to 10000, not '%s'", value);
	o->rows = (uint32_t)n;
	return 0;
}

static int set(void *ctx, size_t row, const char *value)
{
	struct top_opts *o = ctx;
	int r = target_opts_set(&o->target, &top_cli, row, value);

	if (r != -ENOENT)
		return r;
	switch (row) {
	case ROW_BY:
		return parse_by(o, value);
	case ROW_INTERVAL:
		return parse_interval(o, value);
	case ROW_WINDOW:
		return parse_window(o, value);
	case ROW_SORT:
		return parse_sort(o, value);
	case ROW_LINES:
		o->by_line = true;
		return 0;
	case ROW_FILTER:
		o->filter = value;
		return 0;
	case ROW_COUNT:
		return parse_count(o, value);
	case ROW_ROWS:
		return parse_rows(o, value);
	case ROW_ONCE:
		o->count = 1;
		o->batch = true;
		return 0;
	case ROW_JSON:
		o->json = true;
		o->batch = true;
		return 0;
	case ROW_BATCH:
		o->batch = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int check(const struct top_opts *o)
{
	if (o->window_ns && o->window_ns < o->interval_ns)
		return usage("the window (-w) is shorter than the interval (-i) between two refreshes");
	if (o->window_ns > o->interval_ns * TOP_MAX_INTERVALS)
		return usage("the window (-w) holds at most %d intervals: choose a longer one (-i)", TOP_MAX_INTERVALS);
	return target_opts_check(&o->target, &top_cli);
}

int top_opts_parse(int argc, char **argv, struct top_opts *ret)
{
	int first, r;

	*ret = (struct top_opts){ .target = TARGET_OPTS_INIT, .interval_ns = NSEC_PER_SEC, .rows = 10,
				  .sort_functions = TOP_SORT_SELF, .sort_processes = TOP_SORT_CPU };
	r = flags_parse(&top_cli, argc, argv, set, ret, &first);
	if (r)
		return r;
	if (first < argc)
		return usage("'%s' is no option: top runs no commands", argv[first]);
	return check(ret);
}
