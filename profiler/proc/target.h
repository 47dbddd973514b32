/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * target - the labels under which a process's CPU time is filed, or that it is not wanted.
 *
 *	what is known of it (identity.h)   -> relabel rules -> the labels left
 *
 * Labels that begin with __ go when the rules are done; a target without service_name has its service's again.
 * Asked once per process and program it runs, and again when it has said more of itself; a fork has its parent's. Kernel
 * threads are service_name="kernel" and nothing else.
 * Memory: label sets live in the table, 4,096 of them; then it begins anew. Threads: one.
 */
#include "base/strmap.h"

struct identity_view;
struct relabel;
struct targets;

int targets_new(struct targets **ret);
struct targets *targets_free(struct targets *t);

/* From here on, for all processes. Takes the rules over; NULL: none. */
void targets_set_rules(struct targets *t, struct relabel *rules);

/* The labels of a process as text for labels_parse(); "": the rules leave it out. Borrowed until the next call. */
const char *targets_find(struct targets *t, const struct identity_view *v);
