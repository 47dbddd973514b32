/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/collector.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "collect/cpus.h"
#include "collect/late.h"
#include "collect/resolve.h"
#include "collect/timeline.h"
#include "collect/unrouted.h"
#include "proc/process.h"
#include "proc/scan.h"
#include "proc/sideband.h"
#include "unwind/unwinder.h"

/* Samples of an exiting process come for a while after its exit event, as long as its threads wait for a CPU to end on. A storm
 * of processes is kept for so long: at 1,000 a second each second of it is 0.5 MB. */
#define EXIT_GRACE_NS        (500 * NSEC_PER_MSEC)
#define CPU_CHECK_NS         (1 * NSEC_PER_SEC)
#define DEFAULT_WINDOW_BYTES (256 * MIB)
/* Samples wait while rows are built, with their stacks; above the first bound without (EV_CUT_NO_TABLES), above the
 * second not at all. */
#define MAX_STACKS_BYTES  (16 * MIB)
#define MAX_WAITING_BYTES (24 * MIB)

struct collector {
	struct collector_opts opts;
	struct images *images;
	struct processes *processes;
	struct whose *whose;
	struct sideband *sideband;
	struct sampler *sampler;
	struct unwinder *unwinder;
	struct timeline timeline;
	struct window *window;
	struct unrouted unrouted; /* samples of it */
	struct collector_stats stats;
	struct resolved resolved; /* of the sample at hand: too large for a stack */
	int epoll_fd;
	bool started;
	uint64_t complete_ns; /* every record stamped up to here has been drained */
	uint64_t known_ns;    /* and every one up to here worked on */
	uint64_t cpus_checked_ns;
	struct late late;
	uint64_t lost_told; /* losses that earlier windows carry */
	const char *limited_by; /* what holds the rate down: see window.h */
	int n_cpus;         /* highest CPU number opened + 1 */
	bool online[CPUS_MAX];
};

struct collector *collector_free(struct collector *c)
{
	if (!c)
		return NULL;
	unwinder_free(c->unwinder); /* before the maps it fills */
	sampler_free(c->sampler);
	sideband_free(c->sideband);
	timeline_fini(&c->timeline);
	window_free(c->window);
	unrouted_fini(&c->unrouted);
	processes_free(c->processes);
	images_free(c->images);
	whose_free(c->whose);
	closep(&c->epoll_fd);
	free(c);
	return NULL;
}

static int watch(struct collector *c, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };

	return epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 && errno != EEXIST ? -errno : 0;
}

/* A CPU that went away: its events close themselves, its descriptors do not. */
static void close_cpu(struct collector *c, int cpu)
{
	sampler_close_cpu(c->sampler, cpu);
	sideband_close_cpu(c->sideband, cpu);
}

static int open_sideband(struct collector *c, int cpu)
{
	int r = sideband_open_cpu(c->sideband, cpu);

	return r < 0 ? r : watch(c, sideband_fd(c->sideband, cpu));
}

/* Follows hotplug: opens CPUs that came, closes those that went. -ENODEV from a CPU that goes
 * offline between reading the list and opening it is no error: the next look sees it. */
static int follow_cpus(struct collector *c)
{
	int n = cpus_online(c->online), r = 0;

	if (n < 0)
		return n;
	c->stats.cpus = 0;
	for (int cpu = 0; cpu < n || cpu < c->n_cpus; cpu++) {
		if (cpu >= n || !c->online[cpu]) {
			close_cpu(c, cpu);
			continue;
		}
		r = open_sideband(c, cpu);
		if (r >= 0 && c->started)
			r = sampler_open_cpu(c->sampler, cpu);
		if (r < 0 && r != -ENODEV)
			return r;
		c->stats.cpus += r >= 0;
	}
	if (n > c->n_cpus)
		c->n_cpus = n;
	c->cpus_checked_ns = time_boot_ns();
	return 0;
}

static uint64_t idle_ns(void)
{
	uint64_t ns;

	return cpus_idle_ns(&ns) < 0 ? 0 : ns;
}

