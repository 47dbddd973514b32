/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * session - one configured run of the whole pipeline: collect, then name.
 *
 * `record` is a session with one window: start, run until something ends it, finish.
 * Threads: one so far; naming happens after sampling has stopped.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/name.h"
#include "collect/collector.h"

struct profile;
struct session;

struct session_opts {
	struct collector_opts collector;
};

/* What the session did and what it cost. */
struct session_stats {
	struct collector_stats collect;
	struct name_stats name;
	uint64_t start_ns;          /* from session_new() to samplers running */
	uint64_t start_cpu_ns;      /* CPU of this process for that */
	uint64_t wall_ns;           /* samplers running */
	uint64_t cpu_ns;            /* user + system CPU of this process since session_new() */
	uint64_t sampling_cpu_ns;   /* the part of it while the samplers ran */
	uint64_t naming_ns;
	uint64_t rss_bytes, max_rss_bytes;
};

enum session_end { SESSION_TIME, SESSION_SIGNAL, SESSION_TARGET };

/* What ends a run, whichever comes first. */
struct session_until {
	uint64_t duration_ns; /* 0: no limit */
	int signal_fd;        /* readable: stop */
	bool (*ended)(void *ctx); /* asked at every poll: has the target ended? NULL: there is none */
	/* Called about once a second; NULL: no progress wanted. */
	void (*progress)(void *ctx, uint64_t elapsed_ns, const struct collector_stats *stats);
	void *ctx; /* of both */
};

/* On failure err says what and the remedy; the errno classes of sampler_new() and collector_start(). */
int session_new(const struct session_opts *opts, struct session **ret, char *err, size_t err_len);
struct session *session_free(struct session *s);
static inline void session_freep(struct session **s)
{
	session_free(*s);
}

int session_add_pid(struct session *s, int pid);
int session_start(struct session *s, char *err, size_t err_len);

/* An enum session_end, or negative errno. */
int session_run(struct session *s, const struct session_until *until);

/* Stops sampling, names what was collected. The caller owns *ret. */
int session_finish(struct session *s, struct profile **ret, struct session_stats *ret_stats);
