/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/net.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/thread.h"
#include "base/units.h"
#include "base/vec.h"
#include "exporter/describe.h"
#include "exporter/receiver.h"
#include "exporter/request.h"

/* Pyroscope refuses what began more than an hour ago; leave time to send it. */
#define MAX_AGE_NS (55 * 60 * NSEC_PER_SEC)
#define TELL_AGAIN_NS (60 * NSEC_PER_SEC)
#define IDLE_WAIT_MS 1000
/* The longest a server may ask us to wait with Retry-After. */
#define MAX_RETRY_AFTER_S 300

/* One lock over everything; the thread gives it up only while it sleeps in curl_multi_poll(). */
struct net {
	struct net_opts opts;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t finished;
	CURLM *multi;
	vec(struct receiver *) receivers;
	uint64_t seed;
	bool running, stop, finishing;
};

static void tell(struct net *n, enum net_event_kind kind, const struct receiver *rc, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void tell(struct net *n, enum net_event_kind kind, const struct receiver *rc, const char *fmt, ...)
{
	struct net_event ev = { .kind = kind, .receiver = rc->opts.name };
	va_list ap;

	if (!n->opts.on_event)
		return;
	va_start(ap, fmt);
	vsnprintf(ev.text, sizeof(ev.text), fmt, ap);
	va_end(ap);
	n->opts.on_event(n->opts.ctx, &ev);
}

const char *net_drop_name(enum net_drop d)
{
	static const char *const names[NET_DROPS] = {
		[NET_DROP_REFUSED] = "refused", [NET_DROP_TRIES] = "too_many_tries", [NET_DROP_QUEUE_FULL] = "queue_full",
		[NET_DROP_TOO_OLD] = "too_old", [NET_DROP_UNANSWERED] = "unanswered", [NET_DROP_REMOVED] = "receiver_removed",
		[NET_DROP_DAMAGED] = "damaged", [NET_DROP_UNREADABLE] = "unreadable",
	};

	return d < NET_DROPS ? names[d] : "unknown";
}

/* d is out of the queue already. */
static void drop(struct net *n, struct receiver *rc, struct delivery *d, enum net_drop why, const char *detail)
{
	static const char *const consequence[NET_DROPS] = {
		[NET_DROP_REFUSED] = "the server refused it for good, dropped",
		[NET_DROP_TRIES] = "tried too often, dropped",
		[NET_DROP_QUEUE_FULL] = "the queue is full, the oldest profile is dropped (queue_bytes, spool_bytes)",
		[NET_DROP_TOO_OLD] = "older than servers accept, dropped",
		[NET_DROP_UNANSWERED] = "sent whole but never answered; not sent again, since servers store what they got",
		[NET_DROP_REMOVED] = "the receiver is no longer configured, dropped",
		[NET_DROP_DAMAGED] = "its file in the spool is damaged, put aside",
		[NET_DROP_UNREADABLE] = "its file in the spool cannot be read, skipped; it stays there",
	};
	uint64_t now = time_boot_ns();

	rc->stats.dropped[why]++;
	if (!rc->told_ns[why] || now - rc->told_ns[why] > TELL_AGAIN_NS) {
		rc->told_ns[why] = now;
		tell(n, NET_DROPPED, rc, "receiver %s: profile of %s: %s%s%s", rc->opts.name, d->parcel ? d->parcel->what : "an earlier interval", consequence[why],
		     *detail ? ": " : "", detail);
	}
	if (why != NET_DROP_UNREADABLE)
		delivery_done(rc, d);
	delivery_free(d);
}

static uint64_t next_random(struct receiver *rc)
{
	rc->random ^= rc->random << 13;
	rc->random ^= rc->random >> 7;
	rc->random ^= rc->random << 17;
	return rc->random;
}

/* "12 profiles wait", "1 profile waits". */
static const char *count_waiting(const struct receiver *rc, char *out, size_t len)
{
	unsigned long long n = rc->stats.queued;

	snprintf(out, len, n == 1 ? "%llu profile waits" : n ? "%llu profiles wait" : "no profile waits", n);
	return out;
}

static void went_well(struct net *n, struct receiver *rc)
{
	char waiting[64];

	if (rc->in_trouble)
		tell(n, NET_RECOVERED, rc, "receiver %s: delivering again; %s", rc->opts.name, count_waiting(rc, waiting, sizeof(waiting)));
	rc->in_trouble = false;
	rc->failures = 0;
	rc->hold_ns = 0;
}

/* The receiver itself is in trouble. Requests that were under way together fail together: that is one failure. */
static void hold_back(struct net *n, struct receiver *rc, uint64_t now, uint64_t retry_after_ns, const char *detail)
{
	uint64_t delay, used = rc->spool ? rc->disk_bytes : rc->stats.queued_bytes;
	uint64_t room = rc->spool ? rc->opts.spool_bytes : rc->opts.queue_bytes;
	char waiting[64];

	rc->failures += !rc->in_trouble || now >= rc->hold_ns;
	delay = retry_delay_ns(rc->failures, next_random(rc));
	if (retry_after_ns > delay)
		delay = retry_after_ns;
	if (now + delay > rc->hold_ns)
		rc->hold_ns = now + delay;
	if (!rc->in_trouble)
		tell(n, NET_TROUBLE, rc, "receiver %s: %s: %s; %s (%llu of %llu KiB), next try in %.1f s", rc->opts.name, rc->opts.url,
		     detail, count_waiting(rc, waiting, sizeof(waiting)), (unsigned long long)(used / KIB),
		     (unsigned long long)(room / KIB), (double)delay / 1e9);
	rc->in_trouble = true;
}

static uint64_t latest(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns > b_ns ? a_ns : b_ns;
}

static void try_again_later(struct net *n, struct receiver *rc, struct delivery *d, const struct retry_verdict *v,
			    uint64_t retry_after_ns, const char *detail)
{
	uint64_t now = time_boot_ns();

	if (!v->everybody) {
		d->next_ns = now + retry_delay_ns(d->failures, next_random(rc));
		return;
	}
	hold_back(n, rc, now, retry_after_ns, detail);
	/* Others went through meanwhile: it is this one, and the server is to be spared it. */
	d->next_ns = d->tries ? latest(rc->hold_ns, now + retry_delay_ns(d->tries, next_random(rc))) : rc->hold_ns;
}

/* What may be the parcel's own fault; a receiver that cannot be reached costs time only, up to the queue's bound. */
static bool may_be_the_parcel(enum retry_cause cause)
{
	return cause == RETRY_SERVER || cause == RETRY_THROTTLED || cause == RETRY_MOVED || cause == RETRY_SILENCE;
}

/* It took the request, but not all that is in it. */
static void note_rejected(struct net *n, struct receiver *rc, const struct otlp_answer *said)
{
	uint64_t now = time_boot_ns();

	rc->stats.rejected += (uint64_t)said->rejected;
	if (rc->told_rejected_ns && now - rc->told_rejected_ns <= TELL_AGAIN_NS)
		return;
	rc->told_rejected_ns = now;
	tell(n, NET_DROPPED, rc, "receiver %s: it took a request without %lld of its profiles%s%s",
	     rc->opts.name, (long long)said->rejected, *said->message ? ": " : "", said->message);
}

static void settle(struct net *n, struct request *rq, const struct retry_result *result,
		   uint64_t retry_after_ns)
{
	struct receiver *rc = rq->receiver;
	struct delivery *d = rq->delivery;
	struct retry_verdict v = retry_judge(result);
	struct otlp_answer said = rq->said;
	char detail[400];

	request_describe(rq, result, detail, sizeof(detail));
	delivery_end_request(d);
	rc->in_flight--;
	rc->stats.failed_tries[v.cause] += v.answer != PARCEL_OK;
	if (may_be_the_parcel(v.cause))
		receiver_failed(rc, d);
	/* One that is taken out of the configuration keeps its spool: drop_gone() decides. */
	if (v.answer == PARCEL_RETRY && (d->tries < rc->opts.max_tries || rc->gone)) {
		delivery_unload(d);
		try_again_later(n, rc, d, &v, retry_after_ns, detail);
		return;
	}
	receiver_remove(rc, d);
	if (v.answer == PARCEL_OK) {
		rc->stats.delivered++;
		rc->stats.delivered_bytes += d->bytes;
		if (said.rejected > 0)
			note_rejected(n, rc, &said);
		went_well(n, rc);
		delivery_done(rc, d);
		delivery_free(d);
	} else if (v.answer == PARCEL_UNANSWERED) {
		/* A server that has fallen silent would swallow the whole queue: one at a time. */
		hold_back(n, rc, time_boot_ns(), 0, detail);
		drop(n, rc, d, NET_DROP_UNANSWERED, detail);
	} else if (v.answer == PARCEL_DROP) {
		went_well(n, rc); /* it answers: the next profile may please it */
		drop(n, rc, d, NET_DROP_REFUSED, detail);
	} else {
		drop(n, rc, d, NET_DROP_TRIES, detail);
	}
}

static bool sent_whole(const struct request *rq)
{
	uint64_t bytes = rq->delivery->bytes;
	curl_off_t now = 0;

	curl_easy_getinfo(rq->easy, CURLINFO_SIZE_UPLOAD_T, &now);
	return bytes && ((uint64_t)now >= bytes || rq->sent >= bytes);
}

static uint64_t later(uint64_t a_ns, uint64_t b_ns)
{
	uint64_t most = MAX_RETRY_AFTER_S * NSEC_PER_SEC, v = latest(a_ns, b_ns);

	return v < most ? v : most;
}

static void collect_finished(struct net *n)
{
	int left;
	CURLMsg *msg;

	while ((msg = curl_multi_info_read(n->multi, &left))) {
		struct retry_result result = { .curl_code = (int)msg->data.result };
		curl_off_t after = 0;
		struct request *rq;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&rq);
		curl_easy_getinfo(msg->easy_handle, CURLINFO_RESPONSE_CODE, &result.http_status);
		curl_easy_getinfo(msg->easy_handle, CURLINFO_RETRY_AFTER, &after);
		result.sent_whole = sent_whole(rq);
		result.otlp = rq->parcel->format & PARCEL_FORMAT_OTLP;
		result.grpc = rq->parcel->format & PARCEL_FORMAT_GRPC;
		result.grpc_status = rq->grpc_status;
		request_read_answer(rq, result.http_status);
		result.retry_said = rq->said.retry_ns;
		/* TLS 1.3: what the server thinks of our certificate comes after we began to talk. */
		if (strstr(rq->error, " alert "))
			result.curl_code = CURLE_SSL_CONNECT_ERROR;
		curl_multi_remove_handle(n->multi, msg->easy_handle);
		after = after < 0 ? 0 : after > MAX_RETRY_AFTER_S ? MAX_RETRY_AFTER_S : after;
		settle(n, rq, &result, later((uint64_t)after * NSEC_PER_SEC, rq->said.retry_ns));
	}
}

