/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * collector - the story of a sample, from the tick to a row of the window.
 *
 *	side-band rings --\
 *	                   timeline (by time) -> processes -> resolve -> window
 *	sample ring ------/
 *
 * Start order matters: side-band first, then the scan of what is there, then the samplers; so every
 * sample finds its process. collector_poll() is called a few times a second and whenever one of its
 * descriptors is readable.
 * Threads: one. Memory: owns everything it makes; a taken window belongs to the taker.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/events.h"
#include "collect/sampler.h"
#include "collect/whose.h"
#include "collect/window.h"
#include "proc/relabel.h"
#include "unwind/unwinder.h"

struct collector;
struct pods;
struct relabel;

struct collector_opts {
	struct sampler_opts sampler;
	enum collect_by by;
	struct whose_requests requests;
	size_t max_window_bytes; /* 0: 256 MiB */
	size_t max_unwind_bytes; /* of unwind tables; 0: 64 MiB */
};

struct collector_stats {
	uint64_t samples;                /* in windows */
	uint64_t cpu_ns;                 /* CPU time they stand for */
	uint64_t left_out;               /* of targets that the rules do not want: in no window, and not lost */
	struct relabel_losses rules;     /* what the rules gave up, of processes they were asked about */
	uint64_t target_restarts;        /* how often the table of targets was full and every process asked again */
	uint64_t lost;                   /* samples: sum of the drops */
	uint64_t counters[EV_COUNT_MAX]; /* of the BPF program, and drops of user space */
	uint64_t cuts[EV_CUT_MAX];       /* how the user stacks of samples ended */
	uint64_t join_ns[EV_JOIN_MAX];   /* CPU time of samples, by whose request they belong to; without a tracer OTHERS all */
	uint64_t kernel_cut;             /* kernel stacks that filled their buffer */
	uint64_t sideband_lost;          /* PERF_RECORD_LOST: process events that never arrived */
	uint32_t processes, images;
	struct unwinder_stats unwind;
	uint32_t cpus;            /* sampled now */
	uint64_t kernel_bytes;    /* BPF maps and programs, perf rings */
	uint64_t first_sample_ns; /* CLOCK_BOOTTIME; 0: none yet */
};

int collector_new(const struct collector_opts *opts, struct collector **ret, char *err,
		  size_t err_len);
struct collector *collector_free(struct collector *c);

int collector_add_pid(struct collector *c, pid_t pid);
int collector_start(struct collector *c, char *err, size_t err_len);

/* Pollable; readable when rings fill up faster than the caller polls. */
int collector_fd(const struct collector *c);

/* Drains the rings and works on what is complete. 0 or negative errno. */
int collector_poll(struct collector *c);
/* Stops the samplers and works on everything that is left. */
int collector_stop(struct collector *c);

/* Which targets are wanted, and their labels (proc/target.h), from the next sample on. Takes the rules over. */
void collector_set_rules(struct collector *c, struct relabel *rules);
/* The pods of this node (proc/pods.h). The same. */
void collector_set_pods(struct collector *c, struct pods *pods);
/* How often a process was met whose pod is not among them. */
uint64_t collector_pods_missed(const struct collector *c);

/* Takes effect at once; no sample is lost. limited_by: see window.h. 0 or negative errno. */
int collector_set_frequency(struct collector *c, uint32_t hz, const char *limited_by);

/* Of a process, whether it is sampled or not: the labels of its target, borrowed until the next call. NULL: it is not wanted. */
const char *collector_labels_of(struct collector *c, uint32_t tgid, uint64_t cgroup_id);

/* The route of a request that has ended, and began while nobody knew it: its samples of the window that is filled now get it. */
void collector_tell_route(struct collector *c, uint64_t span_id, uint64_t end_ns, uint32_t route);

/* CLOCK_BOOTTIME: all that processes did until then has been worked on. */
uint64_t collector_known_ns(const struct collector *c);

/* Whether the sampler's pid filter lets this process in, or there is none. */
bool collector_wants(const struct collector *c, uint32_t tgid);

/* The window so far, sealed; a fresh one takes its place. NULL when out of memory (nothing is lost then).
 * Freed by the caller, on this thread. */
struct window *collector_take_window(struct collector *c);

void collector_stats(struct collector *c, struct collector_stats *ret);
