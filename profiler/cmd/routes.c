/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes - which route of which service the CPU time goes to: a session that samples without stacks and traces requests.
 *
 *	worker thread: on_window() -> CPU time of services (under lock)
 *	loop thread:   once a second the counts of requests; both into a table, on a terminal every few seconds, else at the end
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/session.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/units.h"
#include "cmd/command.h"
#include "cmd/flags.h"
#include "cmd/route_print.h"
#include "cmd/route_table.h"
#include "cmd/signals.h"
#include "cmd/target.h"
#include "cmd/target_opts.h"
#include "cmd/text.h"
#include "trace/tracing.h"
#include "version.h"

#define REFRESH_NS (2 * NSEC_PER_SEC)

/* In the order of the rows below. */
enum { ROW_WHAT, ROW_PID, ROW_ALL, ROW_HOW, ROW_FREQUENCY, ROW_DURATION, ROW_JSON };

static const struct flag flags[] = {
	[ROW_WHAT] = { .heading = "Of what (default: every process, -a); -- COMMAND runs a command, under sudo as the user who called sudo" },
	[ROW_PID] = TARGET_ROW_PID,
	[ROW_ALL] = { 'a', "all", NULL, "every process of the host, also while a COMMAND runs" },
	[ROW_HOW] = { .heading = "How" },
	[ROW_FREQUENCY] = TARGET_ROW_FREQUENCY,
	[ROW_DURATION] = { 'd', "duration", "TIME", "10, 10s, 1.5m, and print the table then (default: until Ctrl-C, or the end\nof the target; a terminal is shown it every 2 s meanwhile)" },
	[ROW_JSON] = { 0, "json", NULL, "one object, at the end" },
};

const struct cli routes_cli = {
	.name = "routes",
	.summary = "show what each HTTP route costs: CPU time, requests, durations",
	.usage = "[options] [-- COMMAND [args...]]",
	.about = "Shows where the CPU time of HTTP servers goes, by service, route, method and class of status. Requests are\n"
		 "counted in the kernel, each one; CPU time is sampled, and is a request's while one thread works on it and\n"
		 "on no other. HTTP/1 in plain text; no restart, no proxy.",
	.flags = flags,
	.n_flags = ARRAY_SIZE(flags),
	.after = "share is of the service's CPU time: its rows add up to all of it, with what is unattributed. err % is of the\n"
		 "route's requests: 5xx, or no answer. p50 and p95 are bounds of the bucket the value lies in, mean is exact.\n"
		 "Status none: the connection ended before an answer came.\n"
		 "\n"
		 "Exit status: the command's own with --, else 0 ok, 1 failed, 2 wrong usage,\n"
		 "3 missing privilege or kernel feature.\n"
		 "\n"
		 "Examples\n"
		 "  hotspan routes                   the whole host, live\n"
		 "  hotspan routes -p 4711 -d 30     one server, for half a minute\n"
		 "  hotspan routes -F 999 -- ./bench a server and its load\n",
};

#define usage(...) flags_complain(&routes_cli, __VA_ARGS__)

struct routes_run {
	struct target_opts opts;
	struct target target;
	char **command; /* NULL: none */
	uint64_t duration_ns;
	bool all, json, live;
	struct session *session;
	pthread_mutex_t lock;
	struct route_cpu cpu; /* under lock */
	struct session_stats stats;
	uint64_t shown_ns; /* when the terminal was last written to, since the start */
	int signal_fd;
	char err[512];
};

static int set(void *ctx, size_t row, const char *value)
{
	struct routes_run *run = ctx;
	int r = target_opts_set(&run->opts, &routes_cli, row, value);

	if (r != -ENOENT)
		return r;
	if (row == ROW_DURATION)
		return parse_duration(value, &run->duration_ns) < 0 || !run->duration_ns ?
			       usage("-d takes a time such as 10s or 1.5m, not '%s'", value) : 0;
	*(row == ROW_ALL ? &run->all : &run->json) = true;
	return 0;
}

