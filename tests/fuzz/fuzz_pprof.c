/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a pprof file; one that is accepted must survive every writer and a second reading. */
#include <stdint.h>
#include <stdlib.h>

#include "pprof/decode.h"
#include "pprof/encode.h"
#include "pprof/format.h"
#include "pprof/profile.h"
#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const writers[] = { "folded", "speedscope", "html", "svg" };
	struct profile *p = NULL, *again = NULL;
	struct buf b = BUF_INIT;
	char err[128];

	if (pprof_decode(data, len, &p, err, sizeof(err)) < 0)
		return 0;
	if (pprof_encode(p, &b) < 0 || pprof_decode(b.data, b.len, &again, err, sizeof(err)) < 0)
		abort();
	for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++) {
		buf_reset(&b);
		if (format_by_name(writers[i])->encode(p, &b) < 0)
			abort();
	}
	buf_fini(&b);
	profile_free(p);
	profile_free(again);
	return 0;
}
