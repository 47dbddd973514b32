/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * unrouted - samples of requests whose route nobody knew when they were taken: they get it when their request has ended.
 *
 *	sample without a route -> a row, as any other has -> noted: so much of it is this request's
 *	request has ended -> its route, told -> what was noted moves to the row with the route
 *
 * A request may be told before its last samples are worked on, which is done a poll late: it is heard until all that
 * was taken before its end is noted. Samples whose window is gone by then stay without.
 * Memory: bounded; of more than so many notes the older half is forgotten. Threads: one.
 */
#include <stdint.h>

#include "base/vec.h"

struct ev_sample;
struct whose_requests;
struct window;

struct unrouted_note {
	uint64_t span_id;
	uint64_t cpu_ns;
	uint32_t row, samples;
};

struct unrouted_told {
	uint64_t span_id;
	uint64_t end_ns;
	uint32_t route;
};

struct unrouted {
	vec(struct unrouted_note) notes; /* of the window that is filled now */
	vec(struct unrouted_told) told;
};

/* The sample lies in this row. With no memory for a note it stays there. */
void unrouted_note(struct unrouted *u, const struct ev_sample *ev, uint32_t row);
/* The route of a request that has ended. */
void unrouted_tell(struct unrouted *u, uint64_t span_id, uint64_t end_ns, uint32_t route);
/* Samples up to complete_ns are all noted. */
void unrouted_settle(struct unrouted *u, struct window *w, const struct whose_requests *r, uint64_t complete_ns);
/* From here on another window is filled. */
void unrouted_turn(struct unrouted *u);
void unrouted_fini(struct unrouted *u);