static int new_window(struct collector *c, struct window **ret)
{
	size_t max = c->opts.max_window_bytes ? c->opts.max_window_bytes : DEFAULT_WINDOW_BYTES;
	int r = window_new(c->images, max, ret);

	if (r < 0)
		return r;
	(*ret)->start_utc_ns = time_utc_ns();
	(*ret)->start_boot_ns = time_boot_ns();
	(*ret)->period_ns = (*ret)->longest_period_ns = NSEC_PER_SEC / c->opts.sampler.frequency_hz;
	(*ret)->limited_by = c->limited_by;
	return 0;
}

static int make_parts(struct collector *c)
{
	int r;

	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll_fd < 0)
		return -errno;
	if ((r = images_new(&c->images)) < 0 || (r = processes_new(c->images, &c->processes)) < 0 ||
	    (r = whose_new(c->opts.by, &c->opts.requests, &c->whose)) < 0 ||
	    (r = sideband_new(&c->sideband)) < 0)
		return r;
	return 0;
}

static int explain(int r, char *err, size_t err_len)
{
	if (r == -EPERM || r == -EACCES) {
		/* The program is loaded, so CAP_PERFMON is held: Debian's and Ubuntu's kernels ask for more above 2. */
		snprintf(err, err_len, "%s",
			 "opening the sampling events was refused: run it as root (sudo), or set "
			 "kernel.perf_event_paranoid to 2");
		return -EPERM;
	}
	snprintf(err, err_len, "cannot open perf events: %s", strerror(-r));
	return r;
}

static int make_unwinder(struct collector *c, char *err, size_t err_len)
{
	const struct unwinder_opts opts = { .slabs_fd = sampler_slabs_fd(c->sampler),
					    .spaces_fd = sampler_spaces_fd(c->sampler),
					    .max_bytes = c->opts.max_unwind_bytes };
	int r = unwinder_new(&opts, c->processes, &c->unwinder);

	if (r < 0)
		snprintf(err, err_len, "cannot make room for unwind tables: %s", strerror(-r));
	return r;
}

