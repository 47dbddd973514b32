/* SPDX-License-Identifier: Apache-2.0 */
/* A perf map's text: what comes out is sorted and disjoint, whatever overlapped in it. */
#include <stdint.h>
#include <stdlib.h>

#include "symbolize/perf_map.h"
#include "symbolize/symtab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct symtab t = { 0 };
	uint64_t bad;

	if (!perf_map_parse((const char *)data, len, &t, &bad))
		for (uint32_t i = 1; i < t.v.n; i++)
			if (t.v.v[i - 1].addr >= t.v.v[i].addr)
				abort();
	symtab_fini(&t);
	return 0;
}
