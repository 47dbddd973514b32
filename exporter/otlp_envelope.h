/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * otlp_envelope - what spans and metrics of OTLP lie in: a request holds resources, a resource a scope, a scope the items.
 * Traces and metrics have the same fields for it:
 *
 *	Request { 1: { resource 1, 2: { scope 1, 2: item ..., schema_url 3 }, schema_url 3 } ... }
 *
 * Opened by the first item of a resource, so nothing empty is sent. A request that is large enough is sent at once, in the
 * middle of a resource if need be: what follows begins with the same resource again.
 * Memory: one request's bytes, kept from one to the next.
 */
#include <stdbool.h>

#include "base/buf.h"

struct attribute;
struct strmap;

/* A collector's gRPC server takes 4 MiB unless told otherwise. Less is as good, and we have to hold it; one item more may
 * be in it. */
#define OTLP_REQUEST_BYTES (1u << 20)

/* A request is ready; items: spans, or data points. 0 or negative errno, which ends what was going on. */
typedef int otlp_request_fn(void *ctx, const struct buf *request, uint32_t items);

struct otlp_opts {
	const char *scope_name, *scope_version; /* who made it; borrowed, as is ctx */
	size_t max_bytes;                       /* of a request; 0: OTLP_REQUEST_BYTES */
	otlp_request_fn *send;
	void *ctx;
};

struct otlp_envelope {
	struct otlp_opts opts;
	struct buf out;
	size_t resource, scope; /* marks */
	bool is_open;
	uint32_t items;
};

void otlp_envelope_init(struct otlp_envelope *e, const struct otlp_opts *opts);
void otlp_envelope_fini(struct otlp_envelope *e);

/* Room for items of a resource. */
void otlp_envelope_open(struct otlp_envelope *e, const struct strmap *resource);
void otlp_envelope_close(struct otlp_envelope *e);
bool otlp_envelope_is_full(const struct otlp_envelope *e);
/* Sends what is there, if anything, all closed; empty then, whatever becomes of it. 0, -ENOMEM, or what send answers. */
int otlp_envelope_send(struct otlp_envelope *e);

void otlp_put_attributes(struct buf *b, uint32_t field, const struct attribute *a, uint32_t n);
