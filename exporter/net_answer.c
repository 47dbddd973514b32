/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a parcel: delivered, another try, or given up; and what its answer says of the receiver. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "base/url.h"
#include "exporter/describe.h"
#include "exporter/net_parts.h"
#include "exporter/request.h"

/* The longest a server may ask us to wait with Retry-After. */
#define MAX_RETRY_AFTER_S 300

void net_tell(struct net *n, enum net_event_kind kind, const struct receiver *rc, const char *fmt, ...)
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
		[NET_DROP_REFUSED] = "refused",       [NET_DROP_TRIES] = "too_many_tries",
		[NET_DROP_QUEUE_FULL] = "queue_full", [NET_DROP_TOO_OLD] = "too_old",
		[NET_DROP_UNANSWERED] = "unanswered", [NET_DROP_REMOVED] = "receiver_removed",
		[NET_DROP_DAMAGED] = "damaged",       [NET_DROP_UNREADABLE] = "unreadable",
		[NET_DROP_FORMAT] = "format_changed",
	};

	return d < NET_DROPS ? names[d] : "unknown";
}

static char *describe_parcel(const struct delivery *d, char *out, size_t len)
{
	char items[64];

	if (d->parcel && *d->parcel->what)
		snprintf(out, len, "profile of %s", d->parcel->what);
	else
		snprintf(out, len, "%srequest of %s", d->parcel ? "" : "an earlier interval's ",
			 parcel_count_items(d->signal, d->items, items, sizeof(items)));
	return out;
}

void net_drop(struct net *n, struct receiver *rc, struct delivery *d, enum net_drop why, const char *detail)
{
	static const char *const consequence[NET_DROPS] = {
		[NET_DROP_REFUSED] = "the server refused it for good, dropped",
		[NET_DROP_TRIES] = "tried too often, dropped",
		[NET_DROP_QUEUE_FULL] =
			"the queue is full, the oldest is dropped (queue_bytes, spool_bytes)",
		[NET_DROP_TOO_OLD] = "older than servers accept, dropped",
		[NET_DROP_UNANSWERED] = "sent whole but never answered; not sent again, since servers store what they got",
		[NET_DROP_REMOVED] = "the receiver is no longer configured, dropped",
		[NET_DROP_DAMAGED] = "its file in the spool is damaged, put aside",
		[NET_DROP_UNREADABLE] =
			"its file in the spool cannot be read, skipped; it stays there",
		[NET_DROP_FORMAT] = "made for the receiver's former type, proto or send, dropped",
	};
	uint64_t now = time_boot_ns();
	char what[96];

	rc->stats.dropped[why] += d->items;
	delivery_stats(rc, d)->dropped[why] += d->items;
	if (!rc->told_ns[why] || now - rc->told_ns[why] > NET_TELL_AGAIN_NS) {
		rc->told_ns[why] = now;
		net_tell(n, NET_DROPPED, rc, "receiver %s: %s: %s%s%s", rc->opts.name,
			 describe_parcel(d, what, sizeof(what)), consequence[why],
			 *detail ? ": " : "", detail);
	}
	if (why != NET_DROP_UNREADABLE)
		delivery_done(rc, d);
	delivery_free(d);
}

char *net_describe_unreadable(const struct receiver *rc, char *out, size_t len)
{
	struct spool_stats s;

	spool_stats(rc->spool, &s);
	snprintf(out, len, "%s: %s", s.unreadable_name, strerror(s.unreadable_error));
	return out;
}

void net_drop_file(struct net *n, struct receiver *rc, struct delivery *d, int error)
{
	char why[160];

	receiver_remove(rc, d);
	if (error == -EBADMSG)
		net_drop(n, rc, d, NET_DROP_DAMAGED, "");
	else
		net_drop(n, rc, d, NET_DROP_UNREADABLE, net_describe_unreadable(rc, why, sizeof(why)));
}

static uint64_t next_random(struct receiver *rc)
{
	rc->random ^= rc->random << 13;
	rc->random ^= rc->random >> 7;
	rc->random ^= rc->random << 17;
	return rc->random;
}

/* "12 profiles, 1 span wait", "1 profile waits", "nothing waits". */
static const char *count_waiting(const struct receiver *rc, char *out, size_t len)
{
	char items[64];
	size_t at = 0;

	for (int s = 0; s < PARCEL_SIGNALS && at < len; s++)
		if (rc->stats.signals[s].queued)
			at += (size_t)snprintf(out + at, len - at, "%s%s", at ? ", " : "",
					       parcel_count_items((enum parcel_signal)s,
								  rc->stats.signals[s].queued,
								  items, sizeof(items)));
	if (at < len)
		snprintf(out + at, len - at,
			 rc->stats.queued > 1 ? " wait"
			 : at                 ? " waits"
					      : "nothing waits");
	return out;
}

static void went_well(struct net *n, struct receiver *rc)
{
	char waiting[128];

	if (rc->in_trouble)
		net_tell(n, NET_RECOVERED, rc, "receiver %s: delivering again; %s", rc->opts.name, count_waiting(rc, waiting, sizeof(waiting)));
	rc->in_trouble = false;
	rc->failures = 0;
	rc->hold_ns = 0;
}

