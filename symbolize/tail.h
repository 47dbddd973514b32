/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * tail - what was appended to a file that another process writes, since we looked last.
 *
 * A file that shrank, that is another one now, or whose bytes before our place are no longer those we read,
 * is read again from its beginning. One round reads at most TAIL_ROUND_MAX bytes: the rest waits.
 * Memory: a piece of the file while reading. The descriptor is the caller's each time, and may be another.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAIL_ROUND_MAX (64u << 20)
#define TAIL_PIECE (1u << 20)
#define TAIL_PROOF 32

struct tail {
	uint64_t dev, ino;
	uint64_t at, size;         /* read up to here; of the file, when we looked */
	uint8_t proof[TAIL_PROOF]; /* the bytes before `at` */
};

/*
 * Is given len bytes of the file, which has `left` from there on. Returns how many it is done with, also more
 * than len (up to left: they are passed over unread); 0: more are needed to make sense of these; negative errno.
 */
typedef int64_t tail_take_t(void *ctx, const uint8_t *data, size_t len, uint64_t left);

/*
 * 1: something was appended; *ret_again: or all of it is new, and what is known of the file has to be forgotten.
 * 0: nothing. Negative errno: -EINVAL: no regular file.
 */
int tail_look(struct tail *t, int fd, bool *ret_again);
/* After tail_look(). A whole piece that nothing is taken of is passed over. 0 or negative errno, take's too. */
int tail_read(struct tail *t, int fd, tail_take_t *take, void *ctx);
