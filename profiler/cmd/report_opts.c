/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/report_opts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "cmd/command.h"
#include "cmd/flags.h"
#include "pprof/format.h"

/* In the order of the rows below. */
enum { ROW_VIEW, ROW_TOP, ROW_SORT, ROW_TREE, ROW_CALLERS, ROW_CALLEES, ROW_MIN_PERCENT, ROW_DIFF, ROW_LINES, ROW_NO_INLINE, ROW_JSON, ROW_WHAT, ROW_TYPE,
       ROW_FOCUS, ROW_IGNORE, ROW_LABEL, ROW_OUTPUTS, ROW_OUTPUT, ROW_FORMAT };

static const struct flag flags[] = {
	[ROW_VIEW] = { .heading = "What to show" },
	[ROW_TOP] = { 'n', "top", "N", "the N first functions (default 20)" },
	[ROW_SORT] = { 0, "sort", "BY", "self or total (default self; with --diff whichever changed more)", .values = "self|total" },
	[ROW_TREE] = { 't', "tree", NULL, "what called what, from the root" },
	[ROW_CALLERS] = { 0, "callers", "FUNC", "who calls FUNC, outwards; C++ names may leave out (parameters)" },
	[ROW_CALLEES] = { 0, "callees", "FUNC", "what FUNC calls" },
	[ROW_MIN_PERCENT] = { 0, "min-percent", "P", "leave out branches of trees below P percent (default 1)" },
	[ROW_DIFF] = { 0, "diff", "BASE", "what changed since BASE: shares in both, and the difference in points", .values = "FILE" },
	[ROW_LINES] = { 0, "lines", NULL, "each line of a function by itself, where the profile has lines" },
	[ROW_NO_INLINE] = { 0, "no-inline", NULL, "inlined calls count as the function they stand in" },
	[ROW_JSON] = { 0, "json", NULL, "the same as JSON" },
	[ROW_WHAT] = { .heading = "Of what" },
	[ROW_TYPE] = { 0, "type", "NAME", "the sample type, e.g. cpu, samples, alloc_space" },
	[ROW_FOCUS] = { 0, "focus", "REGEX", "only stacks with a function that matches (POSIX extended)" },
	[ROW_IGNORE] = { 0, "ignore", "REGEX", "no stacks with a function that matches" },
	[ROW_LABEL] = { 0, "label", "KEY=VALUE", "only samples with this label, e.g. comm=nginx (may be repeated)" },
	[ROW_OUTPUTS] = { .heading = "Output" },
	[ROW_OUTPUT] = { 'o', "output", "FILE", "write the profile instead: .html .svg .pb.gz .pb .folded .speedscope.json;\n"
			"- is standard output; an existing file is kept as FILE.old", .values = "FILE" },
	[ROW_FORMAT] = { 0, "format", "NAME", "html, svg, pprof, folded or speedscope, whatever FILE is called",
			 .values = "html|svg|pprof|folded|speedscope" },
};

const struct cli report_cli = {
	.name = "report",
	.summary = "read profiles: top functions, call trees, differences; convert them",
	.usage = "[options] FILE...",
	.about = "Shows where the time went in a profile: pprof from any maker, folded stacks, or what\n"
		 "perf script prints; gzipped or not; - is standard input. Several files are added up.",
	.flags = flags,
	.n_flags = ARRAY_SIZE(flags),
	.after = "In trees, |- and `- begin a branch; a line without them is called by the line above alone.\n"
		 "Frames end in [k] kernel, [j] JIT, [i] inlined. An inlined call is a function of its own, below\n"
		 "the one it stands in; --no-inline leaves that one alone.\n"
		 "\n"
		 "Exit status: 0 ok, 1 failed, 2 wrong usage.\n"
		 "\n"
		 "Examples\n"
		 "  hotspan report app.pb.gz                      the functions that led\n"
		 "  hotspan report --lines app.pb.gz              the lines that led\n"
		 "  hotspan report --callers memcpy app.pb.gz     and who called one of them\n"
		 "  hotspan report --diff before.pb.gz after.pb.gz\n"
		 "  hotspan report -o app.html app.pb.gz          a flame graph of it\n"
		 "  perf script | hotspan report --label comm=nginx -\n",
};

#define usage(...) flags_complain(&report_cli, __VA_ARGS__)

static int set_view(struct report_opts *o, enum report_view view, const char *function)
{
	if (o->view_said && (o->view != view || function))
		return usage("one view at a time: --tree, --callers FUNC or --callees FUNC");
	if (function && !*function)
		return usage("--callers and --callees need a function's name");
	o->view = view;
	o->view_said = true;
	o->function = function;
	return 0;
}

static int parse_top(const char *s, uint32_t *ret)
{
	uint64_t n;

	if (parse_u64(s, 1, 1000000, &n) < 0)
		return usage("--top takes a number from 1 to 1000000, not '%s'", s);
	*ret = (uint32_t)n;
	return 0;
}

static int parse_sort(const char *s, enum report_sort *ret)
{
	if (strcmp(s, "self") && strcmp(s, "total"))
		return usage("--sort takes self or total, not '%s'", s);
	*ret = strcmp(s, "self") ? REPORT_SORT_TOTAL : REPORT_SORT_SELF;
	return 0;
}

static int parse_percent(const char *s, double *ret)
{
	char *end;
	double v = strtod(s, &end);

	if (end == s || *end || !(v >= 0 && v <= 100))
		return usage("--min-percent takes a number from 0 to 100, not '%s'", s);
	*ret = v;
	return 0;
}