/* The receiver itself is in trouble. Requests that were under way together fail together: that is one failure. */
static void hold_back(struct net *n, struct receiver *rc, uint64_t now, uint64_t retry_after_ns, const char *detail)
{
	uint64_t delay, used = rc->spool ? rc->disk_bytes : rc->stats.queued_bytes;
	uint64_t room = rc->spool ? rc->opts.spool_bytes : rc->opts.queue_bytes;
	char waiting[128], shown[256];

	rc->failures += !rc->in_trouble || now >= rc->hold_ns;
	delay = retry_delay_ns(rc->failures, next_random(rc));
	if (retry_after_ns > delay)
		delay = retry_after_ns;
	if (now + delay > rc->hold_ns)
		rc->hold_ns = now + delay;
	if (!rc->in_trouble)
		net_tell(n, NET_TROUBLE, rc, "receiver %s: %s: %s; %s (%llu of %llu KiB), next try in %.1f s", rc->opts.name, url_shown(rc->opts.url, shown, sizeof(shown)),
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

void net_postpone(struct net *n, struct receiver *rc, struct delivery *d, const char *why)
{
	struct retry_verdict local = { PARCEL_RETRY, RETRY_CREDENTIALS, true };

	rc->stats.failed_tries[local.cause]++;
	try_again_later(n, rc, d, &local, 0, why);
}

/* It took the request, but not all that is in it. */
static void note_rejected(struct net *n, struct receiver *rc, const struct delivery *d,
			  const struct otlp_answer *said)
{
	uint64_t now = time_boot_ns();

	delivery_stats(rc, d)->rejected += (uint64_t)said->rejected;
	if (rc->told_rejected_ns && now - rc->told_rejected_ns <= NET_TELL_AGAIN_NS)
		return;
	rc->told_rejected_ns = now;
	net_tell(n, NET_DROPPED, rc, "receiver %s: it took a request without %lld of its %s%s%s",
		 rc->opts.name, (long long)said->rejected, parcel_signal_items(d->signal),
		 *said->message ? ": " : "", said->message);
}

/* Nothing is lost: it goes again, packed in another way. */
static void use_another_coding(struct net *n, struct request *rq, const char *detail)
{
	struct receiver *rc = rq->receiver;
	struct delivery *d = rq->delivery;
	uint8_t was = rq->parcel->format, format = parcel_format_without(was, rq->codings);
	char shown[256];

	if (receiver_format(rc, d->signal) == was) {
		receiver_set_encoding(rc, parcel_format_without(rc->encoding, rq->codings));
		net_tell(n, NET_CODING, rc,
			 "receiver %s: %s: %s: it does not take %s, from here on as with compression: %s",
			 rc->opts.name, url_shown(rc->opts.url, shown, sizeof(shown)), detail, parcel_format_coding(was),
			 parcel_format_coding(format));
	}
	d->next_ns = 0;
	delivery_end_request(d);
	delivery_unload(d);
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
	rc->in_flight--;
	rc->stats.failed_tries[v.cause] += v.answer != PARCEL_OK;
	if (request_coding_refused(rq, result->http_status)) {
		use_another_coding(n, rq, detail);
		return;
	}
	delivery_end_request(d);
	if (may_be_the_parcel(v.cause))
		receiver_failed(rc, d);
	/* One that is taken out of the configuration keeps its spool: net_drop_gone() decides. */
	if (v.answer == PARCEL_RETRY && (d->tries < rc->opts.max_tries || rc->gone)) {
		delivery_unload(d);
		try_again_later(n, rc, d, &v, retry_after_ns, detail);
		return;
	}
	receiver_remove(rc, d);
	if (v.answer == PARCEL_OK) {
		rc->stats.delivered += d->items;
		delivery_stats(rc, d)->delivered += d->items;
		rc->stats.delivered_bytes += d->bytes;
		if (said.rejected > 0)
			note_rejected(n, rc, d, &said);
		went_well(n, rc);
		delivery_done(rc, d);
		delivery_free(d);
	} else if (v.answer == PARCEL_UNANSWERED) {
		/* A server that has fallen silent would swallow the whole queue: one at a time. */
		hold_back(n, rc, time_boot_ns(), 0, detail);
		net_drop(n, rc, d, NET_DROP_UNANSWERED, detail);
	} else if (v.answer == PARCEL_DROP) {
		went_well(n, rc); /* it answers: the next one may please it */
		net_drop(n, rc, d, NET_DROP_REFUSED, detail);
	} else {
		net_drop(n, rc, d, NET_DROP_TRIES, detail);
	}
}

static bool sent_whole(const struct request *rq)
{
	uint64_t bytes = rq->parcel->bytes.len;
	curl_off_t now = 0;

	curl_easy_getinfo(rq->easy, CURLINFO_SIZE_UPLOAD_T, &now);
	return bytes && ((uint64_t)now >= bytes || rq->sent >= bytes);
}

static uint64_t later(uint64_t a_ns, uint64_t b_ns)
{
	uint64_t most = MAX_RETRY_AFTER_S * NSEC_PER_SEC, v = latest(a_ns, b_ns);

	return v < most ? v : most;
}

void net_collect(struct net *n)
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
