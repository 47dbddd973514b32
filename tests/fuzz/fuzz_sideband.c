/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of perf records of any content, applied to a process table that must stay consistent. */
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proc/process.h"
#include "proc/sideband.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct images *images;
	struct processes *t;
	struct perf_event_header h;
	uint64_t record[512], time = 0;

	if (images_new(&images) < 0 || processes_new(images, &t) < 0)
		abort();
	while (len >= sizeof(h)) {
		size_t size;

		memcpy(&h, data, sizeof(h));
		size = h.size < 24 ? 24 : h.size > sizeof(record) ? sizeof(record) : h.size;
		size = size > len ? len : size;
		memset(record, 0, sizeof(record));
		memcpy(record, data, size);
		sideband_apply(t, record, size < 24 ? 24 : size, ++time);
		process_reap(t, time > 3 ? time - 3 : 0);
		data += size;
		len -= size;
	}
	processes_free(t);
	if (images_live(images) != 1)
		abort(); /* an image outlived its last mapping */
	images_free(images);
	return 0;
}
