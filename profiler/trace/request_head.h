/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * request_head - the head of an HTTP/1 request, as it was on the wire, taken apart. Pure.
 *
 * The bytes are a peer's: anything, and cut off anywhere. What is not there is empty. Slices point into them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/texts.h"

struct request_head {
	struct slice method, target;
	struct slice scheme, authority; /* of an absolute target; empty: none */
	struct slice path, query;       /* query: without ? */
	struct slice host;              /* the header */
	struct slice user_agent;
	struct slice tracestates;       /* from the first such header on, and what is behind it */
	int minor;                      /* of HTTP/1.x; -1: not seen */
	bool target_cut;                /* the target goes on behind what is here */
};

void request_head_parse(const void *bytes, size_t len, struct request_head *ret);
/*
 * The members of all its tracestate headers, in order, as one list (W3C trace context 3.3.1); more than 32 are too many. s is NULL:
 * there is none, or what there is is none.
 */
struct slice request_head_tracestate(const struct request_head *h, struct texts *t);
/* "example.org:8080" -> "example.org" and 8080; 0: it names no port. [::1] loses its brackets. */
struct slice request_head_host(struct slice authority, uint16_t *ret_port);
