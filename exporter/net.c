/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "base/units.h"
#include "exporter/net_parts.h"
#include "exporter/request.h"

/* Pyroscope refuses what began more than an hour ago; leave time to send it. */
#define MAX_AGE_NS (55 * 60 * NSEC_PER_SEC)
#define IDLE_WAIT_MS 1000

static void start(struct net *n, struct receiver *rc, struct delivery *d)
{
	char err[400] = "out of memory";
	int r = delivery_load(rc, d);

	if (r == -EPROTONOSUPPORT) {
		receiver_remove(rc, d);
		net_drop(n, rc, d, NET_DROP_FORMAT, "");
		return;
	}
	if (r == -EBADMSG || r == -EACCES) {
		net_drop_file(n, rc, d, r);
		return;
	}
	if (r < 0)
		snprintf(err, sizeof(err), "cannot read the spool: %s", strerror(-r));
	else
		r = request_new(rc, d, n->opts.user_agent, &d->request, err, sizeof(err));
	if (r >= 0 && curl_multi_add_handle(n->multi, d->request->easy) == CURLM_OK) {
		receiver_started(rc, time_boot_ns());
		return;
	}
	delivery_end_request(d);
	delivery_unload(d);
	net_postpone(n, rc, d, err);
}

static void drop_old(struct net *n, struct receiver *rc)
{
	uint64_t now = time_utc_ns(), max_age = rc->spool ? rc->opts.spool_age_ns : MAX_AGE_NS;
	struct delivery *d = rc->head;

	while (d && now > d->time_ns + max_age) {
		struct delivery *next = d->next;

		if (!d->request) {
			receiver_remove(rc, d);
			net_drop(n, rc, d, NET_DROP_TOO_OLD, "");
		}
		d = next;
	}
}

/* Starts what may start; returns how long there is nothing to do, in ms. */
static int start_due(struct net *n)
{
	uint64_t now = time_boot_ns(), wake = UINT64_MAX, earliest;
	struct delivery *d;

	vec_foreach(it, &n->receivers)
	{
		struct receiver *rc = *it;

		drop_old(n, rc);
		if (rc->gone)
			continue;
		while ((d = receiver_next(rc, now, &earliest)))
			start(n, rc, d);
		wake = earliest < wake ? earliest : wake;
	}
	if (wake == UINT64_MAX || wake > now + IDLE_WAIT_MS * NSEC_PER_MSEC)
		return IDLE_WAIT_MS;
	return wake > now ? (int)((wake - now) / NSEC_PER_MSEC) + 1 : 0;
}

static bool all_finished(const struct net *n)
{
	vec_foreach(rc, &n->receivers)
		if (!receiver_is_finished(*rc))
			return false;
	return true;
}

static void *run(void *arg)
{
	struct net *n = arg;
	int wait, running;

	pthread_mutex_lock(&n->lock);
	while (!n->stop) {
		wait = start_due(n);
		curl_multi_perform(n->multi, &running);
		net_collect(n);
		net_drop_gone(n);
		if (n->finishing && all_finished(n))
			pthread_cond_broadcast(&n->finished);
		if (start_due(n) < wait)
			continue;
		pthread_mutex_unlock(&n->lock);
		curl_multi_poll(n->multi, NULL, 0, wait, NULL);
		pthread_mutex_lock(&n->lock);
	}
	pthread_mutex_unlock(&n->lock);
	return NULL;
}

int net_new(const struct net_opts *opts, struct net **ret)
{
	struct net *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->opts = *opts;
	n->seed = time_utc_ns();
	pthread_mutex_init(&n->lock, NULL);
	cond_init(&n->finished);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	n->multi = curl_multi_init();
	/* SIGPIPE is nobody's business. */
	if (!n->multi || thread_start(&n->thread, run, n) < 0) {
		net_free(n);
		return -ENOMEM;
	}
	n->running = true;
	*ret = n;
	return 0;
}

static void end_requests(struct net *n)
{
	vec_foreach(rc, &n->receivers)
		for (struct delivery *d = (*rc)->head; d; d = d->next)
			if (d->request) {
				curl_multi_remove_handle(n->multi, d->request->easy);
				delivery_end_request(d);
			}
}

struct net *net_free(struct net *n)
{
	if (!n)
		return NULL;
	if (n->running) {
		pthread_mutex_lock(&n->lock);
		n->stop = true;
		pthread_mutex_unlock(&n->lock);
		curl_multi_wakeup(n->multi);
		pthread_join(n->thread, NULL);
	}
	end_requests(n);
	vec_foreach(rc, &n->receivers)
		receiver_free(*rc);
	vec_fini(&n->receivers);
	curl_multi_cleanup(n->multi);
	pthread_cond_destroy(&n->finished);
	pthread_mutex_destroy(&n->lock);
	free(n);
	return NULL;
}

