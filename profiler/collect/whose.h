/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * whose - whose CPU time a sample is: the labels of its row, or that its target is not wanted.
 *
 *	sample -> cgroup's path, process -> target (proc/target.h) -> labels
 *	                                          \-> share, told to the sampler: the next ones are not sent
 *
 * A target that is not wanted, or wanted at a lower rate than the agent's, is found out at the first sample of each
 * program; from then on the BPF program leaves its samples out, or sends one in so many with their weight. Samples that
 * come all the same (they were under way, or the program has forgotten) are judged here, and the sampler is told again.
 * Threads: one. Memory: owns the tables of cgroups and targets; the sampler is borrowed.
 */
#include <stdbool.h>
#include <stdint.h>

#include "collect/window.h"

struct ev_sample;
struct pods;
struct process;
struct relabel;
struct relabel_losses;
struct sampler;
struct whose;

enum collect_by {
	COLLECT_BY_PROCESS, /* labels comm, pid, cgroup */
	COLLECT_BY_THREAD,  /* and tid; comm is the thread's */
	COLLECT_BY_NONE,    /* no labels: one row per stack */
	COLLECT_BY_TARGET,  /* the labels of its target (proc/target.h) and nothing else */
};

/* What the tracer knows of a request in flight; NULL: there is no tracer. */
struct whose_requests {
	const char *(*route)(void *ctx, uint32_t id);
	const char *(*method)(uint8_t method);
	bool spans; /* rows of different spans are kept apart, of those that are sampled */
	void *ctx;
};

int whose_new(enum collect_by by, const struct whose_requests *requests, struct whose **ret);
struct whose *whose_free(struct whose *w);

/* From the next sample on; what is new makes the sampler send all again. Rules and pods are taken over; NULL: none. */
void whose_set_rules(struct whose *w, struct sampler *s, struct relabel *rules);
void whose_set_pods(struct whose *w, struct sampler *s, struct pods *pods);
void whose_set_frequency(struct whose *w, struct sampler *s, uint32_t hz);

/* p: NULL when nobody knows it. strings: of the window. False: it is of a target that is not wanted. */
bool whose_labels(struct whose *w, struct sampler *s, const struct ev_sample *ev, struct process *p,
		  struct strpool *strings, struct window_labels *ret);
/* And why its stack ends, once that is known. */
void whose_note_cut(const struct whose *w, uint32_t cut, struct window_labels *labels);

/* Of a process, whether it is sampled or not: the labels of its target (COLLECT_BY_TARGET's). NULL: it is not wanted. */
const char *whose_target(struct whose *w, struct process *p, uint64_t cgroup_id, uint64_t now_ns);

/* How often a process was met whose pod is not known. */
uint64_t whose_pods_missed(const struct whose *w);
/* How often its table of targets was full (proc/target.h). */
uint64_t whose_target_restarts(const struct whose *w);
/* What the rules gave up. */
void whose_losses(const struct whose *w, struct relabel_losses *ret);