static int parse(struct routes_run *run, int argc, char **argv)
{
	int first, r;

	run->opts = TARGET_OPTS_INIT;
	r = flags_parse(&routes_cli, argc, argv, set, run, &first);
	if (r)
		return r;
	run->command = first < argc ? argv + first : NULL;
	if (run->all && run->opts.n_pids)
		return usage("-a is every process: leave out -p");
	return run->command && run->opts.n_pids ? usage("-p and a command exclude each other") : 0;
}

/* ---- the table ---- */

static int on_window(void *ctx, struct namer *n, const struct window *w)
{
	struct routes_run *run = ctx;
	int r;

	pthread_mutex_lock(&run->lock);
	r = route_cpu_add(&run->cpu, w);
	pthread_mutex_unlock(&run->lock);
	return r;
}

static int build(struct routes_run *run, struct route_table *ret)
{
	int r = tracing_count(session_tracing(run->session));

	pthread_mutex_lock(&run->lock);
	if (r >= 0)
		r = route_table_build(ret, session_tracing(run->session), &run->cpu);
	pthread_mutex_unlock(&run->lock);
	session_stats(run->session, &run->stats);
	return r;
}

static void put_text(const struct routes_run *run, const struct route_table *t, uint32_t max, int width, struct buf *out)
{
	const struct session_stats *s = &run->stats;

	route_print_facts(t, s, out);
	buf_printf(out, "sampled    %.2f CPU s of servers, %.2f of others; %llu samples in %.1f s at %u Hz, %llu lost\n\n", (double)t->cpu_ns / 1e9,
		   (double)t->other_ns / 1e9, (unsigned long long)s->collect.samples, (double)s->wall_ns / 1e9, run->opts.frequency_hz,
		   (unsigned long long)s->collect.lost);
	route_print_text(t, s->wall_ns, max, width, out);
}

static void put_json(const struct routes_run *run, const struct route_table *t, struct buf *out)
{
	const struct session_stats *s = &run->stats;

	buf_printf(out, "{\"version\":\"%s\",\"wall_ns\":%llu,\"frequency_hz\":%u,\"samples\":%llu,\"lost\":%llu", HOTSPAN_VERSION,
		   (unsigned long long)s->wall_ns, run->opts.frequency_hz, (unsigned long long)s->collect.samples,
		   (unsigned long long)s->collect.lost);
	buf_printf(out, ",\"cpu_ns\":%llu,\"other_cpu_ns\":%llu", (unsigned long long)t->cpu_ns, (unsigned long long)t->other_ns);
	route_print_json_facts(t, s, out);
	buf_puts(out, ",\"routes\":");
	route_print_json(t, s->wall_ns, out);
	buf_puts(out, "}\n");
}

/* 0: it is no terminal, or says nothing. */
static struct winsize terminal_size(void)
{
	struct winsize size = { 0 };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	return size;
}

/* What a terminal holds, from its upper left corner on. */
static void put_screen(const struct routes_run *run, const struct route_table *t, struct buf *out)
{
	struct winsize size = terminal_size();

	buf_puts(out, "\033[H\033[J");
	put_text(run, t, size.ws_row > 10 ? size.ws_row - 7u : 3, size.ws_col ? size.ws_col : ROUTE_WIDTH, out);
}

static int show(struct routes_run *run, void (*put)(const struct routes_run *run, const struct route_table *t, struct buf *out))
{
	_cleanup_(route_table_fini) struct route_table t = { 0 };
	_cleanup_(buf_fini) struct buf out = BUF_INIT;
	int r = build(run, &t);

	if (r >= 0) {
		put(run, &t, &out);
		r = buf_error(&out);
	}
	if (r >= 0)
		r = file_write_all(STDOUT_FILENO, out.data, out.len);
	return r;
}

static void put_all(const struct routes_run *run, const struct route_table *t, struct buf *out)
{
	struct winsize size = terminal_size();

	if (run->live)
		buf_puts(out, "\033[H\033[J");
	put_text(run, t, UINT32_MAX, size.ws_col ? size.ws_col : ROUTE_WIDTH, out);
}

