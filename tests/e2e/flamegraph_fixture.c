/* SPDX-License-Identifier: Apache-2.0 */
/* flamegraph_fixture html|folded STACKS DEPTH FUNCTIONS PROCESSES [hostile|ROUTES]: a known profile on stdout. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "pprof/format.h"
#include "pprof/profile.h"
#include "unit/fixture_profile.h"

int main(int argc, char **argv)
{
	struct fixture f = { 0 };
	struct buf out = BUF_INIT;
	struct profile *p;
	int r;

	if (argc < 6 || !format_by_name(argv[1]))
		return 2;
	f = (struct fixture){ .stacks = (uint32_t)atoi(argv[2]), .depth = (uint32_t)atoi(argv[3]),
			      .functions = (uint32_t)atoi(argv[4]), .processes = (uint32_t)atoi(argv[5]),
			      .inlined_every = 5, .hostile = argc > 6 && !strcmp(argv[6], "hostile") };
	f.routes = argc > 6 ? (uint32_t)atoi(argv[6]) : 0;
	p = fixture_profile(&f);
	r = format_by_name(argv[1])->encode(p, &out);
	if (r >= 0)
		fwrite(out.data, 1, out.len, stdout);
	buf_fini(&out);
	profile_free(p);
	return r < 0;
}
