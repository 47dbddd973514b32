/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * target - the labels under which a process's CPU time is filed, or that it is not wanted.
 *
 *	what is known of it (identity.h)   -> relabel rules -> the labels left
 *
 * Labels that begin with __ go when the rules are done; a target without service_name has its service's again. Before
 * that __frequency__, where a rule set it to a whole number, is the rate in Hz at which its processes are sampled, if that
 * is below the agent's.
 * Asked once per process and program it runs, and again when it has said more of itself; a fork has its parent's. Kernel
 * threads are service_name="kernel" and nothing else.
 * Memory: label sets live in the table, 65,535 of them in 8 MiB; then it begins anew and asks every process again, which is
 * counted. Threads: one.
 */
#include <stdbool.h>
#include <stdint.h>

struct identity_view;
struct pods;
struct relabel;
struct relabel_losses;
struct targets;

int targets_new(struct targets **ret);
struct targets *targets_free(struct targets *t);

/* From here on, for all processes. Takes the rules over; NULL: none. */
void targets_set_rules(struct targets *t, struct relabel *rules);
/* What all rules so far gave up. */
void targets_losses(const struct targets *t, struct relabel_losses *ret);

/* From here on, what is known of pods; NULL: nothing. Takes them over. False: it is what was known already. */
bool targets_set_pods(struct targets *t, struct pods *pods);
/* How often a process was met whose pod was not among them: time to ask for them again. */
uint64_t targets_pods_missed(const struct targets *t);

/* How often the table was full. */
uint64_t targets_restarts(const struct targets *t);

struct target {
	const char *labels;    /* text for labels_parse(), borrowed until the next call; NULL: the rules leave it out */
	uint32_t frequency_hz; /* 0: the agent's */
};

void targets_find(struct targets *t, const struct identity_view *v, struct target *ret);
