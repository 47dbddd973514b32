/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * net_parts - what net.c (the thread, parcels in), net_answer.c (what becomes of a parcel) and net_list.c (the list of
 * receivers) share. All of it under the lock.
 */
#include <curl/curl.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/vec.h"
#include "exporter/net.h"
#include "exporter/receiver.h"

/* The same drop, or the like of it, is told again after so long. */
#define NET_TELL_AGAIN_NS (60 * NSEC_PER_SEC)

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

void net_tell(struct net *n, enum net_event_kind kind, const struct receiver *rc, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Given up; d is out of the queue already. */
void net_drop(struct net *n, struct receiver *rc, struct delivery *d, enum net_drop why, const char *detail);
/* Its file in the spool is damaged (-EBADMSG), or cannot be read. */
void net_drop_file(struct net *n, struct receiver *rc, struct delivery *d, int error);
/* A try did not even begin: the fault is ours, or the host's. */
void net_postpone(struct net *n, struct receiver *rc, struct delivery *d, const char *why);
/* Requests that have ended: their parcels have arrived, wait again, or are given up. */
void net_collect(struct net *n);

/* The spool's last unreadable file: "0000000000000007.sent: Permission denied". Returns out. */
char *net_describe_unreadable(const struct receiver *rc, char *out, size_t len);
/* Receivers that are no longer wanted go when their last request has ended. */
void net_drop_gone(struct net *n);
