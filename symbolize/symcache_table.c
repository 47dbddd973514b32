/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/symcache_table.h"

#include <errno.h>

enum { PER_TOP = 4 }; /* pieces for an entry of the top: a search looks at one cache line, sometimes two */

int symcache_table_row(struct symcache_build_table *t, uint32_t address, uint32_t value)
{
	struct symcache_piece *p = vec_push(&t->v);

	if (!p)
		return -ENOMEM;
	*p = (struct symcache_piece){ address, value };
	return 0;
}

static int row(struct symcache_build_table *t, uint64_t address, uint32_t value)
{
	if (address > UINT32_MAX || (t->v.n ? t->v.v[t->v.n - 1].value : t->none) == value)
		return 0;
	return symcache_table_row(t, (uint32_t)address, value);
}

int symcache_table_end(struct symcache_build_table *t)
{
	return row(t, t->next, t->none);
}

int symcache_table_piece(struct symcache_build_table *t, uint64_t start, uint64_t end, uint32_t value)
{
	int r = t->next < start ? row(t, t->next, t->none) : 0;

	if (r >= 0)
		r = row(t, start, value);
	t->next = end;
	return r;
}

/* There is a last one. */
static uint32_t top_shift(const struct symcache_build_table *t)
{
	uint32_t last = t->v.v[t->v.n - 1].address, shift = 0;

	while (shift < 31 && (last >> shift) > t->v.n / PER_TOP + 16)
		shift++;
	return shift;
}

static void write_top(const struct symcache_build_table *t, struct symcache_out *o, struct symcache_place *place)
{
	uint32_t n = t->v.n, shift = n ? top_shift(t) : 0;
	uint32_t entries = n ? (t->v.v[n - 1].address >> shift) + 2 : 2, at = 0;

	*place = (struct symcache_place){ .offset = symcache_out_align(o), .n = entries, .shift = shift };
	for (uint32_t i = 0; i < entries; i++) {
		while (at < n && t->v.v[at].address < (uint64_t)i << shift)
			at++;
		symcache_out_put(o, &at, sizeof(at));
	}
}

int symcache_table_write(const struct symcache_build_table *t, enum symcache_table which, struct symcache_out *o,
			 struct symcache_header *h)
{
	struct symcache_place *places = &h->places[2 * which];

	places[SYMCACHE_PIECES] = (struct symcache_place){ .offset = symcache_out_align(o), .n = t->v.n };
	symcache_out_put(o, t->v.v, t->v.n * sizeof(struct symcache_piece));
	write_top(t, o, &places[SYMCACHE_TOP]);
	return o->error;
}

void symcache_table_fini(struct symcache_build_table *t)
{
	vec_fini(&t->v);
}
