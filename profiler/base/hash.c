/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint64_t hash_bytes(const void *data, size_t len, uint64_t seed)
{
	const unsigned char *p = data;
	uint64_t h = seed ^ (len * 0x9e3779b97f4a7c15ull), w;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&w, p, 8);
		h = hash_u64(h ^ w) + 0x9e3779b97f4a7c15ull;
	}
	if (len) {
		w = 0;
		memcpy(&w, p, len);
		h = hash_u64(h ^ w);
	}
	return hash_u64(h);
}

static uint32_t fold(uint64_t hash)
{
	return (uint32_t)(hash ^ (hash >> 32));
}

uint32_t htable_find(const struct htable *t, uint64_t hash, bool (*same)(const void *ctx, uint32_t id),
		   const void *ctx)
{
	uint32_t h = fold(hash);

	if (!t->cap)
		return HTABLE_NONE;
	for (uint32_t i = h & (t->cap - 1);; i = (i + 1) & (t->cap - 1)) {
		const struct htable_slot *s = &t->slots[i];

		if (s->id == HTABLE_NONE)
			return HTABLE_NONE;
		if (s->hash == h && same(ctx, s->id))
			return s->id;
	}
}

static void put(struct htable_slot *slots, uint32_t cap, struct htable_slot s)
{
	uint32_t i = s.hash & (cap - 1);

	while (slots[i].id != HTABLE_NONE)
		i = (i + 1) & (cap - 1);
	slots[i] = s;
}

static int grow(struct htable *t)
{
	uint32_t cap = t->cap ? t->cap * 2 : 64;
	struct htable_slot *slots;

	if (!cap)
		return -ENOMEM;
	slots = malloc(cap * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	memset(slots, 0xff, cap * sizeof(*slots));
	for (uint32_t i = 0; i < t->cap; i++)
		if (t->slots[i].id != HTABLE_NONE)
			put(slots, cap, t->slots[i]);
	free(t->slots);
	t->slots = slots;
	t->cap = cap;
	return 0;
}

int htable_insert(struct htable *t, uint64_t hash, uint32_t id)
{
	if (t->n * 4ull >= t->cap * 3ull) {
		int r = grow(t);

		if (r < 0)
			return r;
	}
	put(t->slots, t->cap, (struct htable_slot){ .hash = fold(hash), .id = id });
	t->n++;
	return 0;
}

void htable_reset(struct htable *t)
{
	if (t->cap)
		memset(t->slots, 0xff, t->cap * sizeof(*t->slots));
	t->n = 0;
}

void htable_fini(struct htable *t)
{
	free(t->slots);
	*t = (struct htable){ 0 };
}
