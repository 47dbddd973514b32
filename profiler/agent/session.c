/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/session.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/worker.h"
#include "base/cleanup.h"
#include "base/units.h"
#include "trace/tracing.h"

/* A few times a second: a process that lives 50 ms is worked on while its file is still there. */
#define POLL_NS (100 * NSEC_PER_MSEC)
#define WORD_NS (200 * NSEC_PER_MSEC)
#define TICK_NS (1 * NSEC_PER_SEC)
#define DEFAULT_TABLE_BYTES (24 * MIB)

struct session {
	struct session_opts opts;
	struct collector *collector;
	struct worker *worker;
	struct tracing *tracing; /* NULL: it was not asked for */
	struct session_stats stats;
	uint64_t new_cpu_ns, started_ns, started_cpu_ns;
	uint64_t flushed_ns; /* when the window that is filling began */
	uint64_t next_tick_ns;
};

static uint64_t own_cpu_ns(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return ((uint64_t)ru.ru_utime.tv_sec + (uint64_t)ru.ru_stime.tv_sec) * NSEC_PER_SEC +
	       ((uint64_t)ru.ru_utime.tv_usec + (uint64_t)ru.ru_stime.tv_usec) * NSEC_PER_USEC;
}

static uint64_t own_rss_bytes(void)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/self/statm", "re");
	unsigned long total, resident = 0;

	if (f && fscanf(f, "%lu %lu", &total, &resident) != 2)
		resident = 0;
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Every image sampled stays open until it is named. */
static void raise_file_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur == l.rlim_max)
		return;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
}

/* What is not sampled is not traced either. */
static const char *labels_of(void *ctx, uint32_t tgid, uint64_t cgroup_id)
{
	struct collector *c = ((struct session *)ctx)->collector;

	return collector_wants(c, tgid) ? collector_labels_of(c, tgid, cgroup_id) : NULL;
}

static void on_route(void *ctx, const struct ev_request *ev, uint32_t route)
{
	collector_tell_route(((struct session *)ctx)->collector, ev->span_id, ev->end_ns, route);
}

static uint64_t known_ns(void *ctx)
{
	return collector_known_ns(((struct session *)ctx)->collector);
}

static const char *route_text(void *ctx, uint32_t route)
{
	return tracing_route(((struct session *)ctx)->tracing, route);
}

/* Before the collector, whose sampler asks the tracer's maps. */
static int trace(struct session *s, char *err, size_t err_len)
{
	struct tracing_opts opts;
	int r;

	if (!s->opts.tracing)
		return 0;
	opts = *s->opts.tracing;
	opts.labels_of = labels_of;
	opts.on_route = on_route;
	opts.known_ns = known_ns;
	opts.labels_ctx = s;
	r = tracing_new(&opts, &s->tracing, err, err_len);
	if (r < 0)
		return r;
	s->opts.collector.sampler.flights_fd = tracer_flights_fd(tracing_tracer(s->tracing));
	s->opts.collector.sampler.procs_fd = tracer_procs_fd(tracing_tracer(s->tracing));
	s->opts.collector.requests = (struct whose_requests){ .route = route_text, .method = tracer_method, .spans = opts.tracer.spans, .ctx = s };
	return 0;
}

