/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * receive - profiles that others push, handed on: an agent as the destination of agents, in the place of Alloy's
 * pyroscope.receive_http.
 *
 *	POST /push.v1.PusherService/Push -> checked, marked -> net_send() -> 200
 *
 * Bytes go on as they came (a gzipped request inflated) to every receiver of type pyroscope, under their own labels. 200
 * says that queues or spools have them; where there is no room 429, so that who pushes keeps them: nothing old goes for
 * what is new. Each request is marked with the agents it has been with, and is refused where it has been already: agents
 * that push to one another in a circle get everything once.
 * Bounded: connections, bytes of a request, bytes of all that are being read. No authentication: whoever reaches the
 * address may push, so it is the host's own unless the configuration says otherwise.
 * Threads: its own, since a spool's disk may be slow; functions are the loop thread's.
 */
#include <stddef.h>
#include <stdint.h>

struct net;
struct receive;

enum receive_result {
	RECEIVE_TAKEN,
	RECEIVE_NOT_A_PUSH,  /* another path, method, type or encoding */
	RECEIVE_MALFORMED,
	RECEIVE_TOO_LARGE,
	RECEIVE_CIRCLE,      /* it was here before */
	RECEIVE_FULL,        /* the queues of all receivers */
	RECEIVE_NO_RECEIVER, /* of type pyroscope */
	RECEIVE_BUSY,        /* too much is being read at once, or it is stopping */
	RECEIVE_NO_MEMORY,
	RECEIVE_CUT,         /* the connection ended in the middle */
	RECEIVE_RESULTS,
};

struct receive_stats {
	uint64_t pushes[RECEIVE_RESULTS];
	uint64_t bytes; /* of those taken */
};

/* The socket alone: its port may be a privileged one. where: as of listener.h. */
int receive_new(const char *where, struct receive **ret, char *err, size_t err_len);
/* From here on requests are answered. net is borrowed. */
int receive_start(struct receive *rv, struct net *net, char *err, size_t err_len);
/* No new connections; those under way get their answers, for a second at most. */
void receive_stop(struct receive *rv);
struct receive *receive_free(struct receive *rv);

const char *receive_address(const struct receive *rv);
/* What this agent marks requests with (pyroscope.h). */
const char *receive_mark(const struct receive *rv);
void receive_stats(struct receive *rv, struct receive_stats *ret);
/* "taken", "too_large". */
const char *receive_result_name(enum receive_result r);
