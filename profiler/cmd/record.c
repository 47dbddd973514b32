/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record - a session with one window and a file as its receiver.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/session.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/output.h"
#include "cmd/record_opts.h"
#include "cmd/route_table.h"
#include "cmd/signals.h"
#include "cmd/target.h"
#include "cmd/verdict.h"
#include "pprof/format.h"
#include "pprof/profile.h"
#include "trace/tracing.h"

struct recording {
	struct record_opts opts;
	struct target target;
	struct session *session;
	struct session_stats stats;
	struct profile *profile; /* made on the worker thread, at the end */
	struct route_cpu cpu;    /* by route: the same */
	struct route_table routes;
	int signal_fd;
	bool watched;  /* by somebody at a terminal */
	bool progress; /* a line on a terminal is being rewritten */
	char err[512];
};

static bool target_gone(void *ctx)
{
	const struct recording *rec = ctx;

	return target_ended(&rec->target);
}

static void show_progress(struct recording *rec, uint64_t elapsed_ns)
{
	struct session_stats s;
	char limit[32] = "";

	session_stats(rec->session, &s);
	if (rec->opts.duration_ns)
		snprintf(limit, sizeof(limit), " of %.0f", (double)rec->opts.duration_ns / 1e9);
	fprintf(stderr, "\rsampling %.0f%s s: %llu samples, %llu lost%s ", (double)elapsed_ns / 1e9, limit,
		(unsigned long long)s.collect.samples, (unsigned long long)s.collect.lost,
		rec->opts.duration_ns || rec->opts.command ? "" : "; Ctrl-C ends it");
	rec->progress = true;
}

/* A count of requests that fails is made up for by the next one. */
static void tick(void *ctx, uint64_t elapsed_ns)
{
	struct recording *rec = ctx;

	if (rec->opts.by_route)
		tracing_count(session_tracing(rec->session));
	if (rec->watched)
		show_progress(rec, elapsed_ns);
}

static int keep_profile(void *ctx, struct namer *n, const struct window *w)
{
	struct recording *rec = ctx;
	int r = rec->opts.by_route ? route_cpu_add(&rec->cpu, w) : 0;

	return r < 0 ? r : namer_profile(n, NULL, NULL, 0, &rec->profile);
}

/* A second Ctrl-C, while debug information is read: names have to do. */
static bool show_reading(void *ctx)
{
	struct recording *rec = ctx;
	struct pollfd p = { .fd = rec->signal_fd, .events = POLLIN };
	struct session_stats s;

	session_stats(rec->session, &s);
	if (rec->watched && s.lines.pending) {
		fprintf(stderr, "\r\033[Kreading debug information: %u images left; Ctrl-C skips them ", s.lines.pending);
		rec->progress = true;
	}
	return poll(&p, 1, 0) == 0;
}

/* Progress only where somebody watches a terminal that can rewrite a line. */
static bool wants_progress(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && term && strcmp(term, "dumb");
}

static int prepare(struct recording *rec)
{
	static const int ends[] = { SIGINT, SIGTERM };
	static const struct tracing_opts tracing = { .routes = { .learn = true }, .forget_ns = SESSION_NO_LIMIT };
	const struct record_opts *o = &rec->opts;
	struct session_opts session = { .on_window = keep_profile, .ctx = rec, .names = o->target.names,
					.symbols = target_opts_symbols(&o->target), .lines_wait_ns = o->symbol_timeout_ns,
					.waiting = show_reading,
					.tracing = o->by_route ? &tracing : NULL };
	int r = rec->signal_fd = signals_open(ends, ARRAY_SIZE(ends));

	if (r < 0 || (r = target_opts_open(&rec->opts.target, rec->err, sizeof(rec->err))) < 0)
		return r;
	r = o->command ? target_spawn(&rec->target, o->command, rec->err, sizeof(rec->err)) :
			 target_watch(&rec->target, o->target.pids, o->target.n_pids, rec->err, sizeof(rec->err));
	if (r < 0)
		return r;
	target_opts_fill(&o->target, &session.collector);
	session.collector.sampler.follow_pids = o->command && !o->all;
	r = session_new(&session, &rec->session, rec->err, sizeof(rec->err));
	if (r >= 0 && o->command && !o->all)
		r = session_add_pid(rec->session, rec->target.pid);
	if (r >= 0)
		r = session_start(rec->session, rec->err, sizeof(rec->err));
	return r < 0 || !o->by_route ? r : tracing_clear(session_tracing(rec->session));
}

