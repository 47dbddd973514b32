/* SPDX-License-Identifier: Apache-2.0 */
/* A perf map's text: what comes out is sorted and disjoint, whatever overlapped in it. */
#include <stdint.h>
#include <stdlib.h>

#include "symbolize/perf_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(const struct jit_map *m)
{
	for (uint32_t i = 0; i < m->pieces.n; i++) {
		const struct jit_piece *p = &m->pieces.v[i];

		if (!p->size || p->code >= m->codes.n || (i && p[-1].start + p[-1].size > p->start))
			abort();
		if (jit_map_find(m, p->start) != p->code)
			abort();
	}
}

/* In two rounds: the second begins at the line that the first one cut. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct perf_map m = { 0 };
	int64_t used = perf_map_parse(&m, (const char *)data, len / 2);

	if (used < 0 || jit_map_settle(&m.map) < 0)
		abort();
	check(&m.map);
	if (perf_map_parse(&m, (const char *)data + used, len - (size_t)used) < 0 || jit_map_settle(&m.map) < 0)
		abort();
	check(&m.map);
	perf_map_fini(&m);
	return 0;
}
