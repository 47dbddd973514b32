/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * timeline - records of several rings, handed on in the order of their time stamps.
 *
 * A record is stamped before it becomes visible, so what one drain finds may be older than what the
 * last one found. timeline_run() therefore only releases records up to a time the caller knows to
 * be complete: the moment before the previous drain began.
 * Memory: records are copied into one buffer; what was released is given back at the next run.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/vec.h"

enum timeline_source {
	TIMELINE_SIDEBAND, /* first among equals: an exec at t is in force for a sample at t */
	TIMELINE_SAMPLE,
};

struct timeline_item {
	uint64_t time_ns;
	size_t at; /* in bytes */
	uint32_t len;
	uint32_t source;
};

struct timeline {
	vec(struct timeline_item) items;
	struct buf bytes;
};

/* 0 or -ENOMEM. */
int timeline_add(struct timeline *t, enum timeline_source source, uint64_t time_ns,
		 const void *record, size_t len);

/* Hands records with time <= until_ns to fn, oldest first. 0, or the first negative value of fn (the
 * remaining records stay; at -EAGAIN that one too, to be handed on again). fn must not add records. */
int timeline_run(struct timeline *t, uint64_t until_ns,
		 int (*fn)(void *ctx, enum timeline_source source, uint64_t time_ns,
			   const void *record, size_t len),
		 void *ctx);
void timeline_fini(struct timeline *t);