static int run(struct recording *rec)
{
	struct session_until until = { .duration_ns = rec->opts.duration_ns, .signal_fd = rec->signal_fd,
				       .ended = target_gone, .tick = tick, .ctx = rec };
	int r = target_release(&rec->target, rec->opts.command, rec->err, sizeof(rec->err));

	if (r < 0)
		return r;
	r = session_run(rec->session, &until);
	if (rec->progress)
		fprintf(stderr, "\r\033[K");
	rec->progress = false;
	if (r < 0)
		snprintf(rec->err, sizeof(rec->err), "sampling stopped: %s", strerror(-r));
	return r;
}

static void report(const struct recording *rec, const struct profile *p, uint64_t bytes, int command_status)
{
	_cleanup_(buf_fini) struct buf json = BUF_INIT;
	struct verdict v = { .stats = &rec->stats, .profile = p, .routes = rec->opts.by_route ? &rec->routes : NULL,
			     .frequency_hz = rec->opts.target.frequency_hz,
			     .output = rec->opts.output.path, .output_bytes = bytes,
			     .how_to_open = output_format(&rec->opts.output)->how_to_open, .command_status = command_status };

	if (!rec->opts.json) {
		verdict_print(&v, stderr);
		return;
	}
	verdict_json(&v, &json);
	fwrite(json.data, 1, json.len, stdout);
	fflush(stdout);
}

/* Rows of one route differ by status. */
static int add_routes(struct recording *rec)
{
	int r = tracing_count(session_tracing(rec->session));

	if (r >= 0)
		r = route_table_build(&rec->routes, session_tracing(rec->session), &rec->cpu);
	if (r >= 0)
		r = route_table_tell(&rec->routes, rec->profile);
	return r;
}

/* The command outlived the recording (-d, Ctrl-C): it runs on to its end, like under perf. */
static int wait_for_command(struct recording *rec)
{
	return rec->target.pid ? target_wait(&rec->target) : -1;
}

static int finish(struct recording *rec)
{
	uint64_t bytes = 0;
	struct signalfd_siginfo ended;
	int status, r;

	while (read(rec->signal_fd, &ended, sizeof(ended)) > 0)
		;
	r = session_finish(rec->session, SESSION_NO_LIMIT);
	if (rec->progress)
		fprintf(stderr, "\r\033[K");

	if (r < 0) {
		snprintf(rec->err, sizeof(rec->err), "cannot make the profile: %s", strerror(-r));
		return r;
	}
	r = rec->opts.by_route ? add_routes(rec) : 0;
	if (r < 0) {
		snprintf(rec->err, sizeof(rec->err), "cannot count the requests: %s", strerror(-r));
		return r;
	}
	session_stats(rec->session, &rec->stats);
	verdict_comment(rec->profile, &rec->stats, rec->opts.by_route ? &rec->routes : NULL, rec->opts.target.frequency_hz);
	r = output_write(&rec->opts.output, rec->profile, &bytes, rec->err, sizeof(rec->err));
	if (r < 0)
		return r;
	status = wait_for_command(rec);
	report(rec, rec->profile, bytes, status);
	return status > 0 ? status : EXIT_OK;
}

static void recording_fini(struct recording *rec)
{
	session_free(rec->session);
	profile_free(rec->profile);
	route_cpu_fini(&rec->cpu);
	route_table_fini(&rec->routes);
	target_fini(&rec->target);
	closep(&rec->signal_fd);
	target_opts_fini(&rec->opts.target);
}

int cmd_record(int argc, char **argv)
{
	_cleanup_(recording_fini) struct recording rec = { .target = TARGET_NONE, .signal_fd = -1 };
	int r = record_opts_parse(argc, argv, &rec.opts);

	if (r)
		return r < 0 ? EXIT_USAGE : EXIT_OK;
	rec.watched = wants_progress();
	r = prepare(&rec);
	if (r >= 0)
		r = run(&rec);
	if (r >= 0)
		r = finish(&rec);
	if (r >= 0)
		return r;
	log_error("%s%s", rec.err[0] ? rec.err : strerror(-r),
		  exit_status_of(r) == EXIT_CANNOT ? " (hotspan doctor says what this host allows)" : "");
	return exit_status_of(r);
}