int session_new(const struct session_opts *opts, struct session **ret, char *err, size_t err_len)
{
	struct session *s = calloc(1, sizeof(*s));
	struct worker_opts worker = { .names = opts->names, .symbols = opts->symbols, .lines_wait_ns = opts->lines_wait_ns,
				      .on_window = opts->on_window, .ctx = opts->ctx,
				      .max_table_bytes = opts->max_table_bytes ? opts->max_table_bytes : DEFAULT_TABLE_BYTES };
	int r;

	if (!s)
		return -ENOMEM;
	s->opts = *opts;
	s->new_cpu_ns = own_cpu_ns();
	s->stats.start_ns = time_boot_ns();
	raise_file_limit();
	mallopt(M_ARENA_MAX, 2); /* one more thread that allocates; glibc would make an arena for each */
	mallopt(M_MMAP_THRESHOLD, 256 * KIB); /* fixed: sections of ELF files go back as soon as they are freed */
	snprintf(err, err_len, "out of memory");
	r = trace(s, err, err_len);
	if (r >= 0)
		r = collector_new(&s->opts.collector, &s->collector, err, err_len);
	if (r >= 0)
		r = worker_new(&worker, &s->worker);
	if (r < 0) {
		session_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

struct session *session_free(struct session *s)
{
	struct window *left = NULL;

	if (!s)
		return NULL;
	worker_free(s->worker, &left);
	window_free(left);
	collector_free(s->collector);
	tracing_free(s->tracing);
	free(s);
	return NULL;
}

struct tracing *session_tracing(struct session *s)
{
	return s->tracing;
}

int session_add_pid(struct session *s, int pid)
{
	return collector_add_pid(s->collector, pid);
}

int session_start(struct session *s, char *err, size_t err_len)
{
	int r = collector_start(s->collector, err, err_len);

	if (r < 0)
		return r;
	for (uint32_t i = 0; s->tracing && i < s->opts.collector.sampler.n_pids; i++)
		tracing_know(s->tracing, (uint32_t)s->opts.collector.sampler.pids[i]);
	s->started_ns = s->flushed_ns = time_boot_ns();
	s->next_tick_ns = s->started_ns + TICK_NS;
	s->started_cpu_ns = own_cpu_ns();
	s->stats.start_ns = s->started_ns - s->stats.start_ns;
	s->stats.start_cpu_ns = s->started_cpu_ns - s->new_cpu_ns;
	return 0;
}

static int wait_ns(struct pollfd *fds, nfds_t n, uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / NSEC_PER_SEC), .tv_nsec = (long)(ns % NSEC_PER_SEC) };
	int r = ppoll(fds, n, &ts, NULL);

	return r < 0 && errno != EINTR ? -errno : 0;
}

/* The window the worker is done with dies here. 0 or what on_window() returned. */
static int take_back(struct session *s, uint64_t timeout_ns)
{
	int r = 0;

	window_free(worker_take_back(s->worker, timeout_ns, &r));
	return r;
}

static int flush(struct session *s)
{
	struct window *w = collector_take_window(s->collector);

	if (!w)
		return -ENOMEM;
	s->flushed_ns = time_boot_ns();
	worker_give(s->worker, w);
	return 0;
}

static uint64_t flush_due(const struct session *s)
{
	return s->opts.flush_interval_ns ? s->flushed_ns + s->opts.flush_interval_ns : UINT64_MAX;
}

static int flush_when_due(struct session *s)
{
	if (time_boot_ns() < flush_due(s))
		return 0;
	if (worker_is_idle(s->worker))
		return flush(s);
	s->stats.flushes_late++;
	s->flushed_ns += s->opts.flush_interval_ns;
	return 0;
}

/* One round of everything that is not the caller's. */
static int turn(struct session *s)
{
	int r = collector_poll(s->collector);

	if (r >= 0 && s->tracing)
		r = tracing_poll(s->tracing);
	if (r >= 0)
		r = take_back(s, 0);
	return r < 0 ? r : flush_when_due(s);
}

static uint64_t next_wake(const struct session *s, uint64_t now, uint64_t end)
{
	uint64_t wake = now + POLL_NS;

	wake = end < wake ? end : wake;
	wake = flush_due(s) < wake ? flush_due(s) : wake;
	return wake > now ? wake - now : 0;
}

