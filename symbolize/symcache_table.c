/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/symcache_table.h"

#include <errno.h>
#include <stdlib.h>

enum { PER_TOP = 8 }; /* addresses for an entry of the top: three steps of searching in half a cache line */

int symcache_table_row(struct symcache_build_table *t, uint32_t address, uint32_t value)
{
	uint32_t *a = vec_push(&t->addresses), *v = a ? vec_push(&t->values) : NULL;

	if (!v) {
		t->addresses.n -= a != NULL;
		return -ENOMEM;
	}
	*a = address;
	*v = value;
	return 0;
}

static int row(struct symcache_build_table *t, uint64_t address, uint32_t value)
{
	uint32_t n = t->values.n;

	if (address > UINT32_MAX || (n ? t->values.v[n - 1] == value : value == t->none))
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

/* n is not 0. */
static uint32_t top_shift(const struct symcache_build_table *t)
{
	uint32_t last = t->addresses.v[t->addresses.n - 1], shift = 0;

	while (shift < 31 && (last >> shift) > t->addresses.n / PER_TOP + 16)
		shift++;
	return shift;
}

static int write_top(const struct symcache_build_table *t, struct symcache_out *o, struct symcache_place *place)
{
	uint32_t n = t->addresses.n, shift = n ? top_shift(t) : 0;
	uint32_t entries = n ? (t->addresses.v[n - 1] >> shift) + 2 : 2, at = 0;

	*place = (struct symcache_place){ .offset = symcache_out_align(o), .n = entries, .shift = shift };
	for (uint32_t i = 0; i < entries; i++) {
		while (at < n && t->addresses.v[at] < (uint64_t)i << shift)
			at++;
		symcache_out_put(o, &at, sizeof(at));
	}
	return 0;
}

int symcache_table_write(const struct symcache_build_table *t, enum symcache_table which, struct symcache_out *o,
			 struct symcache_header *h)
{
	struct symcache_place *places = &h->places[3 * which];
	uint32_t n = t->addresses.n;

	places[SYMCACHE_ADDRESSES] = (struct symcache_place){ .offset = symcache_out_align(o), .n = n };
	symcache_out_put(o, t->addresses.v, n * sizeof(uint32_t));
	places[SYMCACHE_VALUES] = (struct symcache_place){ .offset = symcache_out_align(o), .n = n };
	symcache_out_put(o, t->values.v, n * sizeof(uint32_t));
	write_top(t, o, &places[SYMCACHE_TOP]);
	return o->error;
}

void symcache_table_fini(struct symcache_build_table *t)
{
	vec_fini(&t->addresses);
	vec_fini(&t->values);
}