/* A full disk: the parcel waits in memory, as without a spool. */
static void note_spool(struct net *n, struct receiver *rc, int error)
{
	uint64_t now = time_boot_ns();

	if (rc->told_spool_ns && now - rc->told_spool_ns <= NET_TELL_AGAIN_NS)
		return;
	rc->told_spool_ns = now;
	net_tell(n, NET_TROUBLE, rc,
		 "receiver %s: spool %s: %s; what comes waits in memory for now", rc->opts.name,
		 rc->opts.spool, strerror(-error));
}

uint32_t net_formats(struct net *n, enum parcel_signal signal)
{
	uint32_t set = 0;

	pthread_mutex_lock(&n->lock);
	vec_foreach(rc, &n->receivers)
		if (!(*rc)->gone && receiver_takes(*rc, signal))
			set |= 1u << parcel_format_encoding(receiver_format(*rc, signal));
	pthread_mutex_unlock(&n->lock);
	return set;
}

static bool is_for(const struct receiver *rc, uint8_t format)
{
	enum parcel_signal signal = parcel_format_signal(format);

	return !rc->gone && receiver_takes(rc, signal) && receiver_format(rc, signal) == format;
}

/* It was packed for this receiver, which has changed its encoding since: it is packed anew when it is sent. */
static bool was_for(const struct receiver *rc, const struct parcel *p)
{
	return !rc->gone && receiver_takes(rc, parcel_format_signal(p->format)) && parcel_format_encoding(p->format) == rc->former &&
	       p->formats && !(p->formats >> rc->encoding & 1);
}

int net_has_room(struct net *n, uint8_t format, uint64_t bytes)
{
	int r = -ENOENT;

	pthread_mutex_lock(&n->lock);
	vec_foreach(rc, &n->receivers)
		if (r < 0 && is_for(*rc, format))
			r = receiver_has_room(*rc, bytes) ? 0 : -ENOSPC;
	pthread_mutex_unlock(&n->lock);
	return r;
}

int net_send(struct net *n, struct parcel *p)
{
	int r = 0;

	pthread_mutex_lock(&n->lock);
	vec_foreach(it, &n->receivers)
	{
		struct receiver *rc = *it;
		struct delivery *oldest;
		int spool;

		if (!is_for(rc, p->format) && !was_for(rc, p))
			continue;
		if (receiver_add(rc, p, &spool) < 0)
			r = -ENOMEM;
		if (spool < 0)
			note_spool(n, rc, spool);
		while ((oldest = receiver_overflow(rc)))
			net_drop(n, rc, oldest, NET_DROP_QUEUE_FULL, "");
	}
	pthread_mutex_unlock(&n->lock);
	curl_multi_wakeup(n->multi);
	return r;
}

/* The last chance: a receiver that is being waited for is asked at once, and then at its own pace. */
static void finish(struct net *n)
{
	n->finishing = true;
	vec_foreach(rc, &n->receivers)
	{
		(*rc)->finishing = true;
		(*rc)->hold_ns = 0;
		for (struct delivery *d = (*rc)->head; d; d = d->next)
			d->next_ns = 0;
	}
}

int net_flush(struct net *n, uint64_t timeout_ns)
{
	struct timespec until = cond_deadline(timeout_ns);
	int r = 0;

	pthread_mutex_lock(&n->lock);
	finish(n);
	curl_multi_wakeup(n->multi);
	while (!all_finished(n) && !r)
		r = pthread_cond_timedwait(&n->finished, &n->lock, &until);
	r = all_finished(n) ? 0 : -ETIMEDOUT;
	pthread_mutex_unlock(&n->lock);
	return r;
}

static void fill_stats(const struct receiver *rc, struct net_receiver_stats *ret)
{
	*ret = rc->stats;
	ret->send = rc->opts.send;
	ret->spooled = rc->disk_items;
	ret->spooled_bytes = rc->disk_bytes;
	if (rc->spool)
		spool_stats(rc->spool, &ret->spool);
}

size_t net_stats(struct net *n, struct net_receiver_stats *ret, size_t max)
{
	size_t count = 0;

	pthread_mutex_lock(&n->lock);
	vec_foreach(rc, &n->receivers)
		if (!(*rc)->gone && count++ < max)
			fill_stats(*rc, &ret[count - 1]);
	pthread_mutex_unlock(&n->lock);
	return count;
}
