/* SPDX-License-Identifier: Apache-2.0 */
/* A sample's way through user space once its record is read: into a row of the window. */
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "bench.h"
#include "collect/window.h"
#include "proc/image.h"

enum { SAMPLES = 20000, DEPTH = 40, STACKS = 2000 };

BENCH(window_add, "sample", SAMPLES)
{
	static struct window_frame frames[STACKS][DEPTH];
	struct window_labels labels = { .pid = 1, .comm = "bench" };
	struct images *images;
	size_t bytes = 0;
	uint64_t x = 1;

	for (int i = 0; i < STACKS; i++)
		for (int j = 0; j < DEPTH; j++) {
			x = x * 6364136223846793005ull + 1442695040888963407ull;
			frames[i][j].offset = j < DEPTH / 2 ? (x >> 33) % 5000 : (uint64_t)j;
		}
	if (images_new(&images) < 0)
		abort();
	BENCH_LOOP(b) {
		struct window *w;

		if (window_new(images, 64 * MIB, &w) < 0)
			abort();
		for (int i = 0; i < SAMPLES; i++)
			if (window_add(w, frames[(unsigned)i * 7919u % STACKS], DEPTH, &labels, 1, 1000) < 0)
				abort();
		bytes = window_bytes(w);
		window_free(w);
	}
	bench_metric(b, "bytes_per_stack", (double)bytes / STACKS);
	images_free(images);
}
