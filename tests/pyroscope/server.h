/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * server - the fake's HTTP side: pushes, and what tests ask it under /fake/.
 *
 *	POST /push.v1.PusherService/Push   as a real server answers, or as the faults say
 *	GET  /fake/state                   the store as JSON
 *	GET  /fake/profile?series=N        the last profile of series N of the state, as it came
 *	POST /fake/faults                  text, see faults.h
 *	POST /fake/reset                   forgets everything, faults too
 *	GET  /ready
 *
 * A thread per connection: a slow answer is a thread that sleeps. One lock over store and faults.
 */
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "pyroscope/faults.h"
#include "pyroscope/store.h"

struct server {
	pthread_mutex_t lock;
	struct store store;
	struct faults faults;
	atomic_bool stopping;
	/* options */
	bool tenant_required, any_time;
	char *basic; /* "Basic ...": what Authorization must be; NULL: anything */
	bool client_certificate;
};

/* For MHD_start_daemon(); cls is a struct server. */
enum MHD_Result server_handle(void *cls, struct MHD_Connection *c, const char *url, const char *method, const char *version,
			      const char *data, size_t *data_size, void **con_cls);
void server_completed(void *cls, struct MHD_Connection *c, void **con_cls, enum MHD_RequestTerminationCode toe);
