/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding 20,000 distinct stacks of 40 frames, and reading them back. */
#include <stdlib.h>

#include "bench.h"
#include "pprof/decode.h"
#include "pprof/encode.h"
#include "pprof/folded.h"
#include "pprof/html.h"
#include "pprof/profile.h"
#include "unit/fixture_profile.h"

enum { STACKS = 20000 };

static struct profile *stacks(void)
{
	return fixture_profile(&(struct fixture){ .stacks = STACKS, .depth = 40, .functions = 5000, .processes = 50, .seed = 1 });
}

BENCH(pprof_encode, "stack", STACKS)
{
	struct profile *p = stacks();
	struct buf out = BUF_INIT;

	BENCH_LOOP(b) {
		buf_reset(&out);
		if (pprof_encode(p, &out) < 0)
			abort();
	}
	bench_metric(b, "bytes_per_stack", (double)out.len / STACKS);
	buf_fini(&out);
	profile_free(p);
}

BENCH(pprof_encode_gzip, "stack", STACKS)
{
	struct profile *p = stacks();
	struct buf out = BUF_INIT;

	BENCH_LOOP(b) {
		buf_reset(&out);
		if (pprof_encode_gzip(p, 1, &out) < 0)
			abort();
	}
	bench_metric(b, "bytes_per_stack", (double)out.len / STACKS);
	buf_fini(&out);
	profile_free(p);
}

BENCH(pprof_decode, "stack", STACKS)
{
	struct profile *p = stacks(), *again;
	struct buf out = BUF_INIT;
	char err[256];

	if (pprof_encode(p, &out) < 0)
		abort();
	BENCH_LOOP(b) {
		if (pprof_decode(out.data, out.len, &again, err, sizeof(err)) < 0)
			abort();
		profile_free(again);
	}
	buf_fini(&out);
	profile_free(p);
}

BENCH(folded_encode, "stack", STACKS)
{
	struct profile *p = stacks();
	struct buf out = BUF_INIT;

	BENCH_LOOP(b) {
		buf_reset(&out);
		if (folded_encode(p, &out) < 0)
			abort();
	}
	bench_metric(b, "bytes_per_stack", (double)out.len / STACKS);
	buf_fini(&out);
	profile_free(p);
}

BENCH(html_encode, "stack", STACKS)
{
	struct profile *p = stacks();
	struct buf out = BUF_INIT;

	BENCH_LOOP(b) {
		buf_reset(&out);
		if (html_encode(p, &out) < 0)
			abort();
	}
	bench_metric(b, "bytes_per_stack", (double)out.len / STACKS);
	buf_fini(&out);
	profile_free(p);
}
