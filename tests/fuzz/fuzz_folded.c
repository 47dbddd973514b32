/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "pprof/folded.h"
#include "pprof/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct profile *p = NULL;
	struct buf b = BUF_INIT;
	char err[128];

	if (folded_decode((const char *)data, len, &p, err, sizeof(err)) < 0)
		return 0;
	if (folded_encode(p, &b) < 0)
		abort();
	buf_fini(&b);
	profile_free(p);
	return 0;
}
