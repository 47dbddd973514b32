/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * judges - what is decided of each process that speaks HTTP: the service it is of, or that it is not wanted. The programs are told.
 *
 * A process is judged at its first request that is told, and anew each round, since it may become another program. One that
 * seems unwanted counts on, in doubt, until all is known that had happened by then: its exec may be told late, by two seconds
 * where unwind tables are waited for, and as what it was before it may not be wanted. One that has ended stays what it was until
 * all it counted was read.
 * Its CPU time too is kept here, by whose request it was (JOIN of drops.def), summed up by service.
 * Memory: bounded by processes and services. Threads: one.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bpf/events.h"

struct judges;
struct services;
struct tracer;

struct judges_opts {
	struct services *services; /* borrowed, as the next */
	struct tracer *tracer;
	bool literal; /* routes_are_literal() */
	const char *(*labels_of)(void *ctx, uint32_t tgid, uint64_t cgroup_id); /* NULL: it is not wanted */
	uint64_t (*known_ns)(void *ctx); /* CLOCK_BOOTTIME: labels_of() knows of all that processes did until then */
	void *ctx;
};

/* 0 or -ENOMEM. */
int judges_new(const struct judges_opts *opts, struct judges **ret);
struct judges *judges_free(struct judges *j);

/* A turn begins: until the next one nothing new is known of a process that was judged and is not in doubt. */
void judges_turn(struct judges *j);
/* Its service, 0: it is not wanted; judged anew, once a turn. */
uint32_t judges_ask(struct judges *j, uint32_t tgid, uint64_t cgroup_id);
/* As it was judged, if it was. */
uint32_t judges_service(struct judges *j, uint32_t tgid);
/* It seems unwanted, and is not told so yet. */
bool judges_doubt(const struct judges *j, uint32_t tgid);
/* What was told of one in doubt could not be kept: it is lost, if the process turns out to be wanted. */
void judges_lose(struct judges *j, uint32_t tgid);
uint64_t judges_lost(const struct judges *j);
bool judges_ended(const struct judges *j, uint32_t tgid);

/* A round: judges all of them anew. What has ended by then is forgotten by judges_forget(). */
void judges_round(struct judges *j);
bool judges_any_ended(const struct judges *j);
void judges_forget(struct judges *j);

/* CPU time in ns, of processes that have ended too, until the service is gone. */
void judges_joined(const struct judges *j, uint32_t service, uint64_t ret[EV_JOIN_MAX]);
void judges_joined_all(const struct judges *j, uint64_t ret[EV_JOIN_MAX]);
void judges_forget_joined(struct judges *j);
