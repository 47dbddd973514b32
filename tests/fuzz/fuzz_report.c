/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a file for hotspan report: read, filtered, merged, subtracted, sliced, compared. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "pprof/calltree.h"
#include "pprof/diff.h"
#include "pprof/encode.h"
#include "pprof/filter.h"
#include "pprof/merge.h"
#include "pprof/profile.h"
#include "pprof/reader.h"
#include "pprof/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void look_at(const struct profile *p)
{
	struct calltree t;
	struct diff d;

	if (calltree_build(p, CALLTREE_WITH_LINES | CALLTREE_BY_LINE, &t) < 0 || diff_build(p, p, PROFILE_LINES, &d) < 0)
		abort();
	vec_foreach(row, &d.rows)
		if (row->self_points != 0 || row->total_points != 0)
			abort();
	calltree_fini(&t);
	diff_fini(&d);
}

static void slice_it(const struct profile *p)
{
	struct profile *callers = NULL, *callees = NULL;
	const char *name = p->functions.n ? profile_str(p, p->functions.v[0].name) : "main";
	int a = slice_callers(p, name, &callers), b = slice_callees(p, name, &callees);

	if (a != b || (!a && callers->samples.n != callees->samples.n))
		abort();
	profile_free(callers);
	profile_free(callees);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct filter_label label = { "pid", "1" };
	struct profile *p = NULL, *sum = NULL, *nothing = NULL;
	struct buf b = BUF_INIT;
	char err[128];

	if (reader_decode(data, len, &p, err, sizeof(err)) < 0)
		return 0;
	if (profile_merge((struct merge_part[]){ { .p = p }, { .p = p } }, 2, &sum) < 0)
		abort();
	look_at(sum);
	slice_it(sum);
	if (pprof_encode(sum, &b) < 0)
		abort();
	if (profile_merge((struct merge_part[]){ { .p = sum }, { .p = sum, .subtract = true } }, 2, &nothing) < 0)
		abort();
	vec_foreach(v, &nothing->values)
		if (*v > 1 || *v < -1) /* the ends of the range are not each other's negative */
			abort();
	if (filter_samples(p, &(struct filter){ .labels = &label, .n_labels = 1 }) < 0)
		abort();
	buf_fini(&b);
	profile_free(p);
	profile_free(sum);
	profile_free(nothing);
	return 0;
}
