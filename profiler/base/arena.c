/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 64 * 1024 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t len, cap;
	unsigned char bytes[];
};

void *arena_alloc(struct arena *a, size_t len)
{
	struct arena_chunk *c = a->chunks;
	size_t need, cap;
	void *p;

	if (len > SIZE_MAX / 2)
		return NULL;
	need = (len + 7) & ~(size_t)7;
	if (!c || c->cap - c->len < need) {
		cap = need > CHUNK ? need : CHUNK;
		c = malloc(sizeof(*c) + cap);
		if (!c)
			return NULL;
		*c = (struct arena_chunk){ .next = a->chunks, .cap = cap };
		a->chunks = c;
	}
	p = c->bytes + c->len;
	c->len += need;
	a->used_bytes += need;
	return p;
}

void *arena_dup(struct arena *a, const void *data, size_t len)
{
	void *p = arena_alloc(a, len);

	if (p && len)
		memcpy(p, data, len);
	return p;
}

static void chunks_free(struct arena_chunk *c)
{
	while (c) {
		struct arena_chunk *next = c->next;

		free(c);
		c = next;
	}
}

void arena_reset(struct arena *a)
{
	if (a->chunks) {
		chunks_free(a->chunks->next);
		a->chunks->next = NULL;
		a->chunks->len = 0;
	}
	a->used_bytes = 0;
}

void arena_fini(struct arena *a)
{
	chunks_free(a->chunks);
	*a = (struct arena){ 0 };
}
