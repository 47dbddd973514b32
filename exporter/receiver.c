/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/receiver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "exporter/folder.h"
#include "exporter/otlp_format.h"
#include "exporter/request.h"

/* Requests to one receiver at once: an answer takes half a second, profiles come in bunches. */
enum { MAX_IN_FLIGHT = 8 };

/* What is older than this was not made by the interval that just ended; so much of it goes out a second. */
#define REPLAY_AGE_NS (60 * NSEC_PER_SEC)
#define REPLAY_EVERY_NS (NSEC_PER_SEC / 20)

int receiver_opts_copy(const struct receiver_opts *from, struct receiver_opts *ret)
{
	struct receiver_opts to = *from;
	int r;

	to.headers = (struct strmap){ 0 };
	r = strmap_copy(&from->headers, &to.headers);
#define COPY(field)                                                                                	to.field = from->field && r >= 0 ? strdup(from->field) : NULL;                             	r = from->field && !to.field ? -ENOMEM : r;
	RECEIVER_STRINGS(COPY)
#undef COPY
	if (r < 0)
		receiver_opts_fini(&to);
	else
		*ret = to;
	return r;
}

void receiver_opts_fini(struct receiver_opts *o)
{
#define FREE(field) free(o->field);
	RECEIVER_STRINGS(FREE)
#undef FREE
	strmap_fini(&o->headers);
	*o = (struct receiver_opts){ 0 };
}

static void secret_fini(struct secret *s)
{
	free(s->text);
	*s = (struct secret){ 0 };
}

bool receiver_takes(const struct receiver *rc, enum parcel_signal signal)
{
	return rc->opts.send >> signal & 1;
}

void receiver_set_encoding(struct receiver *rc, uint8_t encoding)
{
	rc->former = rc->encoding;
	rc->encoding = encoding;
}

uint8_t receiver_format(const struct receiver *rc, enum parcel_signal signal)
{
	return parcel_format(signal, rc->encoding);
}

/* At the end of the queue. */
static struct delivery *push(struct receiver *rc, const struct spool_entry *e)
{
	struct delivery *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->bytes = e->bytes;
	d->items = e->items < UINT16_MAX ? (uint16_t)e->items : UINT16_MAX;
	d->time_ns = e->time_ns;
	d->signal = parcel_format_signal(e->format);
	d->key = e->key;
	d->prev = rc->tail;
	*(rc->tail ? &rc->tail->next : &rc->head) = d;
	rc->tail = d;
	rc->stats.queued += d->items;
	delivery_stats(rc, d)->queued += d->items;
	rc->stats.queued_bytes += d->bytes;
	rc->n_keys += !rc->of_key[d->key]++;
	return d;
}

static struct delivery *push_spooled(struct receiver *rc, const struct spool_entry *e)
{
	struct delivery *d = push(rc, e);

	if (!d)
		return NULL;
	d->on_disk = true;
	d->number = e->number;
	rc->disk_items += d->items;
	delivery_stats(rc, d)->spooled += d->items;
	rc->disk_bytes += d->bytes;
	return d;
}

static int open_spool(struct receiver *rc, char *err, size_t err_len)
{
	struct spool_left left;
	char folder[4096];
	int pid, r;

	if (snprintf(folder, sizeof(folder), "%s/%s", rc->opts.spool, rc->opts.name) >= (int)sizeof(folder))
		return folder_complain("spool", rc->opts.spool, -ENAMETOOLONG, 0, err, err_len);
	r = spool_open(folder, &rc->spool, &left, &pid);
	if (r < 0)
		return folder_complain("spool", folder, r, pid, err, err_len);
	vec_foreach(e, &left)
		if (r >= 0 && !push_spooled(rc, e))
			r = -ENOMEM;
	vec_fini(&left);
	return r;
}

int receiver_new(const struct receiver_opts *opts, uint64_t seed, struct receiver **ret, char *err, size_t err_len)
{
	struct receiver *rc = calloc(1, sizeof(*rc));
	int r = rc ? receiver_opts_copy(opts, &rc->opts) : -ENOMEM;

	if (r < 0) {
		free(rc);
		return r;
	}
	rc->random = seed | 1;
	rc->former = rc->encoding = parcel_encoding_of(opts);
	snprintf(rc->stats.name, sizeof(rc->stats.name), "%s", opts->name);
	r = opts->spool ? open_spool(rc, err, err_len) : 0;
	if (r < 0) {
		receiver_free(rc);
		return r;
	}
	*ret = rc;
	return 0;
}

struct receiver *receiver_free(struct receiver *rc)
{
	if (!rc)
		return NULL;
	while (rc->head) {
		struct delivery *d = rc->head;

		receiver_remove(rc, d);
		delivery_free(d);
	}
	spool_close(rc->spool);
	secret_fini(&rc->password);
	secret_fini(&rc->token);
	receiver_opts_fini(&rc->opts);
	free(rc);
	return NULL;
}

