/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * bytes - a cursor over hostile little-endian bytes that cannot leave them.
 *
 * A read beyond the end gives 0 and sets bad, which stays set: callers read on and ask once.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *at, *end;
	bool bad;
};

static inline size_t bytes_left(const struct bytes *b)
{
	return (size_t)(b->end - b->at);
}

/* A pointer to the next len bytes, which are then behind us; NULL when there are fewer. */
static inline const uint8_t *bytes_take(struct bytes *b, uint64_t len)
{
	const uint8_t *p = b->at;

	if (len > bytes_left(b)) {
		b->bad = true;
		b->at = b->end;
		return NULL;
	}
	b->at += len;
	return p;
}

static inline uint64_t bytes_uint(struct bytes *b, unsigned int len)
{
	const uint8_t *p = bytes_take(b, len);
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, len);
	return v;
}

static inline uint8_t bytes_u8(struct bytes *b)
{
	if (b->at == b->end) {
		b->bad = true;
		return 0;
	}
	return *b->at++;
}

static inline int64_t bytes_int(struct bytes *b, unsigned int len)
{
	unsigned int unused = 64 - 8 * len;

	return (int64_t)(bytes_uint(b, len) << unused) >> unused;
}

/* LEB128: ten bytes hold 64 bits; longer ones are damage. */
static inline uint64_t bytes_uleb(struct bytes *b)
{
	uint64_t v = 0;
	uint8_t c;

	for (unsigned int shift = 0; shift < 70; shift += 7) {
		c = bytes_u8(b);
		v |= shift < 64 ? (uint64_t)(c & 0x7f) << shift : 0;
		if (!(c & 0x80))
			return v;
	}
	b->bad = true;
	return 0;
}

static inline int64_t bytes_sleb(struct bytes *b)
{
	uint64_t v = 0;
	uint8_t c;

	for (unsigned int shift = 0; shift < 70; shift += 7) {
		c = bytes_u8(b);
		v |= shift < 64 ? (uint64_t)(c & 0x7f) << shift : 0;
		if (c & 0x80)
			continue;
		if ((c & 0x40) && shift < 57)
			v |= ~0ull << (shift + 7);
		return (int64_t)v;
	}
	b->bad = true;
	return 0;
}
