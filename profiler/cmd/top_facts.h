/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * top_facts - what one interval of `hotspan top` says of itself: load, losses, completeness, cost.
 * The terms are the verdict's (verdict.h), over the interval instead of the whole run.
 */
#include <stdint.h>

#include "agent/session.h"

struct buf;

struct top_facts {
	struct session_stats before;   /* at the end of the last interval */
	struct session_stats interval; /* what was added since; levels such as rss_bytes as they are */
	uint32_t frequency_hz;
	uint64_t window_ns; /* 0: decaying average */
};

/* The interval ends now. named: of its window. */
void top_facts_update(struct top_facts *f, const struct session_stats *now, const struct name_stats *named);

/* Of the host's CPU time; others: outside the targets. */
double top_facts_idle_percent(const struct top_facts *f);
double top_facts_others_percent(const struct top_facts *f);

/* Lines for people, without a line feed. */
enum { TOP_FACTS_LINES = 3 };
void top_facts_line(const struct top_facts *f, int line, struct buf *out);

/* "samples":12,...: members of a JSON object, without braces. */
void top_facts_json(const struct top_facts *f, struct buf *out);