/* ---- the run ---- */

/* A count that fails is made up for by the next one; a terminal that is gone ends us by a signal. */
static void tick(void *ctx, uint64_t elapsed_ns)
{
	struct routes_run *run = ctx;

	if (!run->live || elapsed_ns - run->shown_ns < REFRESH_NS - NSEC_PER_SEC / 2) {
		tracing_count(session_tracing(run->session));
		return;
	}
	run->shown_ns = elapsed_ns;
	show(run, put_screen);
}

static bool target_gone(void *ctx)
{
	const struct routes_run *run = ctx;

	return target_ended(&run->target);
}

static int start_session(struct routes_run *run)
{
	const struct tracing_opts tracing = { .routes = { .learn = true }, .forget_ns = SESSION_NO_LIMIT };
	struct session_opts session = { .on_window = on_window, .ctx = run, .tracing = &tracing, .flush_interval_ns = NSEC_PER_SEC };
	bool only_command = run->command && !run->all;
	int r;

	target_opts_fill(&run->opts, &session.collector);
	session.collector.by = COLLECT_BY_TARGET;
	session.collector.sampler.kernel_stacks = session.collector.sampler.user_stacks = false;
	session.collector.sampler.follow_pids = only_command;
	r = session_new(&session, &run->session, run->err, sizeof(run->err));
	if (r >= 0 && only_command)
		r = session_add_pid(run->session, run->target.pid);
	if (r >= 0)
		r = session_start(run->session, run->err, sizeof(run->err));
	return r < 0 ? r : tracing_clear(session_tracing(run->session));
}

static int prepare(struct routes_run *run)
{
	static const int ends[] = { SIGINT, SIGTERM };
	const char *term = getenv("TERM");
	int r = run->signal_fd = signals_open(ends, ARRAY_SIZE(ends));

	run->live = !run->json && !run->duration_ns && isatty(STDOUT_FILENO) && term && strcmp(term, "dumb");
	text_init(!run->live);
	if (r < 0)
		return r;
	r = run->command ? target_spawn(&run->target, run->command, run->err, sizeof(run->err)) :
			   target_watch(&run->target, run->opts.pids, run->opts.n_pids, run->err, sizeof(run->err));
	return r < 0 ? r : start_session(run);
}

static int run_session(struct routes_run *run)
{
	const struct session_until until = { .duration_ns = run->duration_ns, .signal_fd = run->signal_fd, .ended = target_gone, .tick = tick,
					     .ctx = run };
	int r = target_release(&run->target, run->command, run->err, sizeof(run->err));

	if (r >= 0)
		r = session_run(run->session, &until);
	if (r >= 0)
		r = session_finish(run->session, SESSION_NO_LIMIT);
	if (r >= 0)
		r = show(run, run->json ? put_json : put_all);
	if (r < 0 && !run->err[0])
		snprintf(run->err, sizeof(run->err), "stopped: %s", strerror(-r));
	return r;
}

static void routes_run_fini(struct routes_run *run)
{
	session_free(run->session);
	route_cpu_fini(&run->cpu);
	target_fini(&run->target);
	target_opts_fini(&run->opts);
	closep(&run->signal_fd);
	pthread_mutex_destroy(&run->lock);
}

int cmd_routes(int argc, char **argv)
{
	_cleanup_(routes_run_fini) struct routes_run run = { .target = TARGET_NONE, .signal_fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER };
	int status, r = parse(&run, argc, argv);

	if (r)
		return r < 0 ? EXIT_USAGE : EXIT_OK;
	r = prepare(&run);
	if (r >= 0)
		r = run_session(&run);
	if (r >= 0) {
		status = run.target.pid ? target_wait(&run.target) : EXIT_OK;
		return status > 0 ? status : EXIT_OK;
	}
	log_error("%s%s", run.err[0] ? run.err : strerror(-r), exit_status_of(r) == EXIT_CANNOT ? " (hotspan doctor says what this host allows)" : "");
	return exit_status_of(r);
}
