/* SPDX-License-Identifier: Apache-2.0 */
/* What is pushed to an agent, by whoever reaches its address. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/pyroscope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct pyroscope_push p;
	char err[128];

	if (!pyroscope_push_read(data, len, "0123456789abcdef", &p, err, sizeof(err)) && (!p.samples || !p.series || !*p.service || strlen(p.service) >= sizeof(p.service)))
		abort();
	return 0;
}
