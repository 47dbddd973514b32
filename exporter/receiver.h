/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * receiver - one destination: its queue, its requests in flight, its state of health. Driven by net.c
 * on the network thread, under its lock.
 */
#include <stdbool.h>

#include "exporter/net.h"
#include "exporter/spool.h"

struct request;

/* One parcel for one receiver. Small, since thousands may wait on disk. */
struct delivery {
	struct delivery *prev, *next; /* in the receiver's queue, oldest first */
	struct parcel *parcel;        /* NULL: on disk, and not being sent */
	struct request *request;      /* NULL: waits */
	uint64_t number;              /* in the spool */
	uint64_t time_ns;             /* the parcel's */
	uint64_t next_ns;             /* CLOCK_BOOTTIME: not before */
	uint32_t bytes;               /* of the parcel */
	uint32_t delivered_then;      /* how many the receiver had taken when this one failed last */
	uint16_t failures;            /* tries that ended with what may be its own fault */
	uint16_t tries;               /* of these, those since another one was taken: they are */
	uint16_t items;               /* of the parcel */
	uint8_t key;                  /* parcel_key() */
	uint8_t signal : 7;           /* the parcel's: enum parcel_signal */
	bool on_disk : 1;
};
_Static_assert(sizeof(struct delivery) <= 72, "what a parcel on disk costs in memory");

/* A file with a secret, read again when it changes. */
struct secret {
	char *text;
	int64_t mtime_ns;
	uint64_t size, ino;
};

struct receiver {
	struct receiver_opts opts; /* our copy */
	struct net_receiver_stats stats;
	struct delivery *head, *tail;
	struct spool *spool;       /* NULL: none */
	uint64_t disk_items, disk_bytes; /* of stats.queued and queued_bytes, those on disk */
	uint32_t of_key[256];      /* parcels in the queue */
	uint32_t n_keys;           /* keys that have any */
	uint64_t next_replay_ns;   /* CLOCK_BOOTTIME: what waited for long goes out at a measured pace */
	uint64_t told_spool_ns;    /* when a parcel that could not be spooled was last told */
	uint8_t former;   /* encoding, before the last change of it: what was packed meanwhile is in it */
	uint8_t encoding; /* in which it takes what it takes: as configured, or without a compression that it refused */
	uint32_t in_flight;
	bool in_trouble;
	uint32_t failures;         /* in a row */
	uint64_t hold_ns;          /* CLOCK_BOOTTIME: nothing is tried before */
	uint64_t told_rejected_ns;
	uint64_t told_ns[NET_DROPS]; /* when a drop for this reason was last told */
	uint64_t random;           /* state of the jitter */
	struct secret password, token;
	bool gone;                 /* taken out of the configuration */
	bool finishing;            /* it is time to go: what is safe on disk stays there */
};

/* 0; -ENOMEM; why its spool cannot be had, said in err. What lies there already is queued. */
int receiver_new(const struct receiver_opts *opts, uint64_t seed, struct receiver **ret, char *err, size_t err_len);
/* What is on disk stays there. */
struct receiver *receiver_free(struct receiver *rc);
/* New settings under the same name, taken over; the spool stays the one it is. */
void receiver_set(struct receiver *rc, struct receiver_opts *opts);

/* Whether it takes a signal at all, and in which format (otlp_format.h). */
bool receiver_takes(const struct receiver *rc, enum parcel_signal signal);
uint8_t receiver_format(const struct receiver *rc, enum parcel_signal signal);
void receiver_set_encoding(struct receiver *rc, uint8_t encoding);

/* A parcel for it: on disk where it has a spool, else, or when that fails (*ret_spool), in memory. 0 or -ENOMEM. */
int receiver_add(struct receiver *rc, struct parcel *p, int *ret_spool);
/* Is there room for so many bytes more, without the oldest going? */
bool receiver_has_room(const struct receiver *rc, uint64_t bytes);
/*
 * Its bytes, for sending: from disk, and as the receiver takes them, should that have changed. As spool_get();
 * -EPROTONOSUPPORT: it is of another layout, or of a signal that it no longer takes.
 */
int delivery_load(struct receiver *rc, struct delivery *d);
/* They are not needed for now. */
void delivery_unload(struct delivery *d);
/* While the queue is over its bound: the oldest that is not in flight, taken out. NULL: the queue fits. */
struct delivery *receiver_overflow(struct receiver *rc);
void receiver_remove(struct receiver *rc, struct delivery *d);

/* The next delivery to start at this time, NULL when none; *ret_wake: the earliest time to ask again, UINT64_MAX: never. */
struct delivery *receiver_next(const struct receiver *rc, uint64_t now_ns, uint64_t *ret_wake);

/* A try ended with what may be the parcel's own fault. */
void receiver_failed(const struct receiver *rc, struct delivery *d);

/* While finishing: nothing is left that would be lost, or that goes out at once. */
bool receiver_is_finished(const struct receiver *rc);

/* One of its requests is under way. */
void receiver_started(struct receiver *rc, uint64_t now_ns);

/* Of its signal. */
static inline struct net_signal_stats *delivery_stats(struct receiver *rc, const struct delivery *d)
{
	return &rc->stats.signals[d->signal];
}

/* It arrived, or is given up: it is no longer on disk. */
void delivery_done(struct receiver *rc, struct delivery *d);
/* The request ends, whatever became of it. */
void delivery_end_request(struct delivery *d);
struct delivery *delivery_free(struct delivery *d);
