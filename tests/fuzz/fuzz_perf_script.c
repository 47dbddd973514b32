/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as what perf script prints; what is accepted must survive the writers and come back. */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "pprof/decode.h"
#include "pprof/encode.h"
#include "pprof/folded.h"
#include "pprof/perf_script.h"
#include "pprof/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct profile *p = NULL, *again = NULL;
	struct buf b = BUF_INIT;
	char err[128];

	(void)perf_script_looks_like((const char *)data, len);
	if (perf_script_decode((const char *)data, len, &p, err, sizeof(err)) < 0)
		return 0;
	if (folded_encode(p, &b) < 0)
		abort();
	buf_reset(&b);
	if (pprof_encode(p, &b) < 0 || pprof_decode(b.data, b.len, &again, err, sizeof(err)) < 0)
		abort();
	if (again->samples.n != p->samples.n)
		abort();
	buf_fini(&b);
	profile_free(p);
	profile_free(again);
	return 0;
}
