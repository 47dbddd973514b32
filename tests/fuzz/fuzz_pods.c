/* SPDX-License-Identifier: Apache-2.0 */
/* A list of pods from whoever answers there, in two pieces. */
#include <stdint.h>

#include "proc/pods.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct pods_reader *r;
	struct strmap m = { 0 };
	struct pods *p;

	if (pods_reader_new(&r) < 0)
		return 0;
	pods_reader_feed(r, data, len / 2);
	pods_reader_feed(r, data + len / 2, len - len / 2);
	if (pods_reader_finish(r, &p) >= 0) {
		pods_labels(p, "1", "u", &m);
		strmap_fini(&m);
		pods_free(p);
	}
	pods_reader_free(r);
	return 0;
}
