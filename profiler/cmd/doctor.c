/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor - what this host allows, for people and as JSON; the examination is agent/doctor's.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/doctor.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/flags.h"
#include "collect/probe.h"
#include "trace/trace_probe.h"
#include "version.h"

/* "  limited CAP_CHECKPOINT_RESTORE    not held: ..." in 100 columns. */
enum { WIDTH = 100, STATE_WIDTH = 8, TITLE_WIDTH = 26, TEXT_AT = 2 + STATE_WIDTH + TITLE_WIDTH };

static const struct flag flags[] = {
	{ 0, "json", NULL, "the findings as JSON" },
};

const struct cli doctor_cli = {
	.name = "doctor",
	.summary = "what this kernel, container and these privileges allow, and the remedies",
	.usage = "[--json]",
	.about = "Tries everything a recording needs, one by one, and says what is missing or limited,\n"
		 "what that means and what to do. Run it as you would run hotspan record.",
	.flags = flags,
	.n_flags = ARRAY_SIZE(flags),
	.after = "A check is ok; limited: recording works, with less; or missing: nothing works without it.\n"
		 "Exit status: 0 hotspan can profile this host, 3 something is missing, 1 failed, 2 wrong usage.\n",
};

static int set(void *ctx, size_t row, const char *value)
{
	*(bool *)ctx = true; /* --json, the only one */
	return 0;
}

static bool wants_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (!no || !*no) && term && strcmp(term, "dumb");
}

static const char *colour_of(enum doctor_state s)
{
	static const char *const colours[] = { [DOCTOR_OK] = "\033[32m", [DOCTOR_LIMITED] = "\033[33m",
					       [DOCTOR_MISSING] = "\033[31m" };

	return colours[s];
}

/* Words from a column on, in as many lines as they take; the cursor stands there already. */
static void put_wrapped(const char *text, int column, struct buf *b)
{
	size_t room = (size_t)(WIDTH - column), at = 0;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (at && at + 1 + n > room) {
			buf_printf(b, "\n%*s", column, "");
			at = 0;
		}
		buf_printf(b, "%s%.*s", at ? " " : "", (int)n, text);
		at += n + (at > 0);
		text += n + strspn(text + n, " ");
	}
	buf_putc(b, '\n');
}

static void put_finding(const struct doctor_finding *f, bool colour, struct buf *b)
{
	char text[sizeof(f->found) + sizeof(f->means) + sizeof(f->remedy)];

	buf_printf(b, "  %s%-*s%s%-*s", colour ? colour_of(f->state) : "", STATE_WIDTH, doctor_state_name(f->state),
		   colour ? "\033[0m" : "", TITLE_WIDTH, f->title);
	snprintf(text, sizeof(text), "%s: %s", f->found, f->means);
	put_wrapped(text, TEXT_AT, b);
	if (!*f->remedy)
		return;
	buf_printf(b, "%*s", TEXT_AT, "");
	snprintf(text, sizeof(text), "-> %s", f->remedy);
	put_wrapped(text, TEXT_AT, b);
}

static void put_text(const struct doctor_report *r, bool colour, struct buf *b)
{
	const char *group = "";

	for (size_t i = 0; i < r->n; i++) {
		if (strcmp(group, r->v[i].group))
			buf_printf(b, "%s%s\n", i ? "\n" : "", r->v[i].group);
		group = r->v[i].group;
		put_finding(&r->v[i], colour, b);
	}
	buf_putc(b, '\n');
	put_wrapped(r->verdict, 0, b);
}

static void put_member(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, "\"%s\":", key);
	buf_json_string(b, value, strlen(value));
	buf_putc(b, ',');
}

static void put_json(const struct doctor_report *r, struct buf *b)
{
	buf_putc(b, '{');
	put_member(b, "version", HOTSPAN_VERSION);
	put_member(b, "overall", doctor_state_name(r->overall));
	put_member(b, "verdict", r->verdict);
	buf_puts(b, "\"checks\":[");
	for (size_t i = 0; i < r->n; i++) {
		const struct doctor_finding *f = &r->v[i];

		buf_puts(b, i ? ",\n{" : "\n{");
		put_member(b, "group", f->group);
		put_member(b, "id", f->id);
		put_member(b, "title", f->title);
		put_member(b, "state", doctor_state_name(f->state));
		put_member(b, "found", f->found);
		put_member(b, "means", f->means);
		buf_puts(b, "\"remedy\":");
		buf_json_string(b, f->remedy, strlen(f->remedy));
		buf_putc(b, '}');
	}
	buf_puts(b, "\n]}\n");
}

static int print(const struct doctor_report *r, bool json)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	if (json)
		put_json(r, &b);
	else
		put_text(r, wants_colour(), &b);
	if (buf_error(&b))
		return buf_error(&b);
	fwrite(b.data, 1, b.len, stdout);
	return fflush(stdout) ? -errno : 0;
}

int cmd_doctor(int argc, char **argv)
{
	struct doctor_report report;
	struct trace_probe trace;
	struct probe probe;
	bool json = false;
	int first, r = flags_parse(&doctor_cli, argc, argv, set, &json, &first);

	if (!r && first < argc)
		r = flags_complain(&doctor_cli, "doctor takes no '%s'", argv[first]);
	if (r)
		return r < 0 ? EXIT_USAGE : EXIT_OK;
	probe_run(&probe);
	trace_probe_run(&trace);
	doctor_examine("", &probe, &trace, &report);
	r = print(&report, json);
	if (r < 0) {
		log_error("cannot write the findings: %s", strerror(-r));
		return EXIT_FAILED;
	}
	return report.overall == DOCTOR_MISSING ? EXIT_CANNOT : EXIT_OK;
}
