/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles while memory runs out: read, worked on, written in every format, and shown. */
#include "fixture_alloc.h"

#include "base/strmap.h"
#include "cmd/amount.h"
#include "cmd/route_table.h"
#include "cmd/top_model.h"
#include "cmd/top_rows.h"
#include "cmd/treelist.h"
#include "exporter/otlp_format.h"
#include "fixture_profile.h"
#include "pprof/calltree.h"
#include "pprof/decode.h"
#include "pprof/diff.h"
#include "pprof/encode.h"
#include "pprof/filter.h"
#include "pprof/folded.h"
#include "pprof/html.h"
#include "pprof/merge.h"
#include "pprof/otlp.h"
#include "pprof/profile.h"
#include "pprof/reader.h"
#include "pprof/slice.h"
#include "pprof/speedscope.h"
#include "pprof/svg.h"
#include "trace/red.h"

static const char stacks[] = "a;main;work_[k] 3\na;main;inner_[i];x_[j] 2\nb;main;std::sort(int, int) 1\n";

static struct profile *read_stacks(int *ret)
{
	struct profile *p = NULL;
	char err[256];

	*ret = folded_decode(stacks, strlen(stacks), &p, err, sizeof(err));
	return p;
}

static int through_every_format(void *ctx)
{
	_cleanup_(buf_fini) struct buf pb = BUF_INIT, out = BUF_INIT;
	_cleanup_(profile_freep) struct profile *p = NULL, *again = NULL;
	struct calltree tree = { 0 };
	char err[256];
	int r;

	p = read_stacks(&r);
	if (r >= 0)
		r = pprof_encode_gzip(p, 1, &pb);
	if (r >= 0)
		r = pprof_decode(pb.data, pb.len, &again, err, sizeof(err));
	if (r >= 0)
		r = folded_encode(again, &out);
	if (r >= 0)
		r = speedscope_encode(again, &out);
	if (r >= 0)
		r = svg_encode(again, &out);
	if (r >= 0)
		r = html_encode(again, &out);
	if (r >= 0)
		r = calltree_build(again, CALLTREE_BY_LINE, &tree);
	calltree_fini(&tree);
	return r;
}

static void every_format_survives_every_failure(void **state)
{
	every_failure_is_survived(through_every_format, NULL, 100);
}

struct otlp_case {
	struct profile *p;
	size_t max_bytes; /* of a request */
	size_t len;       /* of all requests; 0: not known yet */
};

/* The first server refuses the compression. */
static int pack_twice(const struct buf *request)
{
	const uint8_t zstd = PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GRPC | PARCEL_FORMAT_ZSTD;
	_cleanup_(buf_fini) struct buf packed = BUF_INIT, again = BUF_INIT;
	int r = otlp_pack(zstd, request, &packed);

	if (r >= 0)
		r = otlp_repack(zstd, &packed, parcel_format_without(zstd, 0), &again);
	if (r >= 0)
		r = otlp_repack(parcel_format_without(zstd, 0), &again, zstd, &packed);
	return r;
}

static int through_otlp(void *ctx)
{
	struct otlp_case *c = ctx;
	_cleanup_(buf_fini) struct buf out = BUF_INIT;
	_cleanup_(strmap_fini) struct strmap resource = { 0 };
	struct otlp *o = NULL;
	int r = strmap_set(&resource, "service.name", "shop");
	uint32_t n;

	if (r >= 0)
		r = otlp_new(OTLP_1_10, "hotspan", "1", &o);
	for (uint32_t from = 0; r >= 0 && from < c->p->samples.n; from += n) {
		r = otlp_add(o, &resource, c->p, from, c->max_bytes, &n);
		if (r >= 0)
			r = otlp_finish(o, &out);
		if (r >= 0 && !n)
			r = -EIO;
	}
	if (r >= 0)
		r = pack_twice(&out);
	otlp_free(o);
	if (r >= 0 && c->len && out.len != c->len)
		return -EIO; /* something is missing, and nobody said so */
	if (r >= 0)
		c->len = out.len;
	return r;
}

static void otlp_survives_every_failure(void **state)
{
	struct fixture f = { .stacks = 8, .depth = 4, .functions = 12, .processes = 2, .inlined_every = 3, .seed = 1, .hostile = 1 };
	struct otlp_case c = { .p = fixture_profile(&f), .max_bytes = SIZE_MAX };
	size_t whole;

	assert_int_equal(through_otlp(&c), 0);
	whole = c.len;
	every_failure_is_survived(through_otlp, &c, 30);
	c.max_bytes = whole * 3 / 4;
	c.len = 0;
	assert_int_equal(through_otlp(&c), 0);
	assert_true(c.len > whole); /* parts */
	every_failure_is_survived(through_otlp, &c, 30);
	profile_free(c.p);
}

static const char script[] = "app x 1/2 [000] 1.0: 10 cpu-clock: \n\t10 inl (inlined)\n\t10 in\n  a.h:3 (inlined)\n\t10 f+0x1 (/bin/x)\n  a.c:4\n\t20 [unknown] (/bin/x)\n\n"
			     "app x 1/3 [000] 1.5: 10 cpu-clock: \n\tffffffff81000000 read+0x1 ([kernel.kallsyms])\n\n";

