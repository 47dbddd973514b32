/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/units.h"
#include "pprof/profile.h"
#include "symbolize/symbolizer.h"

/* A few times a second: a process that lives 50 ms is worked on while its file is still there. */
#define POLL_NS (100 * NSEC_PER_MSEC)
#define PROGRESS_NS (1 * NSEC_PER_SEC)

struct session {
	struct session_opts opts;
	struct collector *collector;
	struct symbolizer *symbols;
	struct session_stats stats;
	uint64_t new_cpu_ns, started_ns, started_cpu_ns;
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

int session_new(const struct session_opts *opts, struct session **ret, char *err, size_t err_len)
{
	struct session *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->opts = *opts;
	s->new_cpu_ns = own_cpu_ns();
	s->stats.start_ns = time_boot_ns();
	raise_file_limit();
	snprintf(err, err_len, "out of memory");
	r = collector_new(&opts->collector, &s->collector, err, err_len);
	if (r >= 0)
		r = symbolizer_new(NULL, &s->symbols);
	if (r < 0) {
		session_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

struct session *session_free(struct session *s)
{
	if (!s)
		return NULL;
	symbolizer_free(s->symbols);
	collector_free(s->collector);
	free(s);
	return NULL;
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
	s->started_ns = time_boot_ns();
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

int session_run(struct session *s, const struct session_until *until)
{
	struct pollfd fds[] = { { .fd = collector_fd(s->collector), .events = POLLIN },
				{ .fd = until->signal_fd, .events = POLLIN } };
	uint64_t begin = s->started_ns, next_progress = begin + PROGRESS_NS;

	for (;;) {
		uint64_t now = time_boot_ns(), wait = POLL_NS;
		struct collector_stats stats;
		int r;

		if (until->duration_ns && now - begin >= until->duration_ns)
			return SESSION_TIME;
		if (until->duration_ns && begin + until->duration_ns - now < wait)
			wait = begin + until->duration_ns - now;
		r = wait_ns(fds, ARRAY_SIZE(fds), wait);
		if (r >= 0)
			r = collector_poll(s->collector);
		if (r < 0)
			return r;
		if (fds[1].revents)
			return SESSION_SIGNAL;
		if (until->ended && until->ended(until->ctx))
			return SESSION_TARGET;
		if (until->progress && now >= next_progress) {
			collector_stats(s->collector, &stats);
			until->progress(until->ctx, now - begin, &stats);
			next_progress = now + PROGRESS_NS;
		}
	}
}

int session_finish(struct session *s, struct profile **ret, struct session_stats *ret_stats)
{
	struct namer *n = NULL;
	struct window *w;
	uint64_t begin;
	int r = collector_stop(s->collector);

	if (r < 0)
		return r;
	s->stats.wall_ns = time_boot_ns() - s->started_ns;
	s->stats.sampling_cpu_ns = own_cpu_ns() - s->started_cpu_ns;
	collector_stats(s->collector, &s->stats.collect);
	w = collector_take_window(s->collector);
	if (!w)
		return -ENOMEM;
	begin = time_boot_ns();
	r = namer_new(w, s->symbols, &(struct name_opts){ 0 }, &n);
	if (r >= 0)
		r = namer_profile(n, NULL, 0, ret);
	if (r >= 0)
		namer_stats(n, &s->stats.name);
	namer_free(n);
	window_free(w);
	s->stats.naming_ns = time_boot_ns() - begin;
	s->stats.cpu_ns = own_cpu_ns() - s->new_cpu_ns;
	s->stats.rss_bytes = own_rss_bytes();
	if (r >= 0)
		*ret_stats = s->stats;
	return r;
}