void receiver_set(struct receiver *rc, struct receiver_opts *opts)
{
	/* A compression that it refused it still does. */
	if (parcel_encoding_of(&rc->opts) != parcel_encoding_of(opts) ||
	    strcmp(rc->opts.url, opts->url))
		receiver_set_encoding(rc, parcel_encoding_of(opts));
	receiver_opts_fini(&rc->opts);
	rc->opts = *opts;
	secret_fini(&rc->password);
	secret_fini(&rc->token);
	rc->gone = false;
	rc->hold_ns = 0; /* perhaps this is what sets it right */
	for (struct delivery *d = rc->head; d; d = d->next)
		d->next_ns = 0;
}

int receiver_add(struct receiver *rc, struct parcel *p, int *ret_spool)
{
	struct spool_entry e = { .bytes = (uint32_t)p->bytes.len,
				 .items = p->items,
				 .time_ns = p->time_ns,
				 .format = p->format,
				 .key = parcel_key(p->format, p->what) };
	struct delivery *d;

	*ret_spool = 0;
	if (rc->spool) {
		*ret_spool = spool_put(rc->spool, p, &e.number);
		if (!*ret_spool)
			return push_spooled(rc, &e) ? 0 : -ENOMEM;
	}
	d = push(rc, &e);
	if (!d)
		return -ENOMEM;
	d->parcel = parcel_ref(p);
	return 0;
}

bool receiver_has_room(const struct receiver *rc, uint64_t bytes)
{
	if (rc->spool)
		return rc->disk_bytes + bytes <= rc->opts.spool_bytes;
	return rc->stats.queued_bytes + bytes <= rc->opts.queue_bytes;
}

/* The parcel may be other receivers' too: it is a new one. */
static int convert(struct receiver *rc, struct delivery *d, uint8_t format)
{
	_cleanup_(buf_fini) struct buf bytes = BUF_INIT;
	struct parcel *p, *old = d->parcel;
	int r = otlp_repack(old->format, &old->bytes, format, &bytes);

	if (r < 0)
		return r;
	p = parcel_new(&bytes, format);
	if (!p)
		return -ENOMEM;
	p->time_ns = old->time_ns;
	p->items = old->items;
	if (!d->on_disk) {
		rc->stats.queued_bytes += p->bytes.len - d->bytes;
		d->bytes = (uint32_t)p->bytes.len;
	}
	d->parcel = p;
	parcel_unref(old);
	return 0;
}

/* What its receiver takes may have changed since it was made; of what it is never does. */
static int adapt(struct receiver *rc, struct delivery *d)
{
	enum parcel_signal signal = parcel_format_signal(d->parcel->format);
	uint8_t format = receiver_format(rc, signal);

	if (!receiver_takes(rc, signal))
		return -EPROTONOSUPPORT;
	return d->parcel->format == format ? 0 : convert(rc, d, format);
}

int delivery_load(struct receiver *rc, struct delivery *d)
{
	int r = d->parcel ? 0 : spool_get(rc->spool, d->number, &d->parcel);

	if (r >= 0)
		r = adapt(rc, d);
	if (r >= 0 && d->on_disk)
		spool_try(rc->spool, d->number); /* at worst a kill now is not known to have sent it */
	return r;
}

void delivery_unload(struct delivery *d)
{
	if (d->on_disk)
		d->parcel = parcel_unref(d->parcel);
}

void delivery_done(struct receiver *rc, struct delivery *d)
{
	if (d->on_disk)
		spool_done(rc->spool, d->number);
}

static struct delivery *oldest_waiting(struct receiver *rc, bool on_disk)
{
	struct delivery *d = rc->head;

	while (d && (d->request || d->on_disk != on_disk))
		d = d->next;
	return d;
}

struct delivery *receiver_overflow(struct receiver *rc)
{
	struct delivery *oldest = NULL;

	if (rc->stats.queued_bytes - rc->disk_bytes > rc->opts.queue_bytes)
		oldest = oldest_waiting(rc, false);
	else if (rc->disk_bytes > rc->opts.spool_bytes)
		oldest = oldest_waiting(rc, true);
	if (oldest)
		receiver_remove(rc, oldest);
	return oldest;
}

void receiver_remove(struct receiver *rc, struct delivery *d)
{
	*(d->prev ? &d->prev->next : &rc->head) = d->next;
	*(d->next ? &d->next->prev : &rc->tail) = d->prev;
	d->prev = d->next = NULL;
	rc->stats.queued -= d->items;
	delivery_stats(rc, d)->queued -= d->items;
	rc->stats.queued_bytes -= d->bytes;
	rc->n_keys -= !--rc->of_key[d->key];
	rc->disk_items -= d->on_disk ? d->items : 0;
	delivery_stats(rc, d)->spooled -= d->on_disk ? d->items : 0;
	rc->disk_bytes -= d->on_disk ? d->bytes : 0;
}

