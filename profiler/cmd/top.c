/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top - a session that hands over a window each interval; its profile goes into the model, and the
 * model onto the screen or, without one, into text.
 *
 *	worker thread: on_window() -> model (under lock) -> event_fd
 *	loop thread:   event_fd, keys, signals, behind one epoll descriptor that ends session_run()
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/session.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/units.h"
#include "cmd/command.h"
#include "cmd/signals.h"
#include "cmd/target.h"
#include "cmd/text.h"
#include "cmd/top_facts.h"
#include "cmd/top_model.h"
#include "cmd/top_opts.h"
#include "cmd/top_print.h"
#include "cmd/top_screen.h"
#include "cmd/top_view.h"
#include "collect/window.h"
#include "pprof/profile.h"

struct top {
	struct top_opts opts;
	struct target target;
	struct session *session;
	int signal_fd, event_fd, epoll_fd;
	pthread_mutex_t lock;
	struct top_model *model;  /* under lock */
	struct name_stats named;  /* under lock; of the last window */
	atomic_bool paused;
	struct top_facts facts;
	uint64_t intervals;
	struct top_view view;
	struct top_rows rows;
	struct top_screen *screen; /* NULL: batch */
	bool done, target_ended;
	char notice[80];
	char err[512];
};

static int add_profile(struct top *t, struct namer *n, const struct window *w)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	int r = namer_profile(n, NULL, NULL, 0, &p);

	if (r < 0)
		return r;
	pthread_mutex_lock(&t->lock);
	r = top_model_add(t->model, p, w->end_boot_ns - w->start_boot_ns);
	namer_stats(n, &t->named);
	pthread_mutex_unlock(&t->lock);
	return r;
}

static int on_window(void *ctx, struct namer *n, const struct window *w)
{
	struct top *t = ctx;
	int r = t->paused ? 0 : add_profile(t, n, w);

	if (eventfd_write(t->event_fd, 1) < 0)
		return -errno;
	return r;
}

static bool target_gone(void *ctx)
{
	const struct top *t = ctx;

	return target_ended(&t->target);
}

/* --- output --- */

static int write_all(const struct buf *b)
{
	if (buf_error(b))
		return buf_error(b);
	if (fwrite(b->data, 1, b->len, stdout) != b->len || fflush(stdout) == EOF)
		return -(errno ? errno : EIO);
	return 0;
}

static int print_page(struct top *t)
{
	_cleanup_(buf_fini) struct buf out = BUF_INIT;
	struct top_query functions = { .sort = t->opts.sort_functions, .filter = t->opts.filter };
	struct top_query processes = { .sort = t->opts.sort_processes, .filter = t->opts.filter };
	struct top_page page = { .facts = &t->facts, .rows = &t->rows, .max_rows = t->opts.rows,
				 .by_thread = t->opts.target.by == COLLECT_BY_THREAD, .time_utc_ns = time_utc_ns(),
				 .filter = t->opts.filter };
	int r;

	pthread_mutex_lock(&t->lock);
	r = top_rows_functions(&t->rows, t->model, &functions);
	if (r >= 0)
		r = top_rows_processes(&t->rows, t->model, &processes);
	if (r >= 0)
		(t->opts.json ? top_print_json : top_print_text)(&page, &out);
	pthread_mutex_unlock(&t->lock);
	if (r >= 0)
		r = write_all(&out);
	if (r < 0)
		snprintf(t->err, sizeof(t->err), "cannot write to standard output: %s", strerror(-r));
	return r;
}

static void find_row_under_cursor(struct top *t)
{
	uint32_t row = t->view.place[TOP_PROCESSES].selected;

	t->view.has_under = t->view.table == TOP_PROCESSES && row < t->rows.processes.n;
	if (t->view.has_under)
		t->view.under = t->rows.processes.v[row];
}

/* Under lock. */
static int paint(struct top *t)
{
	bool functions = t->view.table == TOP_FUNCTIONS;
	struct top_picture picture = { .view = &t->view, .rows = &t->rows, .facts = t->intervals ? &t->facts : NULL,
				       .by_thread = t->opts.target.by == COLLECT_BY_THREAD, .notice = t->notice };
	struct top_query q;
	int r;

	top_view_query(&t->view, &q);
	r = functions ? top_rows_functions(&t->rows, t->model, &q) : top_rows_processes(&t->rows, t->model, &q);
	if (r < 0)
		return r;
	top_view_fit(&t->view, functions ? t->rows.functions.n : t->rows.processes.n, top_screen_page(t->screen));
	find_row_under_cursor(t);
	top_screen_paint(t->screen, &picture);
	return 0;
}

