/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * symcache_out - the bytes behind a symcache's header: buffered, summed, written in order.
 *
 * The first error is kept, as in buf; what is put after it is dropped.
 */
#include <stddef.h>
#include <stdint.h>

#include "symbolize/symcache_sum.h"

enum { SYMCACHE_OUT_BYTES = 64 * 1024 };

struct symcache_out {
	int fd, error;
	uint64_t written; /* place in the file of bytes[0] */
	size_t len;
	struct symcache_sum sum;
	uint8_t bytes[SYMCACHE_OUT_BYTES];
};

/* Begins at `at`, where the header ends. */
void symcache_out_begin(struct symcache_out *o, int fd, uint64_t at);
void symcache_out_put(struct symcache_out *o, const void *data, size_t len);
/* Zeros up to a multiple of 8; the place reached. */
uint64_t symcache_out_align(struct symcache_out *o);
/* Writes what is left; sum is then of all that was put. 0 or the first error. */
int symcache_out_end(struct symcache_out *o);
static inline uint64_t symcache_out_at(const struct symcache_out *o)
{
	return o->written + o->len;
}