int session_run(struct session *s, const struct session_until *until)
{
	struct pollfd fds[] = { { .fd = collector_fd(s->collector), .events = POLLIN },
				{ .fd = until->signal_fd, .events = POLLIN },
				{ .fd = s->tracing ? tracer_fd(tracing_tracer(s->tracing)) : -1, .events = POLLIN } };
	uint64_t begin = s->started_ns, end = until->duration_ns ? begin + until->duration_ns : UINT64_MAX;
	uint64_t now = time_boot_ns();
	int r;

	for (;; now = time_boot_ns()) {
		if (now >= end)
			return SESSION_TIME;
		r = wait_ns(fds, ARRAY_SIZE(fds), next_wake(s, now, end));
		if (r >= 0)
			r = turn(s);
		if (r < 0)
			return r;
		if (until->tick && now >= s->next_tick_ns) {
			until->tick(until->ctx, now - begin);
			s->next_tick_ns = now + TICK_NS;
		}
		if (fds[1].revents)
			return SESSION_SIGNAL;
		if (until->ended && until->ended(until->ctx))
			return SESSION_TARGET;
	}
}

int session_set_frequency(struct session *s, uint32_t hz, const char *limited_by)
{
	return collector_set_frequency(s->collector, hz, limited_by);
}

void session_set_rules(struct session *s, struct relabel *rules)
{
	collector_set_rules(s->collector, rules);
}

void session_set_pods(struct session *s, struct pods *pods)
{
	collector_set_pods(s->collector, pods);
}

uint64_t session_pods_missed(const struct session *s)
{
	return collector_pods_missed(s->collector);
}

int session_save_memory(struct session *s)
{
	int r = s->opts.flush_interval_ns && worker_is_idle(s->worker) ? flush(s) : 0;

	malloc_trim(0);
	return r;
}

void session_set_flush_interval(struct session *s, uint64_t ns)
{
	s->opts.flush_interval_ns = ns;
}

/* As take_back(), with a word now and then to who waits. */
static int take_back_last(struct session *s, uint64_t until_ns)
{
	for (;;) {
		uint64_t now = time_boot_ns(), left = until_ns > now ? until_ns - now : 1;
		int r = take_back(s, s->opts.waiting && left > WORD_NS ? WORD_NS : left);

		if (r != -ETIMEDOUT || !s->opts.waiting || time_boot_ns() >= until_ns)
			return r;
		if (!s->opts.waiting(s->opts.ctx))
			worker_hurry(s->worker);
	}
}

int session_finish(struct session *s, uint64_t timeout_ns)
{
	uint64_t until = time_boot_ns() + timeout_ns;
	int r = collector_stop(s->collector), last;

	if (r < 0)
		return r;
	s->stats.wall_ns = time_boot_ns() - s->started_ns;
	s->stats.sampling_cpu_ns = own_cpu_ns() - s->started_cpu_ns;
	r = take_back(s, timeout_ns);
	if (r == -ETIMEDOUT)
		return r;
	last = flush(s);
	if (last >= 0)
		last = take_back_last(s, until);
	return r < 0 ? r : last;
}

void session_stats(struct session *s, struct session_stats *ret)
{
	struct worker_stats w;
	bool stopped = s->stats.wall_ns != 0;

	*ret = s->stats;
	collector_stats(s->collector, &ret->collect);
	if (s->tracing) {
		ret->collect.kernel_bytes += tracer_kernel_bytes(tracing_tracer(s->tracing));
		tracer_counts(tracing_tracer(s->tracing), ret->requests);
		ret->requests[TRACE_COUNT_CELLS_FULL] += tracing_lost(s->tracing);
		ret->requests[TRACE_COUNT_RING_FULL] += tracing_not_held(s->tracing);
		tracing_joined_all(s->tracing, ret->joined_ns);
	}
	worker_stats(s->worker, &w);
	ret->name = w.name;
	ret->windows = w.windows;
	ret->naming_ns = w.busy_ns;
	ret->symbol_bytes = w.symbol_bytes;
	ret->lines = w.lines;
	ret->lines_error = w.lines_error;
	if (!stopped) {
		ret->wall_ns = time_boot_ns() - s->started_ns;
		ret->sampling_cpu_ns = own_cpu_ns() - s->started_cpu_ns;
	}
	ret->cpu_ns = own_cpu_ns() - s->new_cpu_ns;
	ret->rss_bytes = own_rss_bytes();
}