int collector_new(const struct collector_opts *opts, struct collector **ret, char *err,
		  size_t err_len)
{
	struct collector *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->opts = *opts;
	c->opts.sampler.shares = opts->by == COLLECT_BY_TARGET;
	c->epoll_fd = -1;
	r = make_parts(c);
	if (r >= 0)
		r = sampler_new(&c->opts.sampler, &c->sampler, err, err_len);
	if (r >= 0)
		whose_set_frequency(c->whose, c->sampler, opts->sampler.frequency_hz);
	if (r >= 0)
		r = make_unwinder(c, err, err_len);
	if (r < 0) {
		collector_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

int collector_add_pid(struct collector *c, pid_t pid)
{
	return sampler_add_pid(c->sampler, pid);
}

int collector_start(struct collector *c, char *err, size_t err_len)
{
	int r = watch(c, sampler_fd(c->sampler));

	if (r >= 0)
		r = watch(c, unwinder_fd(c->unwinder));
	if (r >= 0)
		r = follow_cpus(c); /* the side-band only: not started yet */
	if (r < 0)
		return explain(r, err, err_len);
	r = scan_all(c->processes);
	if (r < 0) {
		snprintf(err, err_len, "cannot read /proc: %s: is it mounted?", strerror(-r));
		return r;
	}
	r = new_window(c, &c->window);
	c->started = true;
	late_begin(&c->late, NSEC_PER_SEC / c->opts.sampler.frequency_hz, idle_ns());
	if (r >= 0)
		r = follow_cpus(c);
	return r < 0 ? explain(r, err, err_len) : 0;
}

int collector_fd(const struct collector *c)
{
	return c->epoll_fd;
}

static int add_sample(struct collector *c, const struct ev_sample *ev)
{
	struct window_labels labels;
	struct process *p;
	int r = resolve_process(c->processes, ev, &p);

	if (r < 0)
		return r;
	/* Before its stack: for what is not wanted no table is built. */
	if (!whose_labels(c->whose, c->sampler, ev, p, &c->window->strings, &labels)) {
		c->stats.left_out += ev->weight;
		return 0;
	}
	r = resolve_stack(c->processes, c->unwinder, ev, p, &c->resolved);
	if (r < 0)
		return r;
	whose_note_cut(c->whose, c->resolved.cut, &labels);
	r = window_add(c->window, c->resolved.frames, c->resolved.n, &labels, ev->weight,
		       ev->period_ns);
	if (r == -ENOSPC) {
		c->stats.counters[EV_DROP_WINDOW_FULL] += ev->weight;
		return 0;
	}
	if (r < 0)
		return r;
	if (ev->span_id && !ev->route)
		unrouted_note(&c->unrouted, ev, (uint32_t)r);
	if (!c->stats.samples)
		c->stats.first_sample_ns = ev->time_ns;
	c->stats.samples += ev->weight;
	c->stats.cpu_ns += (uint64_t)ev->weight * ev->period_ns;
	c->stats.cuts[c->resolved.cut < EV_CUT_MAX ? c->resolved.cut : EV_CUT_NO_REGS] +=
		ev->weight;
	c->stats.join_ns[ev->join < EV_JOIN_MAX ? ev->join : EV_JOIN_OTHERS] += (uint64_t)ev->weight * ev->period_ns;
	c->stats.kernel_cut += ev->flags & EV_SAMPLE_KERNEL_CUT ? ev->weight : 0;
	return 0;
}

static int on_due(void *ctx, enum timeline_source source, uint64_t time_ns, const void *record,
		  size_t len)
{
	struct collector *c = ctx;
	int64_t r;

	if (source == TIMELINE_SAMPLE)
		return add_sample(c, record);
	r = sideband_apply(c->processes, record, len, time_ns);
	if (r > 0)
		c->stats.sideband_lost += (uint64_t)r;
	return r < 0 ? (int)r : 0;
}

static int on_sideband(void *ctx, uint64_t time_ns, const void *record, size_t len)
{
	struct collector *c = ctx;

	return timeline_add(&c->timeline, TIMELINE_SIDEBAND, time_ns, record, len);
}

static int on_sample(void *ctx, const struct ev_sample *ev, size_t len)
{
	uint64_t small[SAMPLER_SMALL_WORDS];
	struct collector *c = ctx;

	if (c->timeline.bytes.len > MAX_WAITING_BYTES) {
		c->stats.counters[EV_DROP_WAITING_FULL] += ev->weight;
		return 0;
	}
	if (ev_rest_of(ev) && c->timeline.bytes.len > MAX_STACKS_BYTES) {
		len = sampler_without_stack(ev, small);
		ev = (const struct ev_sample *)small;
	}
	return timeline_add(&c->timeline, TIMELINE_SAMPLE, ev->time_ns, ev, len);
}

static int drain(struct collector *c)
{
	int r = sideband_drain(c->sideband, on_sideband, c);

	processes_doubt(c->processes, sideband_doubt_ns(c->sideband));
	return r < 0 ? r : sampler_drain(c->sampler, on_sample, c);
}

/*
 * What was stamped before the previous drain began has been written by now: a record is stamped with
 * preemption off, microseconds before it is visible. So each poll works on the records up to there
 * and everything is one poll late.
 */
int collector_poll(struct collector *c)
{
	uint64_t now = time_boot_ns();
	int r = drain(c);

	unwinder_poll(c->unwinder, now);
	if (r >= 0)
		r = timeline_run(&c->timeline, c->complete_ns, on_due, c);
	if (r >= 0)
		unrouted_settle(&c->unrouted, c->window, &c->opts.requests, c->complete_ns);
	if (r == -EAGAIN) {
		r = 0; /* rows are being built: the next poll goes on from there, and the dead are still needed */
	} else {
		/* Who is seen to have ended by this poll, however long ago, stays until others have asked for it (collector_labels_of). */
		process_reap(c->processes, c->known_ns > EXIT_GRACE_NS ? c->known_ns - EXIT_GRACE_NS : 0);
		c->known_ns = c->complete_ns;
	}
	c->complete_ns = now;
	if (r >= 0 && now - c->cpus_checked_ns > CPU_CHECK_NS)
		r = follow_cpus(c);
	return r;
}

int collector_stop(struct collector *c)
{
	int r;

	for (int cpu = 0; cpu < c->n_cpus; cpu++)
		sampler_close_cpu(c->sampler, cpu);
	c->started = false;
	if (c->window)
		c->window->end_boot_ns = time_boot_ns();
	r = drain(c);
	if (r >= 0)
		r = timeline_run(&c->timeline, UINT64_MAX, on_due, c);
	while (r == -EAGAIN) { /* not for ever: unwind/tables.h gives up on a table */
		poll(&(struct pollfd){ .fd = unwinder_fd(c->unwinder), .events = POLLIN }, 1, 100);
		r = timeline_run(&c->timeline, UINT64_MAX, on_due, c);
	}
	return r;
}

static void read_counters(struct collector *c, uint64_t ret[EV_COUNT_MAX])
{
	memset(ret, 0, EV_COUNT_MAX * sizeof(*ret));
	sampler_counters(c->sampler, ret);
}

void collector_set_rules(struct collector *c, struct relabel *rules)
{
	whose_set_rules(c->whose, c->sampler, rules);
}

void collector_set_pods(struct collector *c, struct pods *pods)
{
	whose_set_pods(c->whose, c->sampler, pods);
}

uint64_t collector_pods_missed(const struct collector *c)
{
	return whose_pods_missed(c->whose);
}

void collector_stats(struct collector *c, struct collector_stats *ret)
{
	uint64_t kernel[EV_COUNT_MAX], late;

	*ret = c->stats;
	read_counters(c, kernel);
	late = late_lost(&c->late, kernel, idle_ns());
	for (int i = 0; i < EV_COUNT_MAX; i++)
		ret->counters[i] += kernel[i];
	ret->left_out += kernel[EV_COUNT_LEFT_OUT];
	ret->counters[EV_DROP_TIMER_LATE] = late;
	ret->counters[EV_COUNT_IDLE] += kernel[EV_DROP_TIMER_LATE] - late;
	for (int i = 0; i < EV_DROP_MAX; i++)
		ret->lost += ret->counters[i];
	ret->processes = processes_count(c->processes);
	ret->images = images_live(c->images);
	whose_losses(c->whose, &ret->rules);
	ret->target_restarts = whose_target_restarts(c->whose);
	unwinder_stats(c->unwinder, &ret->unwind);
	ret->kernel_bytes = sampler_kernel_bytes(c->sampler) + sideband_bytes(c->sideband) +
			    ret->unwind.kernel_bytes;
}

static void note_rate(struct window *w, uint64_t period_ns, const char *limited_by)
{
	if (period_ns > w->longest_period_ns)
		w->longest_period_ns = period_ns;
	if (limited_by)
		w->limited_by = limited_by;
}

int collector_set_frequency(struct collector *c, uint32_t hz, const char *limited_by)
{
	uint64_t kernel[EV_COUNT_MAX];

	c->limited_by = limited_by;
	note_rate(c->window, NSEC_PER_SEC / hz, limited_by);
	if (hz == c->opts.sampler.frequency_hz)
		return 0;
	read_counters(c, kernel);
	late_change_rate(&c->late, kernel, NSEC_PER_SEC / hz, idle_ns());
	c->opts.sampler.frequency_hz = hz;
	whose_set_frequency(c->whose, c->sampler, hz);
	return sampler_set_frequency(c->sampler, hz);
}

/* Its first request may be told before the events that announce it are worked on: then it is read from /proc. */
const char *collector_labels_of(struct collector *c, uint32_t tgid, uint64_t cgroup_id)
{
	const struct process *p = process_find(c->processes, tgid);

	if (!p || p->needs_scan)
		scan_process(c->processes, (pid_t)tgid, (pid_t)tgid);
	return whose_target(c->whose, process_find(c->processes, tgid), cgroup_id, time_boot_ns());
}

void collector_tell_route(struct collector *c, uint64_t span_id, uint64_t end_ns, uint32_t route)
{
	unrouted_tell(&c->unrouted, span_id, end_ns, route);
}

uint64_t collector_known_ns(const struct collector *c)
{
	return c->known_ns;
}

bool collector_wants(const struct collector *c, uint32_t tgid)
{
	return sampler_wants(c->sampler, tgid);
}

struct window *collector_take_window(struct collector *c)
{
	struct window *fresh, *full = c->window;
	struct collector_stats stats;

	if (new_window(c, &fresh) < 0)
		return NULL;
	collector_stats(c, &stats);
	if (!full->end_boot_ns)
		full->end_boot_ns = fresh->start_boot_ns;
	full->lost = stats.lost > c->lost_told ? stats.lost - c->lost_told : 0;
	c->lost_told += full->lost;
	unrouted_settle(&c->unrouted, full, &c->opts.requests, 0);
	unrouted_turn(&c->unrouted);
	window_seal(full);
	c->window = fresh;
	return full;
}
