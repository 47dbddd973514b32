/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * transfer - tables of one profile carried over into another, piece by piece as they are referred to.
 *
 *	transfer_begin(&t, part);  transfer_location(&t, i) -> its index in t.to;  next part...
 *
 * What is equal is there once: strings, functions, locations, and images by build id (or name),
 * size and offset, wherever they were loaded. Addresses move with their image.
 * Errors stick to t.to, as with the profile's own add functions.
 */
#include <stdint.h>

#include "base/buf.h"
#include "base/strpool.h"
#include "base/vec.h"
#include "pprof/profile.h"

struct transfer {
	struct profile *to; /* set by the caller, who owns it */
	const struct profile *from;
	struct strpool mappings, locations; /* keys, beside the tables of `to` */
	struct buf key;
	vec(uint32_t) string_of, mapping_of, location_of; /* from's index: to's + 1 */
	vec(struct profile_line) lines;
};

/* The next profile. 0 or -ENOMEM. */
int transfer_begin(struct transfer *t, const struct profile *from);
uint32_t transfer_string(struct transfer *t, uint32_t id);
uint32_t transfer_mapping(struct transfer *t, uint32_t mapping); /* PROFILE_NO_MAPPING stays what it is */
uint32_t transfer_location(struct transfer *t, uint32_t location);
/* 0, or -ENOMEM when anything so far failed. */
int transfer_error(const struct transfer *t);
void transfer_fini(struct transfer *t);

/* Keys are put together field by field: structs have holes. */
static inline void transfer_key(struct buf *key, uint64_t field)
{
	buf_append(key, &field, sizeof(field));
}
