/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * hash - a 64-bit mixing hash, and htable: an open-addressing index from hashes to 32-bit ids.
 *
 * The table holds no keys: the caller keeps the records in an array and the table finds a record's
 * index. It never shrinks and nothing is removed one by one; htable_reset() empties it.
 *
 *	uint64_t h = hash_bytes(key, len, 0);
 *	uint32_t id = htable_find(&t, h, same, ctx);      same(ctx, id): is record id the one we mean?
 *	if (id == HTABLE_NONE) { ...push a record...; r = htable_insert(&t, h, new_id); }
 */
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#define HTABLE_NONE UINT32_MAX

struct htable_slot {
	uint32_t hash; /* the 64-bit hash, folded */
	uint32_t id;   /* HTABLE_NONE: empty */
};

struct htable {
	struct htable_slot *slots;
	uint32_t n, cap; /* cap is 0 or a power of two */
};

uint64_t hash_bytes(const void *data, size_t len, uint64_t seed);

static inline uint64_t hash_u64(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	return x ^ (x >> 32);
}

uint32_t htable_find(const struct htable *t, uint64_t hash, bool (*same)(const void *ctx, uint32_t id),
		   const void *ctx);
/* 0 or -ENOMEM. The caller has looked before: ids are not compared again. */
int htable_insert(struct htable *t, uint64_t hash, uint32_t id);
void htable_reset(struct htable *t);
void htable_fini(struct htable *t);