static int parse_label(const char *s, struct report_opts *o)
{
	const char *equals = strchr(s, '=');
	struct filter_label l;

	if (!equals || equals == s)
		return usage("--label takes KEY=VALUE such as comm=nginx, not '%s'", s);
	if (o->n_labels == REPORT_MAX_LABELS)
		return usage("too many labels: '%s' is one more than can be", s);
	l.key = strndup(s, (size_t)(equals - s));
	l.value = strdup(equals + 1);
	o->labels[o->n_labels++] = l;
	return l.key && l.value ? 0 : -ENOMEM;
}

static int compile(const char *flag, const char *s, regex_t *re, const char **ret_text)
{
	char why[128];
	int r;

	if (*ret_text)
		return usage("%s may be given once: 'a|b' matches either", flag);
	r = regcomp(re, s, REG_EXTENDED | REG_NOSUB);
	if (!r) {
		*ret_text = s;
		return 0;
	}
	regerror(r, re, why, sizeof(why));
	return usage("%s '%s' is no regular expression: %s", flag, s, why);
}

static int set(void *ctx, size_t row, const char *value)
{
	struct report_opts *o = ctx;

	switch (row) {
	case ROW_TOP:
		return parse_top(value, &o->top);
	case ROW_SORT:
		return parse_sort(value, &o->sort);
	case ROW_TREE:
		return set_view(o, REPORT_TREE, NULL);
	case ROW_CALLERS:
		return set_view(o, REPORT_CALLERS, value);
	case ROW_CALLEES:
		return set_view(o, REPORT_CALLEES, value);
	case ROW_MIN_PERCENT:
		return parse_percent(value, &o->min_percent);
	case ROW_DIFF:
		o->base = value;
		return 0;
	case ROW_LINES:
		o->unit = PROFILE_LINES;
		return 0;
	case ROW_NO_INLINE:
		o->no_inline = true;
		return 0;
	case ROW_JSON:
		o->json = true;
		return 0;
	case ROW_TYPE:
		o->type = value;
		return 0;
	case ROW_FOCUS:
		return compile("--focus", value, &o->focus_regex, &o->focus);
	case ROW_IGNORE:
		return compile("--ignore", value, &o->ignore_regex, &o->ignore);
	case ROW_LABEL:
		return parse_label(value, o);
	case ROW_OUTPUT:
		o->output.path = value;
		return 0;
	case ROW_FORMAT:
		o->output.format = value;
		return 0;
	default:
		return -EINVAL;
	}
}

static int check_files(const struct report_opts *o)
{
	uint32_t n_stdin = o->base && !strcmp(o->base, "-");

	if (!o->n_files)
		return usage("no file is named: hotspan report FILE, or - for standard input");
	if (o->n_files > REPORT_MAX_FILES)
		return usage("more than %d files", REPORT_MAX_FILES);
	for (uint32_t i = 0; i < o->n_files; i++)
		n_stdin += !strcmp(o->files[i], "-");
	return n_stdin > 1 ? usage("standard input can be read once: name - once") : 0;
}

static int check_output(const struct report_opts *o)
{
	const char *name;

	if (!o->output.path)
		return o->output.format ? usage("--format says how to write FILE: add -o FILE, or -o -") : 0;
	if (o->view_said || o->json || o->unit == PROFILE_LINES)
		return usage("-o writes the profile itself: leave out %s", o->view_said ? "the view" : o->json ? "--json" : "--lines");
	if (output_check(&report_cli, &o->output) < 0)
		return -EINVAL;
	name = output_format(&o->output)->name;
	if (o->base && strncmp(name, "pprof", 5))
		return usage("a difference has negative values, which only pprof holds: -o FILE.pb.gz, or --format pprof");
	return 0;
}

static int check(const struct report_opts *o)
{
	if (o->base && o->view_said)
		return usage("--diff is a view of its own: leave out the other");
	return check_files(o) < 0 ? -EINVAL : check_output(o);
}

/* Options may stand behind files too, as people add them to the end of the line. */
static int parse_all(int argc, char **argv, struct report_opts *o)
{
	char **rest = argv;
	int n = argc;

	for (;;) {
		int first, r = flags_parse(&report_cli, n, rest, set, o, &first);
		bool no_more;

		if (r)
			return r;
		no_more = first > 1 && !strcmp(rest[first - 1], "--");
		while (first < n && (no_more || rest[first][0] != '-' || !rest[first][1]))
			o->files[o->n_files++] = rest[first++];
		if (first >= n)
			return 0;
		rest += first - 1; /* what stands there plays argv[0] */
		n -= first - 1;
	}
}

int report_opts_parse(int argc, char **argv, struct report_opts *ret)
{
	int r;

	*ret = (struct report_opts){ .top = 20, .min_percent = 1, .files = calloc((size_t)argc + 1, sizeof(char *)) };
	r = ret->files ? parse_all(argc, argv, ret) : -ENOMEM;
	return r ? r : check(ret);
}

void report_opts_fini(struct report_opts *o)
{
	if (o->focus)
		regfree(&o->focus_regex);
	if (o->ignore)
		regfree(&o->ignore_regex);
	for (uint32_t i = 0; i < o->n_labels; i++) {
		free((char *)o->labels[i].key);
		free((char *)o->labels[i].value);
	}
	free(o->files);
}
