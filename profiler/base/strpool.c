/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strpool.h"

#include <string.h>

struct key {
	const struct strpool *pool;
	const char *s;
	size_t len;
};

static bool same_string(const void *ctx, uint32_t id)
{
	const struct key *k = ctx;
	const struct strpool_entry *e = &k->pool->entries.v[id];

	return e->len == k->len && !memcmp(e->s, k->s, k->len);
}

static uint32_t store(struct strpool *p, const char *s, size_t len, uint64_t hash)
{
	char *copy = arena_alloc(&p->arena, len + 1);
	struct strpool_entry *e = copy ? vec_push(&p->entries) : NULL;

	if (!e || htable_insert(&p->index, hash, p->entries.n - 1) < 0) {
		if (e)
			p->entries.n--;
		p->error = -ENOMEM;
		return 0;
	}
	memcpy(copy, s, len);
	copy[len] = '\0';
	*e = (struct strpool_entry){ .s = copy, .len = (uint32_t)len };
	return p->entries.n - 1;
}

uint32_t strpool_add_len(struct strpool *p, const char *s, size_t len)
{
	struct key key = { .pool = p, .s = s, .len = len };
	uint64_t hash;
	uint32_t id;

	if (!p->entries.n) {
		store(p, "", 0, hash_bytes("", 0, 0));
		if (p->error)
			return 0;
	}
	if (!len)
		return 0;
	if (len >= UINT32_MAX) {
		p->error = -ENOMEM;
		return 0;
	}
	hash = hash_bytes(s, len, 0);
	id = htable_find(&p->index, hash, same_string, &key);
	return id != HTABLE_NONE ? id : store(p, s, len, hash);
}

uint32_t strpool_add(struct strpool *p, const char *s)
{
	return strpool_add_len(p, s, strlen(s));
}

uint32_t strpool_intern(struct strpool *p, const void *key, size_t len, bool *ret_new)
{
	uint32_t next = p->entries.n ? p->entries.n : 1, id = strpool_add_len(p, key, len);

	*ret_new = id >= next;
	return id;
}

void strpool_truncate(struct strpool *p, uint32_t n)
{
	if (n >= p->entries.n)
		return;
	p->entries.n = n;
	htable_reset(&p->index);
	for (uint32_t i = 0; i < n; i++) {
		const struct strpool_entry *e = &p->entries.v[i];

		if (htable_insert(&p->index, hash_bytes(e->s, e->len, 0), i) < 0)
			p->error = -ENOMEM;
	}
}

void strpool_reset(struct strpool *p)
{
	arena_reset(&p->arena);
	htable_reset(&p->index);
	p->entries.n = 0;
	p->error = 0;
}

void strpool_fini(struct strpool *p)
{
	arena_fini(&p->arena);
	htable_fini(&p->index);
	vec_fini(&p->entries);
	p->error = 0;
}
