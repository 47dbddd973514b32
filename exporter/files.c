/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/files.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/thread.h"
#include "base/units.h"
#include "base/vec.h"
#include "exporter/folder.h"

#define TELL_AGAIN_NS (60 * NSEC_PER_SEC)
#define TRIM_EVERY_NS (60 * NSEC_PER_SEC)
#define END_WAIT_NS   (NSEC_PER_SEC / 2)

/* The archive is its thread's, the rest is who holds the lock's. */
struct shelf {
	struct files *files;
	struct archive *archive;
	char *path;
	struct archive_limits limits;
	uint64_t queue_bytes;
	vec(struct parcel *) queue; /* oldest first */
	struct net_receiver_stats stats;
	uint32_t failures;        /* in a row */
	uint64_t hold_ns, told_ns; /* CLOCK_BOOTTIME: nothing is tried before; when a drop was last told */
	bool writing, gone;
	struct shelf *next;
};

struct files {
	struct net_opts opts;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct shelf *shelves; /* those that are gone, too, until their threads have ended */
};

static void tell(const struct shelf *s, enum net_event_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void tell(const struct shelf *s, enum net_event_kind kind, const char *fmt, ...)
{
	const struct net_opts *o = &s->files->opts;
	struct net_event ev = { .kind = kind, .receiver = s->stats.name };
	va_list ap;

	if (!o->on_event)
		return;
	va_start(ap, fmt);
	vsnprintf(ev.text, sizeof(ev.text), fmt, ap);
	va_end(ap);
	o->on_event(o->ctx, &ev);
}

/* ---- the queue ---- */

static struct parcel *take(struct shelf *s, uint32_t at)
{
	struct parcel *p = s->queue.v[at];

	memmove(&s->queue.v[at], &s->queue.v[at + 1], (--s->queue.n - at) * sizeof(p));
	s->stats.queued--;
	s->stats.queued_bytes -= p->bytes.len;
	return p;
}

static void drop(struct shelf *s, uint32_t at, enum net_drop why, const char *text)
{
	uint64_t now = time_boot_ns();
	struct parcel *p = take(s, at);

	s->stats.dropped[why]++;
	if (!s->told_ns || now - s->told_ns > TELL_AGAIN_NS) {
		s->told_ns = now;
		tell(s, NET_DROPPED, "receiver %s: profile of %s: %s", s->stats.name, p->what, text);
	}
	parcel_unref(p);
}

static int add(struct shelf *s, struct parcel *p)
{
	struct parcel **slot = vec_push(&s->queue);

	if (!slot)
		return -ENOMEM;
	*slot = parcel_ref(p);
	s->stats.queued++;
	s->stats.queued_bytes += p->bytes.len;
	while (s->stats.queued_bytes > s->queue_bytes && s->queue.n > s->writing)
		drop(s, s->writing, NET_DROP_QUEUE_FULL, "the queue is full, the oldest profile is dropped (queue_bytes)");
	return 0;
}

/* ---- its thread ---- */

static void note_written(struct shelf *s)
{
	struct parcel *p = take(s, 0);

	if (s->failures)
		tell(s, NET_RECOVERED, "receiver %s: writing again; %llu profiles wait", s->stats.name, (unsigned long long)s->stats.queued);
	s->failures = 0;
	s->stats.delivered++;
	s->stats.delivered_bytes += p->bytes.len;
	parcel_unref(p);
	if (!s->queue.n)
		pthread_cond_broadcast(&s->files->changed);
}

static void note_failure(struct shelf *s, int error)
{
	bool full = error == -ENOSPC || error == -EDQUOT;
	uint64_t now = time_boot_ns(), delay = retry_delay_ns(++s->failures, now * 0x9e3779b97f4a7c15ull);

	s->stats.failed_tries[full ? RETRY_DISK_FULL : RETRY_DISK]++;
	s->hold_ns = now + delay;
	if (s->failures == 1)
		tell(s, NET_TROUBLE, "receiver %s: %s: %s; %llu profiles wait, next try in %.1f s", s->stats.name, s->path, strerror(-error),
		     (unsigned long long)s->stats.queued, (double)delay / 1e9);
}

/* With the lock, which it gives up while it writes. */
static void write_first(struct shelf *s)
{
	struct parcel *p = s->queue.v[0];
	struct archive_limits limits = s->limits;
	struct archive_stats stats;
	int r;

	s->writing = true;
	pthread_mutex_unlock(&s->files->lock);
	r = archive_put(s->archive, &limits, p, time_utc_ns());
	archive_stats(s->archive, &stats);
	pthread_mutex_lock(&s->files->lock);
	s->writing = false;
	s->stats.archive = stats;
	if (r < 0)
		note_failure(s, r);
	else
		note_written(s);
}

/* The old goes also while nothing comes. */
static void trim(struct shelf *s)
{
	struct archive_limits limits = s->limits;
	struct archive_stats stats;

	pthread_mutex_unlock(&s->files->lock);
	archive_trim(s->archive, &limits, time_utc_ns());
	archive_stats(s->archive, &stats);
	pthread_mutex_lock(&s->files->lock);
	s->stats.archive = stats;
}

static void wait_until(struct shelf *s, uint64_t boot_ns)
{
	uint64_t now = time_boot_ns();
	struct timespec until = cond_deadline(boot_ns > now ? boot_ns - now : 0);

	pthread_cond_timedwait(&s->files->changed, &s->files->lock, &until);
}

static void shelf_free(struct shelf *s)
{
	while (s->queue.n)
		parcel_unref(take(s, 0));
	vec_fini(&s->queue);
	archive_close(s->archive);
	free(s->path);
	free(s);
}

static void unlink_shelf(struct shelf *s)
{
	struct shelf **at = &s->files->shelves;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
}

static void *run(void *arg)
{
	struct shelf *s = arg;
	struct files *f = s->files;
	uint64_t trim_ns = time_boot_ns() + TRIM_EVERY_NS;

	pthread_mutex_lock(&f->lock);
	while (!s->gone) {
		uint64_t now = time_boot_ns();

		if (s->queue.n && now >= s->hold_ns) {
			write_first(s);
		} else if (now >= trim_ns) {
			trim(s);
			trim_ns = now + TRIM_EVERY_NS;
		} else {
			wait_until(s, s->queue.n && s->hold_ns < trim_ns ? s->hold_ns : trim_ns);
		}
	}
	unlink_shelf(s);
	shelf_free(s);
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* ---- the list ---- */

int files_new(const struct net_opts *opts, struct files **ret)
{
	struct files *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->opts = *opts;
	pthread_mutex_init(&f->lock, NULL);
	cond_init(&f->changed);
	*ret = f;
	return 0;
}

struct files *files_free(struct files *f)
{
	if (!f)
		return NULL;
	pthread_mutex_lock(&f->lock);
	for (struct shelf *s = f->shelves; s; s = s->next)
		s->gone = true;
	pthread_cond_broadcast(&f->changed);
	while (f->shelves)
		pthread_cond_wait(&f->changed, &f->lock);
	pthread_mutex_unlock(&f->lock);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f);
	return NULL;
}

static struct shelf *find(const struct files *f, const char *name)
{
	struct shelf *s = f->shelves;

	while (s && (s->gone || strcmp(s->stats.name, name)))
		s = s->next;
	return s;
}

static int shelf_new(struct files *f, const struct receiver_opts *o, struct shelf **ret, char *err, size_t err_len)
{
	struct shelf *s = calloc(1, sizeof(*s));
	pthread_t thread;
	int pid = 0, r;

	if (!s)
		return -ENOMEM;
	s->files = f;
	s->path = strdup(o->path);
	snprintf(s->stats.name, sizeof(s->stats.name), "%s", o->name);
	r = s->path ? archive_open(o->path, &s->archive, &pid) : -ENOMEM;
	if (r < 0 && r != -ENOMEM)
		folder_complain("path", o->path, r, pid, err, err_len);
	if (r >= 0) {
		archive_stats(s->archive, &s->stats.archive);
		r = thread_start(&thread, run, s); /* waits for the lock */
	}
	if (r < 0) {
		shelf_free(s);
		return r;
	}
	pthread_detach(thread);
	s->next = f->shelves;
	f->shelves = s;
	*ret = s;
	return 0;
}

static int set_one(struct files *f, const struct receiver_opts *o, char *err, size_t err_len)
{
	struct shelf *s = find(f, o->name);
	int r = s ? 0 : shelf_new(f, o, &s, err, err_len);

	if (r < 0)
		return r;
	s->limits = (struct archive_limits){ .files = o->max_files, .bytes = o->max_bytes, .age_ns = o->max_age_ns };
	s->queue_bytes = o->queue_bytes;
	s->hold_ns = 0;
	return 0;
}

static bool is_listed(const struct shelf *s, const struct receiver_opts *opts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (receiver_is_file(&opts[i]) && !strcmp(opts[i].name, s->stats.name) && !strcmp(opts[i].path, s->path))
			return true;
	return false;
}

static bool any_gone(const struct files *f)
{
	for (const struct shelf *s = f->shelves; s; s = s->next)
		if (s->gone)
			return true;
	return false;
}

/* Their directories may be wanted again under another name: wait for them, but not for a disk that hangs. */
static void end_others(struct files *f, const struct receiver_opts *opts, size_t n)
{
	struct timespec until = cond_deadline(END_WAIT_NS);
	int r = 0;

	for (struct shelf *s = f->shelves; s; s = s->next)
		s->gone |= !is_listed(s, opts, n);
	pthread_cond_broadcast(&f->changed);
	while (any_gone(f) && !r)
		r = pthread_cond_timedwait(&f->changed, &f->lock, &until);
}

int files_set_receivers(struct files *f, const struct receiver_opts *opts, size_t n_opts, char *err, size_t err_len)
{
	int r = 0;

	snprintf(err, err_len, "out of memory");
	pthread_mutex_lock(&f->lock);
	end_others(f, opts, n_opts);
	for (size_t i = 0; i < n_opts && r >= 0; i++)
		if (receiver_is_file(&opts[i]))
			r = set_one(f, &opts[i], err, err_len);
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	return r;
}

bool files_wanted(struct files *f)
{
	bool wanted = false;

	pthread_mutex_lock(&f->lock);
	for (struct shelf *s = f->shelves; s; s = s->next)
		wanted |= !s->gone;
	pthread_mutex_unlock(&f->lock);
	return wanted;
}

int files_send(struct files *f, struct parcel *p)
{
	int r = 0;

	pthread_mutex_lock(&f->lock);
	for (struct shelf *s = f->shelves; s; s = s->next)
		if (!s->gone && add(s, p) < 0)
			r = -ENOMEM;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	return r;
}

static bool all_empty(const struct files *f)
{
	for (const struct shelf *s = f->shelves; s; s = s->next)
		if (!s->gone && s->queue.n)
			return false;
	return true;
}

int files_flush(struct files *f, uint64_t timeout_ns)
{
	struct timespec until = cond_deadline(timeout_ns);
	int r = 0;

	pthread_mutex_lock(&f->lock);
	for (struct shelf *s = f->shelves; s; s = s->next)
		s->hold_ns = 0; /* the last chance */
	pthread_cond_broadcast(&f->changed);
	while (!all_empty(f) && !r)
		r = pthread_cond_timedwait(&f->changed, &f->lock, &until);
	r = all_empty(f) ? 0 : -ETIMEDOUT;
	pthread_mutex_unlock(&f->lock);
	return r;
}

/* Profiles are all it takes. */
static void fill_stats(const struct shelf *s, struct net_receiver_stats *ret)
{
	struct net_signal_stats *profiles = &ret->signals[PARCEL_PROFILES];

	*ret = s->stats;
	ret->send = 1u << PARCEL_PROFILES;
	profiles->delivered = ret->delivered;
	profiles->queued = ret->queued;
	memcpy(profiles->dropped, ret->dropped, sizeof(ret->dropped));
}

size_t files_stats(struct files *f, struct net_receiver_stats *ret, size_t max)
{
	size_t n = 0;

	pthread_mutex_lock(&f->lock);
	for (const struct shelf *s = f->shelves; s; s = s->next)
		if (!s->gone && n++ < max)
			fill_stats(s, &ret[n - 1]);
	pthread_mutex_unlock(&f->lock);
	return n;
}
