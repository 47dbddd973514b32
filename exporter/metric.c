/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/metric.h"

const double metric_seconds_bounds[METRIC_SECONDS_BOUNDS] = { 0.005, 0.01, 0.025, 0.05, 0.075,
							      0.1,   0.25, 0.5,   0.75, 1,
							      2.5,   5,    7.5,   10 };
const double metric_bytes_bounds[METRIC_BYTES_BOUNDS] = { 0,   32,   64,   128,  256,
							  512, 1024, 2048, 4096, 8192 };

uint64_t metric_count(const struct metric_family *f, const struct metric_point *p)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i <= f->n_bounds; i++)
		n += p->histogram.counts[i];
	return n;
}
