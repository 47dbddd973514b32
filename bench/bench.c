/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

static struct bench *benches;
static uint64_t allocations;              /* of the thread that runs the benches */
static atomic_uint_least64_t allocations_beside; /* of all others */
static _Thread_local bool here;

/* glibc's own, behind the names that everybody calls: what libraries allocate is counted too. */
#define COUNTED(name, params, args)                                                                \
	void *__libc_##name params;                                                                \
	void *name params                                                                          \
	{                                                                                          \
		if (here)                                                                          \
			allocations++;                                                             \
		else                                                                               \
			atomic_fetch_add_explicit(&allocations_beside, 1, memory_order_relaxed);   \
		return __libc_##name args;                                                         \
	}

COUNTED(malloc, (size_t n), (n))
COUNTED(calloc, (size_t n, size_t size), (n, size))
COUNTED(realloc, (void *p, size_t n), (p, n)) /* and reallocarray, which calls it */

void bench_register(struct bench *b)
{
	struct bench **at = &benches;

	while (*at)
		at = &(*at)->next;
	*at = b;
}

/* The allocations told are those of the last round: the first ones grow buffers. */
bool bench_again(struct bench *b)
{
	uint64_t now = time_boot_ns(), took = now - b->round_ns;

	if (!b->begin_ns) {
		b->begin_ns = now;
		b->best_ns = UINT64_MAX;
	} else {
		b->rounds++;
		b->allocs = allocations + atomic_load(&allocations_beside);
		if (took < b->best_ns)
			b->best_ns = took;
	}
	allocations = 0;
	atomic_store(&allocations_beside, 0);
	b->round_ns = time_boot_ns();
	return b->rounds < 3 || now - b->begin_ns < NSEC_PER_SEC;
}

void bench_metric(struct bench *b, const char *name, double value)
{
	size_t at = strlen(b->metrics);

	snprintf(b->metrics + at, sizeof(b->metrics) - at, ",\"%s\":%.3f", name, value);
}

int main(int argc, char **argv)
{
	here = true;
	for (struct bench *b = benches; b; b = b->next) {
		if (argc > 1 && !strstr(b->name, argv[1]))
			continue;
		b->run(b);
		if (!b->rounds) /* what it measures is not on this machine */
			continue;
		printf("{\"bench\":\"%s\",\"unit\":\"%s\",\"ns\":%.2f,\"rounds\":%llu,\"allocs_per_round\":%llu%s}\n", b->name,
		       b->unit, (double)b->best_ns / (double)b->units, (unsigned long long)b->rounds,
		       (unsigned long long)b->allocs, b->metrics);
		fflush(stdout);
	}
	return 0;
}