/* "0000000000000007.sent: Permission denied" */
static char *describe_unreadable(const struct receiver *rc, char *out, size_t len)
{
	struct spool_stats s;

	spool_stats(rc->spool, &s);
	snprintf(out, len, "%s: %s", s.unreadable_name, strerror(s.unreadable_error));
	return out;
}

static void give_up_file(struct net *n, struct receiver *rc, struct delivery *d, int error)
{
	char why[160];

	receiver_remove(rc, d);
	if (error == -EBADMSG)
		drop(n, rc, d, NET_DROP_DAMAGED, "");
	else
		drop(n, rc, d, NET_DROP_UNREADABLE, describe_unreadable(rc, why, sizeof(why)));
}

static void start(struct net *n, struct receiver *rc, struct delivery *d)
{
	struct retry_verdict local = { PARCEL_RETRY, RETRY_CREDENTIALS, true };
	char err[400] = "out of memory";
	int r = delivery_load(rc, d);

	if (r == -EBADMSG || r == -EACCES) {
		give_up_file(n, rc, d, r);
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
	rc->stats.failed_tries[local.cause]++;
	try_again_later(n, rc, d, &local, 0, err);
}

static void drop_old(struct net *n, struct receiver *rc)
{
	uint64_t now = time_utc_ns(), max_age = rc->spool ? rc->opts.spool_age_ns : MAX_AGE_NS;
	struct delivery *d = rc->head;

	while (d && now > d->time_ns + max_age) {
		struct delivery *next = d->next;

		if (!d->request) {
			receiver_remove(rc, d);
			drop(n, rc, d, NET_DROP_TOO_OLD, "");
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

/* Receivers that are no longer wanted go when their last request has ended. */
static void drop_gone(struct net *n)
{
	for (uint32_t i = 0; i < n->receivers.n;) {
		struct receiver *rc = n->receivers.v[i];

		if (!rc->gone || rc->in_flight) {
			i++;
			continue;
		}
		while (rc->head) {
			struct delivery *d = rc->head;

			receiver_remove(rc, d);
			if (d->on_disk) /* stays there, should the receiver come back */
				delivery_free(d);
			else
				drop(n, rc, d, NET_DROP_REMOVED, "");
		}
		receiver_free(rc);
		n->receivers.v[i] = n->receivers.v[--n->receivers.n];
	}
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
		collect_finished(n);
		drop_gone(n);
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

static struct receiver *find(const struct net *n, const char *name)
{
	vec_foreach(rc, &n->receivers)
		if (!(*rc)->gone && !strcmp((*rc)->opts.name, name))
			return *rc;
	return NULL;
}

static bool strings_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* One that is on its way out still has its spool's lock: it comes back. */
static struct receiver *find_leaving(const struct net *n, const struct receiver_opts *opts)
{
	vec_foreach(rc, &n->receivers)
		if ((*rc)->gone && !strcmp((*rc)->opts.name, opts->name) && strings_equal((*rc)->opts.spool, opts->spool))
			return *rc;
	return NULL;
}

/* What becomes of one row of the list, made before anything is changed. */
struct change {
	struct receiver *rc;
	bool fresh;
	struct receiver_opts opts; /* for one that is there */
};

static int prepare(struct net *n, const struct receiver_opts *opts, struct change *ret, char *err, size_t err_len)
{
	struct receiver *rc = find(n, opts->name);

	if (!rc)
		rc = find_leaving(n, opts);
	ret->rc = rc;
	ret->fresh = !rc;
	return rc ? receiver_opts_copy(opts, &ret->opts) :
		    receiver_new(opts, n->seed++ * 0x9e3779b97f4a7c15ull, &ret->rc, err, err_len);
}

static void undo(struct change *c)
{
	receiver_opts_fini(&c->opts);
	if (c->fresh)
		receiver_free(c->rc);
}

static void note_unreadable(struct net *n, struct receiver *rc)
{
	struct spool_stats s = { 0 };
	char why[160];

	if (rc->spool)
		spool_stats(rc->spool, &s);
	if (s.unreadable)
		tell(n, NET_DROPPED, rc, "receiver %s: spool %s: %llu files cannot be read, skipped; they stay there: %s", rc->opts.name,
		     rc->opts.spool, (unsigned long long)s.unreadable, describe_unreadable(rc, why, sizeof(why)));
}

/* There is room in the list. */
static void commit(struct net *n, struct change *c)
{
	struct receiver **slot;

	if (!c->fresh) {
		receiver_set(c->rc, &c->opts);
		return;
	}
	slot = vec_push(&n->receivers);
	*slot = c->rc;
	note_unreadable(n, c->rc);
}

static bool listed(const struct receiver *rc, const struct receiver_opts *opts, size_t n_opts)
{
	for (size_t i = 0; i < n_opts; i++)
		if (!strcmp(rc->opts.name, opts[i].name))
			return true;
	return false;
}

static int set_receivers(struct net *n, const struct receiver_opts *opts, size_t n_opts, char *err, size_t err_len)
{
	_cleanup_(freep) struct change *changes = calloc(n_opts + 1, sizeof(*changes));
	int r = changes ? vec_reserve(&n->receivers, n_opts) : -ENOMEM;
	size_t made = 0;

	for (; made < n_opts && r >= 0; made += r >= 0)
		r = prepare(n, &opts[made], &changes[made], err, err_len);
	if (r < 0) {
		while (made)
			undo(&changes[--made]);
		return r;
	}
	vec_foreach(rc, &n->receivers)
		if (!listed(*rc, opts, n_opts))
			(*rc)->gone = true;
	for (size_t i = 0; i < n_opts; i++)
		commit(n, &changes[i]);
	return 0;
}

int net_set_receivers(struct net *n, const struct receiver_opts *opts, size_t n_opts, char *err, size_t err_len)
{
	int r;

	snprintf(err, err_len, "out of memory");
	pthread_mutex_lock(&n->lock);
	r = set_receivers(n, opts, n_opts, err, err_len);
	pthread_mutex_unlock(&n->lock);
	curl_multi_wakeup(n->multi);
	return r;
}

/* A full disk: the parcel waits in memory, as without a spool. */
static void note_spool(struct net *n, struct receiver *rc, int error)
{
	uint64_t now = time_boot_ns();

	if (rc->told_spool_ns && now - rc->told_spool_ns <= TELL_AGAIN_NS)
		return;
	rc->told_spool_ns = now;
	tell(n, NET_TROUBLE, rc, "receiver %s: spool %s: %s; profiles wait in memory for now", rc->opts.name, rc->opts.spool, strerror(-error));
}

uint32_t net_formats(struct net *n)
{
	uint32_t set = 0;

	pthread_mutex_lock(&n->lock);
	vec_foreach(rc, &n->receivers)
		if (!(*rc)->gone)
			set |= 1u << (*rc)->format;
	pthread_mutex_unlock(&n->lock);
	return set;
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

		if (rc->gone || rc->format != p->format)
			continue;
		if (receiver_add(rc, p, &spool) < 0)
			r = -ENOMEM;
		if (spool < 0)
			note_spool(n, rc, spool);
		while ((oldest = receiver_overflow(rc)))
			drop(n, rc, oldest, NET_DROP_QUEUE_FULL, "");
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
	ret->spooled = rc->disk_parcels;
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
