/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * net - the network thread: parcels in, HTTP requests out, to every receiver at its own pace.
 *
 *	net_send() -> each receiver's queue -> requests in flight -> delivered | again later | dropped
 *
 * A receiver that is slow or down holds back only its own queue. The queue is bounded: the oldest
 * parcel goes first, counted. Nothing waits for the network but this thread.
 * Threads: all functions may be called from any thread. Events are told under the lock, most of them
 * from the network thread, a full queue's from net_send(): on_event must not call back.
 */
#include <stddef.h>
#include <stdint.h>

#include "exporter/archive.h"
#include "exporter/otlp_format.h"
#include "exporter/parcel.h"
#include "exporter/receiver_opts.h"
#include "exporter/retry.h"
#include "exporter/spool.h"

struct net;

enum net_event_kind {
	NET_TROUBLE,   /* the first failed try after things went well */
	NET_RECOVERED, /* the first success after trouble */
	NET_CODING, /* it does not take the compression that is configured: another one from here on */
	NET_DROPPED, /* a parcel was given up; told at most once a minute per receiver and cause */
};

struct net_event {
	enum net_event_kind kind;
	const char *receiver;
	char text[512]; /* what happened and what follows, for people */
};

struct net_opts {
	void (*on_event)(void *ctx, const struct net_event *ev); /* NULL: nobody listens */
	void *ctx;
	const char *user_agent; /* borrowed until net_free() */
};

/* Why a parcel was given up. */
enum net_drop {
	NET_DROP_REFUSED,
	NET_DROP_TRIES,
	NET_DROP_QUEUE_FULL,
	NET_DROP_TOO_OLD,
	NET_DROP_UNANSWERED,
	NET_DROP_REMOVED,
	NET_DROP_DAMAGED,
	NET_DROP_UNREADABLE,
	NET_DROP_FORMAT,
	NET_DROPS
};

/* Of one signal: profiles, spans, data points. */
struct net_signal_stats {
	uint64_t delivered, dropped[NET_DROPS];
	uint64_t queued, spooled; /* now */
	uint64_t
		rejected; /* left out by an OTLP receiver of requests it took: its partial success */
};

struct net_receiver_stats {
	char name[64];
	uint32_t send; /* the signals that go to it, a bit each */
	struct net_signal_stats signals[PARCEL_SIGNALS];
	/* Of all signals: each item of a parcel that holds many. */
	uint64_t delivered, delivered_bytes;
	uint64_t failed_tries[RETRY_CAUSES];
	uint64_t dropped[NET_DROPS];
	uint64_t queued, queued_bytes; /* now, those in flight included */
	uint64_t spooled, spooled_bytes; /* of those queued, on disk */
	struct spool_stats spool;      /* all zero without one */
	struct archive_stats archive;  /* of files: all zero else */
};

int net_new(const struct net_opts *opts, struct net **ret);
/* What still waits in memory is let go of; what is on disk stays for the next run. */
struct net *net_free(struct net *n);

/*
 * Sets the list of receivers, those of type file left out: one whose name stays keeps its queue, its spool and its counters, so does one that comes back
 * before its last request has ended. All of them or none: 0; -ENOMEM; why a spool cannot be had, said in err.
 */
int net_set_receivers(struct net *n, const struct receiver_opts *opts, size_t n_opts, char *err, size_t err_len);

/* The encodings (otlp_format.h) in which receivers take a signal, a bit each; 0: nobody wants it. */
uint32_t net_formats(struct net *n, enum parcel_signal signal);

/* May so many bytes be sent? 0; -ENOENT: no receiver takes that format; -ENOSPC: the queues of all that do are full. */
int net_has_room(struct net *n, uint8_t format, uint64_t bytes);

/* Queues the parcel with every receiver that takes its signal in its encoding; the caller keeps its reference. 0 or -ENOMEM. */
int net_send(struct net *n, struct parcel *p);

/*
 * The end: waits until nothing is left that would be lost, at most so long. What lies in a spool stays there, but for the last
 * interval's where the server takes it. 0, or -ETIMEDOUT. While it waits back-off is cut short.
 */
int net_flush(struct net *n, uint64_t timeout_ns);

/* Fills at most max rows; returns how many receivers there are. */
size_t net_stats(struct net *n, struct net_receiver_stats *ret, size_t max);
const char *net_drop_name(enum net_drop d);
