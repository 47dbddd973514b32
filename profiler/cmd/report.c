/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report - profiles read back: what led, who called it, what changed; or written in another format.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/units.h"
#include "cmd/command.h"
#include "cmd/output.h"
#include "cmd/report_load.h"
#include "cmd/report_opts.h"
#include "cmd/report_view.h"
#include "pprof/format.h"
#include "pprof/merge.h"
#include "pprof/profile.h"

struct report {
	struct report_opts opts;
	struct loaded now, base;
	char err[1024];
};

static int load(struct report *rep)
{
	struct report_opts *o = &rep->opts;
	char *base[] = { (char *)o->base };
	int r = report_load(o, o->files, o->n_files, &rep->now, rep->err, sizeof(rep->err));

	if (r < 0 || !o->base)
		return r;
	r = report_load(o, base, 1, &rep->base, rep->err, sizeof(rep->err));
	if (r < 0 || merge_fits(rep->now.p, rep->base.p))
		return r;
	snprintf(rep->err, sizeof(rep->err), "%s and %s do not compare: their sample types differ; --type NAME takes one type of each",
		 o->base, o->files[0]);
	return -EINVAL;
}

static int write_profile(struct report *rep)
{
	const struct output *o = &rep->opts.output;
	const struct merge_part parts[] = { { .p = rep->now.p }, { .p = rep->base.p, .subtract = true } };
	_cleanup_(profile_freep) struct profile *difference = NULL;
	char size[32];
	uint64_t bytes;
	int r = rep->base.p ? profile_merge(parts, 2, &difference) : 0;

	if (r >= 0)
		r = output_write(o, difference ? difference : rep->now.p, &bytes, rep->err, sizeof(rep->err));
	if (r >= 0 && strcmp(o->path, "-"))
		fprintf(stderr, "written    %s (%s)\n           %s\n", o->path, format_bytes(bytes, size, sizeof(size)),
			output_format(o)->how_to_open);
	return r;
}

static int show(struct report *rep)
{
	_cleanup_(buf_fini) struct buf out = BUF_INIT;
	struct report_input in = { .opts = &rep->opts, .now = &rep->now, .base = rep->base.p ? &rep->base : NULL };
	int r = report_view(&in, &out, rep->err, sizeof(rep->err));

	if (r < 0)
		return r;
	r = file_write_all(STDOUT_FILENO, out.data, out.len);
	if (r < 0)
		snprintf(rep->err, sizeof(rep->err), "cannot write to standard output: %s", strerror(-r));
	return r;
}

static void report_fini(struct report *rep)
{
	profile_free(rep->now.p);
	profile_free(rep->base.p);
	report_opts_fini(&rep->opts);
}

int cmd_report(int argc, char **argv)
{
	_cleanup_(report_fini) struct report rep = { 0 };
	int r = report_opts_parse(argc, argv, &rep.opts);

	if (r)
		return r < 0 ? EXIT_USAGE : EXIT_OK;
	r = load(&rep);
	if (r >= 0)
		r = rep.opts.output.path ? write_profile(&rep) : show(&rep);
	if (r >= 0)
		return EXIT_OK;
	log_error("%s", rep.err[0] ? rep.err : strerror(-r));
	return EXIT_FAILED;
}
