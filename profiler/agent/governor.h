/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * governor - keeps a session within its budget: once a second it measures, sets the rate, and says what it did.
 * Threads: the session's.
 */
#include <stddef.h>

#include "agent/budget.h"

struct session;

struct governor {
	struct budget budget;
	struct session *session;
	uint32_t told_hz;    /* the rate and the limit the session knows of */
	enum budget_limit told;
	uint64_t warned_ns;  /* when a limit was last complained of; 0: never */
	bool warned;         /* and its end is still to be told */
	uint64_t limited_since_ns;
};

/* The session, borrowed, samples at limits->frequency_hz. */
void governor_init(struct governor *g, struct session *session, const struct budget_limits *limits);
/* Other limits, at once. 0 or negative errno. */
int governor_set(struct governor *g, const struct budget_limits *limits);
/* 0, or the errno of a window that could not be handed over. */
int governor_tick(struct governor *g);

/* "99 Hz", "41 Hz instead of 99: max_cpu_percent is 1, and 1.04 are used". Returns out. */
char *governor_text(const struct governor *g, char *out, size_t len);
