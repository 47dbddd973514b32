/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * red - requests, errors and durations, counted in the kernel and summed up here by service.
 *
 *	cells (BPF, by process and CPU) --differences--> series (by service)
 *	requests counted under an unknown route --------^ moved to theirs, once it is known
 *
 * Sums only grow: what a process counted stays when it has gone. A move waits until the count it moves has come, so that
 * no series ever goes down. Meanwhile more may have become known of its process, whose counts then come as another
 * service's: the move is that one's too.
 * Memory: bounded; above max_series what is new is counted under the route ROUTES_OVERFLOW of its service, and above twice as
 * many nowhere, but for how many that are. Threads: one.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bpf/trace.h"

struct ev_request;
struct red;

struct red_series_key {
	uint32_t service; /* a number of the caller's */
	uint32_t route;   /* of routes.h; TRACE_ROUTE_UNKNOWN */
	uint16_t status;
	uint8_t method, side;
};

struct red_series {
	struct red_series_key key;
	uint64_t count;
	uint64_t duration_ns, request_bytes, response_bytes, cpu_ns, unfinished;
	uint64_t durations[TRACE_DURATIONS], request_sizes[TRACE_SIZES], response_sizes[TRACE_SIZES];
	uint64_t start_ns; /* CLOCK_BOOTTIME: of the round before the one that saw it first: then there was nothing of it */
};

struct red_opts {
	uint32_t max_series; /* 0: 10,000 */
	uint64_t start_ns;   /* CLOCK_BOOTTIME: nothing was counted before */
	uint32_t (*service_of)(void *ctx, uint32_t tgid);                /* 0: it is not wanted */
	uint32_t (*overflow_of)(void *ctx, uint32_t service);            /* a route */
	uint32_t (*route_of)(void *ctx, uint32_t service, uint32_t route); /* the same one, of this service; 0: no memory */
	void *ctx;
};

int red_new(const struct red_opts *opts, struct red **ret);
struct red *red_free(struct red *r);

/*
 * A cell as it is now, summed over CPUs. Between red_begin() and red_end() every cell of the kernel's is told once;
 * what is not told any more has gone. 0 or -ENOMEM: it is told again next time.
 */
void red_begin(struct red *r);
int red_cell(struct red *r, const struct red_key *key, const struct red_cell *now);
void red_end(struct red *r, uint64_t now_ns);
/* The kernel's cell is gone: the next one with this key begins at nothing. */
void red_drop_cell(struct red *r, const struct red_key *key);

/* This one was counted under TRACE_ROUTE_UNKNOWN, and is of `route`. 0 or -ENOMEM. */
int red_move(struct red *r, const struct ev_request *ev, uint32_t route);

/*
 * error.type of a series and of a span: of a server what is its own fault, of a client what it was denied. NULL: it is no
 * error. The status is written into text.
 */
enum { RED_ERROR_BYTES = 8 };
const char *red_error(uint8_t side, uint16_t status, char text[RED_ERROR_BYTES]);

/* All series, in no order; borrowed until the next call. */
const struct red_series *red_series(const struct red *r, uint32_t *ret_n);
/* Requests that no series counts: there was no room. */
uint64_t red_lost(const struct red *r);
/* Series of services that are no more. */
void red_forget(struct red *r, bool (*has_gone)(void *ctx, uint32_t service), void *ctx);