/* A slow terminal holds up the loop, but not the worker. */
static int draw(struct top *t)
{
	int r;

	pthread_mutex_lock(&t->lock);
	r = paint(t);
	pthread_mutex_unlock(&t->lock);
	if (r >= 0)
		top_screen_show(t->screen);
	return r;
}

/* --- what happens --- */

static int interval_ended(struct top *t)
{
	struct session_stats now;
	struct name_stats named;
	eventfd_t n;

	if (eventfd_read(t->event_fd, &n) < 0)
		return errno == EAGAIN ? 0 : -errno;
	session_stats(t->session, &now);
	if (t->paused) {
		struct top_facts unseen = t->facts;

		top_facts_update(&unseen, &now, &(struct name_stats){ 0 });
		t->facts.before = unseen.before;
		return 0;
	}
	pthread_mutex_lock(&t->lock);
	named = t->named;
	pthread_mutex_unlock(&t->lock);
	top_facts_update(&t->facts, &now, &named);
	t->intervals++;
	t->done = t->done || t->intervals == t->opts.count;
	return t->screen ? draw(t) : print_page(t);
}

static int change_rate(struct top *t, bool faster)
{
	static const uint32_t rates[] = { 9, 19, 49, 99, 199, 499, 999, 1999, 4999, 9999 };
	uint32_t hz = t->facts.frequency_hz, next = hz;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		if (faster && rates[i] > hz) {
			next = rates[i];
			break;
		}
		if (!faster && rates[i] < hz)
			next = rates[i];
	}
	r = session_set_frequency(t->session, next, NULL);
	if (r >= 0)
		t->facts.frequency_hz = next;
	snprintf(t->notice, sizeof(t->notice), r < 0 ? "the rate cannot be %u Hz" : "now %u Hz", next);
	return 0;
}

static int key(struct top *t, uint32_t k)
{
	t->notice[0] = '\0';
	switch (top_view_key(&t->view, k)) {
	case TOP_QUIT:
		t->done = true;
		return 0;
	case TOP_PAUSE:
		t->paused = t->view.paused;
		return 0;
	case TOP_FASTER:
		return change_rate(t, true);
	case TOP_SLOWER:
		return change_rate(t, false);
	default:
		return 0;
	}
}

static int keys(struct top *t, uint32_t events)
{
	uint32_t k;
	int r = 0;

	while (r >= 0 && !t->done && (k = top_screen_key(t->screen)) != TOP_KEY_NONE)
		r = key(t, k);
	if (events & (EPOLLHUP | EPOLLERR))
		t->done = true; /* the terminal is gone */
	return r >= 0 && !t->done ? draw(t) : r;
}