static int read_a_script(void *ctx)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	char err[256];

	return reader_decode(script, strlen(script), &p, err, sizeof(err));
}

static void reading_a_script_survives_every_failure(void **state)
{
	every_failure_is_survived(read_a_script, NULL, 30);
}

/* Filter, merge, subtract, slice, compare. */
static int work_on_profiles(void *ctx)
{
	_cleanup_(profile_freep) struct profile *p = NULL, *q = NULL, *sum = NULL, *callers = NULL, *callees = NULL;
	const struct filter_label label = { "comm", "app x" };
	const struct filter filter = { .focus = ctx, .labels = &label, .n_labels = 1 };
	struct diff diff = { 0 };
	char err[256];
	int r = reader_decode(script, strlen(script), &p, err, sizeof(err));

	if (r >= 0)
		r = reader_decode(script, strlen(script), &q, err, sizeof(err));
	if (r >= 0)
		r = filter_samples(q, &filter);
	if (r >= 0)
		r = profile_merge((struct merge_part[]){ { .p = p }, { .p = q, .subtract = true } }, 2, &sum);
	if (r >= 0)
		r = slice_callers(p, "f", &callers);
	if (r >= 0)
		r = slice_callees(p, "f", &callees);
	if (r >= 0)
		r = diff_build(p, sum, PROFILE_LINES, &diff);
	diff_fini(&diff);
	return r;
}

static void work_on_profiles_survives_every_failure(void **state)
{
	regex_t f; /* compiled once: the library's own allocations are not the question */

	assert_int_equal(regcomp(&f, "f|x", REG_EXTENDED | REG_NOSUB), 0);
	every_failure_is_survived(work_on_profiles, &f, 100);
	regfree(&f);
}

static int print_a_tree(void *ctx)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(buf_fini) struct buf out = BUF_INIT;
	struct calltree tree = { 0 };
	struct amount amount;
	struct treelist l = { .tree = &tree, .amount = &amount, .whole = 6, .root = "all", .head = "" };
	int r;

	p = read_stacks(&r);
	if (r >= 0)
		r = calltree_build(p, CALLTREE_WITH_LINES, &tree);
	if (r >= 0) {
		amount_of(p, 6, &amount);
		r = treelist_text(&l, &out);
	}
	if (r >= 0)
		r = treelist_json(&l, &out);
	calltree_fini(&tree);
	return r;
}

static void printing_a_tree_survives_every_failure(void **state)
{
	every_failure_is_survived(print_a_tree, NULL, 40);
}

/* Two intervals, the second of which makes the model compact itself. */
static int watch_two_intervals(void *ctx)
{
	struct top_model_opts opts = { .window_ns = 1000000000, .max_cells = 100 };
	struct top_rows rows = { 0 };
	struct top_model *m = NULL;
	int r = top_model_new(&opts, &m);

	for (int i = 0; r >= 0 && i < 2; i++)
		r = top_model_add(m, ctx, 1000000000);
	if (r >= 0)
		r = top_rows_functions(&rows, m, &(struct top_query){ .filter = "f" });
	if (r >= 0)
		r = top_rows_processes(&rows, m, &(struct top_query){ .filter = "f" });
	top_rows_fini(&rows);
	top_model_free(m);
	return r;
}

static void a_live_view_survives_every_failure(void **state)
{
	struct fixture f = { .stacks = 200, .depth = 5, .functions = 300, .processes = 20 };
	struct profile *p = fixture_profile(&f);

	every_failure_is_survived(watch_two_intervals, p, 30);
	profile_free(p);
}

/* Series of two services, one of which was sampled, into a table and into a profile's page. */
static int tell_routes(void *ctx)
{
	_cleanup_(route_cpu_fini) struct route_cpu cpu = { 0 };
	_cleanup_(route_table_fini) struct route_table t = { 0 };
	_cleanup_(profile_freep) struct profile *p = profile_new();
	_cleanup_(buf_fini) struct buf page = BUF_INIT;
	struct red_series s = { .key = { .status = 200 }, .count = 3, .cpu_ns = 10, .durations = { 3 } };
	int r = p ? route_cpu_count(&cpu, "shop", 100, true) : -ENOMEM;

	if (r >= 0)
		r = route_table_add(&t, "shop", "/dear", &s);
	if (r >= 0)
		r = route_table_add(&t, "other", "/", &s);
	if (r >= 0)
		r = route_table_end(&t, &cpu);
	if (r >= 0)
		r = route_table_tell(&t, p);
	return r < 0 ? r : html_encode(p, &page);
}

static void a_table_of_routes_survives_every_failure(void **state)
{
	every_failure_is_survived(tell_routes, NULL, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_survives_every_failure),
		cmocka_unit_test(otlp_survives_every_failure),
		cmocka_unit_test(reading_a_script_survives_every_failure),
		cmocka_unit_test(work_on_profiles_survives_every_failure),
		cmocka_unit_test(printing_a_tree_survives_every_failure),
		cmocka_unit_test(a_live_view_survives_every_failure),
		cmocka_unit_test(a_table_of_routes_survives_every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
