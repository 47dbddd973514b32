/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

static struct bench *benches;
static uint64_t allocations;

#define COUNTED(name, params, args)                                                                \
	void *__real_##name params;                                                                \
	void *__wrap_##name params;                                                                \
	void *__wrap_##name params                                                                 \
	{                                                                                          \
		allocations++;                                                                     \
		return __real_##name args;                                                         \
	}

COUNTED(malloc, (size_t n), (n))
COUNTED(calloc, (size_t n, size_t size), (n, size))
COUNTED(realloc, (void *p, size_t n), (p, n))
COUNTED(reallocarray, (void *p, size_t n, size_t size), (p, n, size))

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
		b->allocs = allocations;
		if (took < b->best_ns)
			b->best_ns = took;
	}
	allocations = 0;
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
