/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * session - one configured run of the whole pipeline: collect, name, hand over.
 *
 *	loop thread (the caller's):  collector --full window--> worker thread: namer --> on_window()
 *	                             window_free() <--when it is done with it--/
 *
 * `record` is a session with one window, handed over at the end; `agent` and `top` hand one over each
 * flush interval. One window at a time is with the worker: while it is busy the next one grows.
 * Threads: all functions belong to the loop thread; on_window() runs on the worker's.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/name.h"
#include "bpf/trace.h"
#include "collect/collector.h"
#include "symbolize/symbolizer.h"

struct relabel;
struct pods;
struct session;
struct tracing;
struct tracing_opts;
struct window;

struct session_opts {
	struct collector_opts collector; /* its sampler's pids are borrowed until session_start() */
	struct name_opts names;
	const struct tracing_opts *tracing; /* requests too (trace/tracing.h), whose labels are the session's to tell; NULL: no. Borrowed in the call */
	uint64_t flush_interval_ns; /* 0: one window, at the end */
	struct symbolizer_opts symbols; /* borrowed until session_new() returns */
	uint64_t lines_wait_ns;     /* how long a window waits for lines that are being made; 0: not at all */
	size_t max_table_bytes;     /* symbol tables kept from one window to the next; 0: 24 MiB */
	/* Window and namer are borrowed. What it returns below 0 session_run() or session_finish() returns. */
	int (*on_window)(void *ctx, struct namer *n, const struct window *w);
	/* About five times a second while session_finish() waits; false: wait for lines no more. NULL: not wanted. */
	bool (*waiting)(void *ctx);
	void *ctx;
};

/* What the session did and what it cost. */
struct session_stats {
	struct collector_stats collect;
	uint64_t requests[TRACE_COUNT_MAX]; /* of the tracing programs (bpf/trace_counts.def); zero without them */
	uint64_t joined_ns[EV_JOIN_MAX];     /* CPU time of processes that take or make requests, by whose request it was */
	struct name_stats name;
	uint64_t windows;           /* handed over and done */
	uint64_t flushes_late;      /* postponed: the worker was busy */
	uint64_t symbol_bytes;      /* of symbol tables held */
	struct lines_stats lines;   /* images whose lines were made, or could not be */
	int lines_error;            /* why there are none at all, where they were asked for */
	uint64_t start_ns;          /* from session_new() to samplers running */
	uint64_t start_cpu_ns;      /* CPU of this process for that */
	uint64_t wall_ns;           /* samplers running */
	uint64_t cpu_ns;            /* user + system CPU of this process since session_new() */
	uint64_t sampling_cpu_ns;   /* the part of it while the samplers ran */
	uint64_t naming_ns;         /* wall time of the worker's work */
	uint64_t rss_bytes;
};

enum session_end { SESSION_TIME, SESSION_SIGNAL, SESSION_TARGET };

/* What ends a run, whichever comes first. */
struct session_until {
	uint64_t duration_ns; /* since session_start(); 0: no limit */
	int signal_fd;        /* readable: stop. Reading it is the caller's */
	bool (*ended)(void *ctx); /* asked at every poll: has the target ended? NULL: there is none */
	void (*tick)(void *ctx, uint64_t elapsed_ns); /* about once a second; NULL: not wanted */
	void *ctx; /* of both */
};

/* On failure err says what and the remedy; the errno classes of sampler_new() and collector_start(). */
int session_new(const struct session_opts *opts, struct session **ret, char *err, size_t err_len);
struct session *session_free(struct session *s);
static inline void session_freep(struct session **s)
{
	session_free(*s);
}

/* NULL: it was not asked for. */
struct tracing *session_tracing(struct session *s);

int session_add_pid(struct session *s, int pid);
int session_start(struct session *s, char *err, size_t err_len);

/* An enum session_end, or negative errno. May be called again: the session goes on. */
int session_run(struct session *s, const struct session_until *until);

/* Both take effect at once and lose no sample. limited_by: the option that holds the rate down, NULL: none. */
int session_set_frequency(struct session *s, uint32_t hz, const char *limited_by);
void session_set_flush_interval(struct session *s, uint64_t ns);

/* Of an agent: which processes are wanted, and their labels (proc/target.h). Takes the rules over; NULL: none. */
void session_set_rules(struct session *s, struct relabel *rules);
/* And the pods they run in. The same; how often one was met whose pod is not among them. */
void session_set_pods(struct session *s, struct pods *pods);
uint64_t session_pods_missed(const struct session *s);

/* Memory is short: the window goes to the worker now, unless that is busy, and free memory to the kernel. */
int session_save_memory(struct session *s);

#define SESSION_NO_LIMIT (UINT64_MAX / 4)

/*
 * Stops sampling, hands over the last window and waits until on_window() is done with it. 0 or what it
 * returned. -ETIMEDOUT: naming takes longer; session_free() would wait for it too.
 */
int session_finish(struct session *s, uint64_t timeout_ns);

void session_stats(struct session *s, struct session_stats *ret);