static int signals(struct top *t)
{
	struct signalfd_siginfo info;

	if (read(t->signal_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	if (info.ssi_signo != SIGWINCH) {
		t->done = true;
		return 0;
	}
	if (!t->screen)
		return 0;
	top_screen_resize(t->screen);
	return draw(t);
}

static int events(struct top *t)
{
	struct epoll_event ready[3];
	int n = epoll_wait(t->epoll_fd, ready, ARRAY_SIZE(ready), 0), r = 0;

	for (int i = 0; i < n && r >= 0 && !t->done; i++) {
		if (ready[i].data.fd == t->signal_fd)
			r = signals(t);
		else if (ready[i].data.fd == t->event_fd)
			r = interval_ended(t);
		else
			r = keys(t, ready[i].events);
	}
	return n < 0 && errno != EINTR ? -errno : r;
}

/* Text ends with what was left of the last interval; a screen stays until its user leaves. */
static int target_has_ended(struct top *t)
{
	int r;

	t->target_ended = true;
	if (t->screen) {
		snprintf(t->notice, sizeof(t->notice), "the process has ended");
		return draw(t);
	}
	r = session_finish(t->session, SESSION_NO_LIMIT);
	if (r >= 0)
		r = interval_ended(t);
	t->done = true;
	return r;
}

static int run(struct top *t)
{
	int r = t->screen ? draw(t) : 0;

	while (r >= 0 && !t->done) {
		struct session_until until = { .signal_fd = t->epoll_fd, .ctx = t,
					       .ended = t->opts.target.n_pids && !t->target_ended ? target_gone : NULL };

		r = session_run(t->session, &until);
		if (r == SESSION_SIGNAL)
			r = events(t);
		else if (r == SESSION_TARGET)
			r = target_has_ended(t);
	}
	if (r < 0 && !t->err[0])
		snprintf(t->err, sizeof(t->err), "sampling stopped: %s", strerror(-r));
	return r;
}

/* --- beginning and end --- */

static bool wants_screen(const struct top_opts *o)
{
	const char *term = getenv("TERM");

	return !o->batch && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb");
}

static int watch(struct top *t, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static int open_events(struct top *t)
{
	static const int signos[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH };
	int r = t->signal_fd = signals_open(signos, ARRAY_SIZE(signos));

	if (r < 0)
		return r;
	t->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (t->event_fd < 0 || t->epoll_fd < 0)
		return -errno;
	r = watch(t, t->signal_fd);
	return r < 0 ? r : watch(t, t->event_fd);
}

static int start_session(struct top *t)
{
	struct target_opts *o = &t->opts.target;
	struct session_opts session = { .on_window = on_window, .ctx = t, .names = t->opts.target.names,
					.symbols = target_opts_symbols(o),
					.flush_interval_ns = t->opts.interval_ns };
	int r = target_opts_open(o, t->err, sizeof(t->err));

	if (r >= 0)
		r = target_watch(&t->target, o->pids, o->n_pids, t->err, sizeof(t->err));
	if (r < 0)
		return r;
	target_opts_fill(o, &session.collector);
	r = session_new(&session, &t->session, t->err, sizeof(t->err));
	return r < 0 ? r : session_start(t->session, t->err, sizeof(t->err));
}

/* Last: a failure before it needs no terminal to be restored. */
static int open_screen(struct top *t)
{
	int r;

	if (!wants_screen(&t->opts))
		return 0;
	r = top_screen_new(&t->screen, t->err, sizeof(t->err));
	return r < 0 ? r : watch(t, STDIN_FILENO);
}

static int prepare(struct top *t)
{
	struct top_model_opts model = { .window_ns = t->opts.window_ns, .by_line = t->opts.by_line };
	int r = top_model_new(&model, &t->model);

	t->facts.frequency_hz = t->opts.target.frequency_hz;
	t->facts.window_ns = t->opts.window_ns;
	t->view.sort[TOP_FUNCTIONS] = t->opts.sort_functions;
	t->view.sort[TOP_PROCESSES] = t->opts.sort_processes;
	strncpy(t->view.filter, t->opts.filter ? t->opts.filter : "", sizeof(t->view.filter) - 1);
	text_init(!wants_screen(&t->opts));
	if (r >= 0)
		r = open_events(t);
	if (r >= 0)
		r = start_session(t);
	return r < 0 ? r : open_screen(t);
}

static void top_fini(struct top *t)
{
	t->screen = top_screen_free(t->screen);
	session_free(t->session);
	top_model_free(t->model);
	top_rows_fini(&t->rows);
	target_fini(&t->target);
	target_opts_fini(&t->opts.target);
	closep(&t->signal_fd);
	closep(&t->event_fd);
	closep(&t->epoll_fd);
	pthread_mutex_destroy(&t->lock);
}

int cmd_top(int argc, char **argv)
{
	_cleanup_(top_fini) struct top t = { .target = TARGET_NONE, .signal_fd = -1, .event_fd = -1, .epoll_fd = -1,
					     .lock = PTHREAD_MUTEX_INITIALIZER };
	int r = top_opts_parse(argc, argv, &t.opts);

	if (r)
		return r < 0 ? EXIT_USAGE : EXIT_OK;
	r = prepare(&t);
	if (r >= 0)
		r = run(&t);
	if (r >= 0)
		return EXIT_OK;
	t.screen = top_screen_free(t.screen); /* the message is for the terminal as it was */
	log_error("%s", t.err[0] ? t.err : strerror(-r));
	return exit_status_of(r);
}
