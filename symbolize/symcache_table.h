/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * symcache_table - addresses, ascending, and a value for each, good until the next: being made, and written.
 */
#include "base/vec.h"
#include "symbolize/symcache_file.h"
#include "symbolize/symcache_out.h"

struct symcache_build_table {
	vec(struct symcache_piece) v;
	uint32_t none; /* the value between pieces */
	uint64_t next; /* where the last piece ended */
};

/*
 * [start, end) has the value; pieces come in order. Neighbours of one value become one; what lies at 4 GiB or above
 * is left out. 0 or -ENOMEM.
 */
int symcache_table_piece(struct symcache_build_table *t, uint64_t start, uint64_t end, uint32_t value);
/* After the last piece: nothing follows it. 0 or -ENOMEM. */
int symcache_table_end(struct symcache_build_table *t);
/* One row, without pieces. 0 or -ENOMEM. */
int symcache_table_row(struct symcache_build_table *t, uint32_t address, uint32_t value);
/* Writes the two sections of table number `which` and says where they lie. 0 or the error of writing. */
int symcache_table_write(const struct symcache_build_table *t, enum symcache_table which, struct symcache_out *o,
			 struct symcache_header *h);
void symcache_table_fini(struct symcache_build_table *t);
