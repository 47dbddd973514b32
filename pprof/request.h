/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * request - whose a sample is, by its labels: the process or service that ran it, the request it ran for.
 *
 *	comm, pid                          -> "nginx (4711)"
 *	service_name, where no comm is     -> "shop"
 *	http.request.method, http.route    -> "GET /orders"
 */
#include <stdbool.h>

struct buf;
struct profile;
struct profile_sample;

/* Nothing is appended for a sample that says neither. */
void request_owner(const struct profile *p, const struct profile_sample *s, struct buf *out);

/* Appends the route. False: it was for no request, or nobody knows for which. */
bool request_route(const struct profile *p, const struct profile_sample *s, struct buf *out);

/* The same text, of what labels would say. Either may be "": of a route that was not known yet, or has no method. */
void request_name(const char *method, const char *route, struct buf *out);
