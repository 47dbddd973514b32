/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manual - hotspan(1), made from the rows of every command.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cmd/command.h"
#include "cmd/flags.h"
#include "version.h"

const struct cli manual_cli = {
	.name = "manual",
	.summary = "print the man page",
	.usage = "",
	.about = "Prints hotspan(1) in man's format.",
	.after = "Example\n"
		 "  hotspan manual | man -l -\n",
};

/* Text in roff: no line may begin with a control character, a dash is a minus. */
static void text(const char *s, struct buf *out)
{
	for (bool start = true; *s; start = *s == '\n', s++) {
		if (start && (*s == '.' || *s == '\''))
			buf_puts(out, "\\&");
		if (*s == '\\')
			buf_puts(out, "\\e");
		else if (*s == '-')
			buf_puts(out, "\\-");
		else
			buf_putc(out, *s);
	}
}

static void flag(const struct flag *f, struct buf *out)
{
	char name[FLAGS_MAX_NAME];

	buf_puts(out, ".TP\n");
	if (f->letter)
		buf_printf(out, "\\fB\\-%c\\fR, ", f->letter);
	buf_puts(out, "\\fB\\-\\-");
	text(flags_name(f, name, sizeof(name)), out);
	buf_puts(out, "\\fR");
	if (f->arg) {
		buf_puts(out, " \\fI");
		text(f->arg, out);
		buf_puts(out, "\\fR");
	}
	buf_putc(out, '\n');
	text(f->help, out);
	if (f->def && *f->def) {
		buf_puts(out, " (default ");
		text(f->def, out);
		buf_putc(out, ')');
	}
	buf_putc(out, '\n');
}

static void command(const struct cli *c, struct buf *out)
{
	buf_printf(out, ".SS hotspan %s ", c->name);
	text(c->usage, out);
	buf_putc(out, '\n');
	text(c->about, out);
	buf_putc(out, '\n');
	for (size_t i = 0; i < c->n_flags; i++) {
		if (c->flags[i].name) {
			flag(&c->flags[i], out);
			continue;
		}
		buf_puts(out, ".PP\n");
		text(c->flags[i].heading, out);
		buf_putc(out, '\n');
	}
	buf_puts(out, ".PP\n.nf\n");
	text(c->after, out);
	buf_puts(out, ".fi\n");
}

static const char files[] = ".SH FILES\n"
			    ".TP\n\\fI/etc/hotspan/hotspan.yaml\\fR\nconfiguration of the agent\n"
			    ".TP\n\\fI/run/hotspan\\fR, \\fI/var/lib/hotspan\\fR, \\fI/var/cache/hotspan\\fR\nrun\\-time, state and cache folders of the service\n"
			    ".TP\n\\fI/tmp/perf\\-PID.map\\fR\nnames of JIT\\-compiled code, written by run\\-times\n"
			    ".TP\n\\fI/usr/lib/debug\\fR\ndebug files, found by build id or debug link\n"
			    ".SH EXIT STATUS\n0 ok, 1 failed, 2 wrong usage or configuration, 3 missing privilege or kernel feature;\n"
			    "\\fBrecord \\-\\- COMMAND\\fR returns the command's own.\n"
			    ".SH SEE ALSO\n.BR perf (1),\n.BR bpf (2),\n.BR perf_event_open (2)\n";

static void print(struct buf *out)
{
	buf_puts(out, ".\\\" made by `hotspan manual`\n.TH HOTSPAN 1 \"\" \"hotspan " HOTSPAN_VERSION "\" \"User Commands\"\n"
		      ".SH NAME\nhotspan \\- shows where the CPU time of a host goes\n"
		      ".SH SYNOPSIS\n\\fBhotspan\\fR \\fICOMMAND\\fR [\\fIoptions\\fR]\n"
		      ".SH DESCRIPTION\nSamples every CPU from an eBPF program, turns addresses into names, and writes a flame graph or a\n"
		      "profile, or pushes a profile of each service to Pyroscope.\n"
		      ".SH COMMANDS\n");
	for (size_t i = 0; i < n_commands; i++)
		command(commands[i].cli, out);
	buf_puts(out, files);
}

int cmd_manual(int argc, char **argv)
{
	_cleanup_(buf_fini) struct buf out = BUF_INIT;
	int first, r = flags_parse(&manual_cli, argc, argv, NULL, NULL, &first);

	if (r >= 0 && !r && first < argc)
		r = flags_complain(&manual_cli, "'%s' is one word too many", argv[first]);
	if (r)
		return r < 0 ? EXIT_USAGE : EXIT_OK;
	print(&out);
	return fwrite(out.data, 1, out.len, stdout) == out.len && !fflush(stdout) ? EXIT_OK : EXIT_FAILED;
}
