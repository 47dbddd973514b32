/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * store - what the fake server accepted, merged per series, and what it answered to whom.
 *
 *	series (its labels) -> types -> total, names with self and total
 *	log: one row per push, newest 20000; tallies: how often each text was met
 *
 * Memory: everything belongs to the store, until store_reset(). Out of memory aborts: a test tool.
 * Threads: none of its own; the server calls it under a lock.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/strmap.h"
#include "base/vec.h"
#include "pyroscope/connect.h"

enum { STORE_MAX_TYPES = 8, STORE_MAX_LOG = 20000, STORE_MAX_IDS = 2000, STORE_TOP = 200 };

struct tally {
	char *text;
	uint64_t n;
};
typedef vec(struct tally) tallies;

void tally_add(tallies *t, const char *text, uint64_t n);

struct series_name {
	char *name;
	int64_t self[STORE_MAX_TYPES], total[STORE_MAX_TYPES];
	uint64_t stamp; /* the last stack it was met in: recursion counts once */
};

struct series_type {
	char *name;    /* NAME:TYPE:UNIT:PERIOD TYPE:PERIOD UNIT */
	int64_t total; /* what a flame graph shows */
	int64_t sent;  /* stacks without any name included */
};

struct series {
	struct strmap labels;
	struct series_type types[STORE_MAX_TYPES];
	size_t n_types;
	vec(struct series_name) names;
	struct htable by_name;
	uint64_t stamp;
	uint64_t pushes, samples;
	uint64_t nameless; /* frames without a line, a function or its name */
	int64_t min_time_nanos, max_time_nanos, duration_nanos;
	vec(char *) ids;
	struct buf raw; /* the last profile, as it came */
};

/* One push. */
struct push_row {
	int64_t at_ms; /* CLOCK_BOOTTIME */
	uint64_t bytes;
	int status; /* 0: no answer was given */
	enum connect_code code;
	bool stored;
	int64_t time_nanos, duration_nanos; /* of its profile, the last of several */
	char fault[16]; /* "": none */
	char service[64], id[64], message[200];
};

struct store {
	vec(struct series *) series;
	vec(struct push_row) log;
	uint64_t pushes; /* requests to the push path, those cut included */
	tallies statuses, errors, warnings, user_agents, authorizations, tenants;
};

void store_reset(struct store *st);
/* The series with these labels, made when there is none. */
struct series *store_series(struct store *st, const struct strmap *labels);
void store_log(struct store *st, const struct push_row *row);
void store_json(const struct store *st, struct buf *out);

struct series_push {
	int64_t time_nanos, duration_nanos;
	const char *id;
	const uint8_t *raw;
	size_t raw_len;
};

void series_pushed(struct series *s, const struct series_push *p);
/* The index of a type, made when there is none; -1 when there are too many. */
int series_type(struct series *s, const char *name);

/* A stack with its names, leaf first, and its value for each of types[]. No name: only sent. */
void series_add(struct series *s, const int *types, size_t n_types, const int64_t *values, const char **names, size_t n_names);
