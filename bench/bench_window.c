/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding a window of real stacks, from tables in memory to bytes in memory. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/gzip.h"
#include "base/strmap.h"
#include "bench.h"
#include "pprof/encode.h"
#include "pprof/otlp.h"
#include "pprof/profile.h"
#include "window_file.h"

static int encode_gzip(const struct profile *p, struct buf *out)
{
	return pprof_encode_gzip(p, 1, out);
}

static int encode_otlp(const struct profile *p, struct buf *out)
{
	_cleanup_(strmap_fini) struct strmap resource = { 0 };
	struct otlp *o;
	uint32_t n;
	int r = otlp_new(OTLP_1_10, "hotspan", "", &o);

	if (r >= 0)
		r = strmap_set(&resource, "service.name", "bench");
	if (r >= 0)
		r = otlp_add(o, &resource, p, 0, SIZE_MAX, &n);
	if (r >= 0)
		r = otlp_finish(o, out);
	otlp_free(o);
	return r;
}

static int encode_otlp_gzip(const struct profile *p, struct buf *out)
{
	_cleanup_(buf_fini) struct buf raw = BUF_INIT;
	int r = encode_otlp(p, &raw);

	return r < 0 ? r : gzip_compress(raw.data, raw.len, 1, out);
}

static void measure(struct bench *b, int (*encode)(const struct profile *p, struct buf *out))
{
	struct profile *p = window_file_whole();
	struct buf out = BUF_INIT;
	double samples;

	if (!p)
		return;
	samples = (double)window_samples(p);
	b->units = p->samples.n;
	BENCH_LOOP(b) {
		buf_reset(&out);
		if (encode(p, &out) < 0)
			abort();
	}
	bench_metric(b, "stacks", p->samples.n);
	bench_metric(b, "samples", samples);
	bench_metric(b, "frames_per_stack", (double)p->frames.n / p->samples.n);
	bench_metric(b, "bytes_per_sample", (double)out.len / samples);
	buf_fini(&out);
	profile_free(p);
}

BENCH(window_pprof, "stack", 1)
{
	measure(b, pprof_encode);
}

BENCH(window_pprof_gzip, "stack", 1)
{
	measure(b, encode_gzip);
}

BENCH(window_otlp, "stack", 1)
{
	measure(b, encode_otlp);
}

BENCH(window_otlp_gzip, "stack", 1)
{
	measure(b, encode_otlp_gzip);
}
