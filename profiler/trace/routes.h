/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * routes - the route of a request's path, few for each service, whatever the paths are.
 *
 *	/users/4711/orders  ->  a pattern of the user's, /users/{id}/orders
 *	                    ->  else a learned one, with a star in place of 4711
 *
 * Learned: a segment is a name, or a place for one: that has a digit (v1, v23 are names), a character that names of
 * endpoints do not have, or over 40 bytes; and where more than so many names were met in one place, all further ones are.
 * A service has a hard number of routes; what comes after is ROUTES_OVERFLOW. What was learned is kept in a file, so
 * that series go on over a restart.
 * Ids are of one run: text and service by a number, never used again. Id 0 is none: not known.
 * Memory: bounded by services and their routes. Threads: one.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct routes;

#define ROUTES_OVERFLOW "{overflow}"

struct routes_opts {
	const char *const *patterns; /* route_pattern.h; borrowed in the call */
	uint32_t n_patterns;
	bool learn;                  /* what no pattern takes has a learned route; else none but "" */
	uint32_t max_per_service;    /* 0: 100 */
	uint32_t max_names;          /* in one place; 0: 32 */
};

/* -EINVAL: err names the pattern and says what is wrong. -ENOMEM. */
int routes_new(const struct routes_opts *opts, struct routes **ret, char *err, size_t err_len);
struct routes *routes_free(struct routes *r);

/* path: without query, any bytes, as it came. 0 when memory ran out. */
uint32_t routes_find(struct routes *r, const char *service, const char *path, size_t len);
/* Of a service, for what there is no room for. */
uint32_t routes_overflow(struct routes *r, const char *service);
/* "" for 0 and where nobody wanted one. Valid until routes_free(). */
const char *routes_text(const struct routes *r, uint32_t id);

/* Does a pattern tell apart what http1.h takes for the same: digits in a segment? */
bool routes_are_literal(const struct routes *r);

/* "service<TAB>route" a line. A file that is not there is empty; -EINVAL: it is not of this kind; other errors of files. */
int routes_load(struct routes *r, const char *path);
/* True: something was learned since the last save. */
bool routes_changed(const struct routes *r);
/* By a new file that takes its place; its directory is made where it is not there. 0 or negative errno. */
int routes_save(struct routes *r, const char *path);