/* It was not made by the interval that just ended. */
static bool is_old(const struct delivery *d, uint64_t now_utc_ns)
{
	return d->on_disk && now_utc_ns > d->time_ns + REPLAY_AGE_NS;
}

/* When it may go: what waited for long not before its turn, so that a server that is back is not run over. */
static uint64_t due_ns(const struct receiver *rc, const struct delivery *d, uint64_t now_utc_ns)
{
	return is_old(d, now_utc_ns) && rc->next_replay_ns > d->next_ns ? rc->next_replay_ns : d->next_ns;
}

void receiver_started(struct receiver *rc, uint64_t now_ns)
{
	rc->in_flight++;
	rc->next_replay_ns = now_ns + REPLAY_EVERY_NS;
}

/* Keys of parcels that wait or are under way: none of them overtakes. */
struct keys {
	uint64_t bits[4];
};

static bool has_key(const struct keys *k, uint8_t key)
{
	return k->bits[key / 64] >> key % 64 & 1;
}

static void add_key(struct keys *k, uint8_t key)
{
	k->bits[key / 64] |= 1ull << key % 64;
}

/*
 * Is it the parcel, or is the server away? Only a server that takes another one meanwhile tells. Where all that waits is
 * of one series no other may go before it; so one that failed too often lets the next pass: each time it has failed so
 * often again, and from then on when that showed that it is the parcel.
 */
static bool lets_pass(const struct receiver *rc, const struct delivery *d)
{
	uint32_t max = rc->opts.max_tries;

	return rc->n_keys == 1 && !d->request && d->failures >= max && (d->tries || d->failures % max == 0);
}

void receiver_failed(const struct receiver *rc, struct delivery *d)
{
	uint32_t delivered = (uint32_t)rc->stats.delivered;

	d->tries += d->failures && d->delivered_then != delivered && d->tries < UINT16_MAX;
	d->failures += d->failures < UINT16_MAX;
	d->delivered_then = delivered;
}

/* Time to go: what is on disk is safe there. Only where it is the last interval's, and the server takes it, it goes first. */
static bool leaves_disk(const struct receiver *rc, uint64_t now_utc_ns)
{
	const struct delivery *d = rc->head;

	return rc->finishing && (rc->in_trouble || (d && (d->failures || is_old(d, now_utc_ns))));
}

/* Those that may go: the oldest of each key. In trouble the one that was tried longest ago, so that each has its turn. */
static struct delivery *choose(const struct receiver *rc, uint64_t now_ns, uint64_t *ret_wake)
{
	uint64_t now_utc_ns = time_utc_ns(), due;
	bool leave = leaves_disk(rc, now_utc_ns);
	struct delivery *best = NULL;
	struct keys busy = { 0 };
	uint32_t seen = 0;

	for (struct delivery *d = rc->head; d && seen < rc->n_keys; d = d->next) {
		if (has_key(&busy, d->key) || (leave && d->on_disk && !d->request))
			continue;
		if (!lets_pass(rc, d)) {
			add_key(&busy, d->key);
			seen++;
		}
		if (d->request)
			continue;
		due = due_ns(rc, d, now_utc_ns);
		if (due <= now_ns && !rc->in_trouble)
			return d;
		if (due <= now_ns && (!best || d->next_ns < best->next_ns))
			best = d;
		if (due > now_ns && due < *ret_wake)
			*ret_wake = due;
	}
	return best;
}

struct delivery *receiver_next(const struct receiver *rc, uint64_t now_ns, uint64_t *ret_wake)
{
	/* In trouble one request feels the way; the others wait for its answer. */
	uint32_t max = rc->in_trouble ? 1 : MAX_IN_FLIGHT;

	*ret_wake = UINT64_MAX;
	if (rc->in_flight >= max)
		return NULL;
	if (now_ns < rc->hold_ns) {
		*ret_wake = rc->head ? rc->hold_ns : UINT64_MAX;
		return NULL;
	}
	return choose(rc, now_ns, ret_wake);
}

bool receiver_is_finished(const struct receiver *rc)
{
	uint64_t wake;

	if (rc->stats.queued > rc->disk_items)
		return false;
	if (rc->in_trouble || rc->in_flight || rc->gone)
		return rc->in_trouble || !rc->in_flight;
	return !receiver_next(rc, time_boot_ns(), &wake) && wake == UINT64_MAX;
}

void delivery_end_request(struct delivery *d)
{
	d->request = request_free(d->request);
}

struct delivery *delivery_free(struct delivery *d)
{
	if (!d)
		return NULL;
	delivery_end_request(d);
	parcel_unref(d->parcel);
	free(d);
	return NULL;
}
