/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on whole profiles: merge, filter, slice, diff. tests/unit/pprof_oracle.py holds merge against Go's. */
#include "unit.h"

#include <errno.h>

#include "base/buf.h"
#include "pprof/diff.h"
#include "pprof/encode.h"
#include "pprof/filter.h"
#include "pprof/folded.h"
#include "pprof/merge.h"
#include "pprof/profile.h"
#include "pprof/slice.h"
#include "pprof/top.h"
#include "unit/fixture_profile.h"

static struct profile *of(const char *folded)
{
	struct profile *p = NULL;
	char err[256];

	if (folded_decode(folded, strlen(folded), &p, err, sizeof(err)) < 0)
		fail_msg("%s", err);
	return p;
}

static void expect(const struct profile *p, const char *folded)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	assert_int_equal(folded_encode(p, &b), 0);
	buf_putc(&b, 0);
	assert_string_equal((char *)b.data, folded);
}

static struct profile *merged(const struct profile *a, const struct profile *b, bool subtract)
{
	const struct merge_part parts[] = { { .p = a }, { .p = b, .subtract = subtract } };
	struct profile *p = NULL;

	assert_int_equal(profile_merge(parts, b ? 2 : 1, &p), 0);
	return p;
}

static void equal_stacks_are_added(void **state)
{
	_cleanup_(profile_freep) struct profile *a = of("main;f 3\nmain;g 1\n"), *b = of("main;f 4\nmain;h 2\n");
	_cleanup_(profile_freep) struct profile *p = merged(a, b, false);

	expect(p, "main;f 7\nmain;g 1\nmain;h 2\n");
	assert_int_equal(p->functions.n, 4);
	assert_int_equal(p->locations.n, 4);
}

static void what_cancels_out_is_gone(void **state)
{
	_cleanup_(profile_freep) struct profile *a = of("main;f 3\nmain;g 1\n"), *b = of("main;f 3\nmain;h 2\n");
	_cleanup_(profile_freep) struct profile *p = merged(a, b, true);

	expect(p, "main;g 1\nmain;h -2\n");
	assert_int_equal(p->functions.n, 3); /* f is not referred to any more */
}

static void values_at_the_ends_are_held(void **state)
{
	_cleanup_(profile_freep) struct profile *a = of("f 1\n"), *b = of("f 1\n"), *p = NULL, *q = NULL;

	a->values.v[0] = INT64_MAX;
	b->values.v[0] = INT64_MIN;
	p = merged(a, b, true);
	assert_int_equal(p->values.v[0], INT64_MAX);
	q = merged(b, a, true);
	assert_int_equal(q->values.v[0], INT64_MIN);
}

static struct profile *loaded_at(uint64_t start, const char *build_id)
{
	struct profile *p = profile_new();
	struct profile_mapping m = { .start = start, .limit = start + 0x2000, .file = strpool_add(&p->strings, "/bin/x"),
				     .build_id = strpool_add(&p->strings, build_id) };
	struct profile_location l = { .address = start + 0x10, .mapping = profile_add_mapping(p, &m), .kind = FRAME_NATIVE };
	uint32_t at = profile_add_location(p, &l, NULL, 0);
	struct profile_sample s = { .first_frame = profile_add_frames(p, &at, 1), .n_frames = 1 };

	profile_set_cpu(p, (int64_t)start);
	p->time_ns = (int64_t)start;
	p->duration_ns = 5;
	profile_comment(p, "same");
	profile_comment(p, build_id);
	profile_add_sample(p, &s, (int64_t[]){ 1, 10 });
	return p;
}

static void an_image_is_itself_wherever_it_was_loaded(void **state)
{
	_cleanup_(profile_freep) struct profile *a = loaded_at(0x1000, "aa"), *b = loaded_at(0x9000, "aa"), *c = loaded_at(0x9000, "cc");
	_cleanup_(profile_freep) struct profile *same = merged(a, b, false), *other = merged(a, c, false);

	assert_int_equal(same->mappings.n, 1);
	assert_int_equal(same->samples.n, 1);
	assert_int_equal(same->values.v[1], 20);
	assert_int_equal(same->locations.v[0].address, 0x1010);
	assert_int_equal(other->mappings.n, 2);
	assert_int_equal(other->samples.n, 2);
}

static void headers_follow_googles_rules(void **state)
{
	_cleanup_(profile_freep) struct profile *a = loaded_at(0x9000, "aa"), *b = loaded_at(0x1000, "bb");
	_cleanup_(profile_freep) struct profile *p = merged(a, b, false);

	assert_int_equal(p->period, 0x9000);
	assert_int_equal(p->time_ns, 0x1000);
	assert_int_equal(p->duration_ns, 10);
	assert_int_equal(p->comments.n, 3);
	assert_string_equal(profile_str(p, p->comments.v[2]), "bb");
}

static void different_types_do_not_fit(void **state)
{
	_cleanup_(profile_freep) struct profile *a = of("f 1\n"), *b = loaded_at(0, "aa");
	const struct merge_part parts[] = { { .p = a }, { .p = b } };
	struct profile *p = NULL;

	assert_false(merge_fits(a, b));
	assert_int_equal(profile_merge(parts, 2, &p), -EINVAL);
	assert_int_equal(filter_type(b, "wall"), -ENOENT);
	assert_int_equal(filter_type(b, "samples"), 0);
	assert_true(merge_fits(a, b)); /* folded text has no period: no contradiction */
	assert_int_equal(b->values.v[0], 1);
	assert_int_equal(b->values.n, 1);
}

static void merging_one_alone_changes_nothing_but_its_order(void **state)
{
	static const struct fixture f = { .stacks = 300, .depth = 20, .functions = 90, .processes = 5, .inlined_every = 4 };
	_cleanup_(profile_freep) struct profile *p = fixture_profile(&f), *once = merged(p, NULL, false), *twice = merged(once, NULL, false);
	_cleanup_(buf_fini) struct buf a = BUF_INIT, b = BUF_INIT;

	assert_int_equal(folded_encode(p, &a), 0);
	assert_int_equal(folded_encode(once, &b), 0);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	buf_reset(&a);
	buf_reset(&b);
	assert_int_equal(pprof_encode(once, &a), 0);
	assert_int_equal(pprof_encode(twice, &b), 0);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
}

static void stacks_are_kept_by_function_and_by_label(void **state)
{
	static const struct fixture fix = { .stacks = 40, .depth = 4, .functions = 9, .processes = 2 };
	_cleanup_(profile_freep) struct profile *p = of("main;f 3\nmain;g;f 1\nmain;g 2\n"), *q = fixture_profile(&fix);
	struct filter_label odd[] = { { "comm", "odd" }, { "pid", "101" } }, none = { "pid", "1" };
	regex_t f, g;

	assert_int_equal(regcomp(&f, "^f$", REG_EXTENDED | REG_NOSUB), 0);
	assert_int_equal(regcomp(&g, "g|x", REG_EXTENDED | REG_NOSUB), 0);
	assert_int_equal(filter_samples(p, &(struct filter){ .focus = &f }), 0);
	expect(p, "main;f 3\nmain;g;f 1\n");
	assert_int_equal(filter_samples(p, &(struct filter){ .focus = &f, .ignore = &g }), 0);
	expect(p, "main;f 3\n");
	assert_int_equal(filter_samples(q, &(struct filter){ .labels = odd, .n_labels = 2 }), 0);
	assert_int_equal(q->samples.n, 20);
	assert_int_equal(q->values.n, 40);
	vec_foreach(s, &q->samples)
		assert_string_equal(profile_str(q, profile_sample_label(q, s, "comm")->str), "odd");
	assert_int_equal(filter_samples(q, &(struct filter){ .labels = &none, .n_labels = 1 }), 0);
	assert_int_equal(q->samples.n, 0);
	regfree(&f);
	regfree(&g);
}

static void a_slice_hangs_by_its_function(void **state)
{
	_cleanup_(profile_freep) struct profile *p = of("main;f;g;f;h 3\nmain;f(int) 2\nmain;k 9\nf 1\n");
	_cleanup_(profile_freep) struct profile *callers = NULL, *callees = NULL, *none = NULL;

	assert_int_equal(slice_callers(p, "f", &callers), 0);
	expect(callers, "f;g;f;main 3\nf(int);main 2\nf 1\n");
	assert_int_equal(slice_callees(p, "f", &callees), 0);
	expect(callees, "f;g;f;h 3\nf(int) 2\nf 1\n");
	assert_int_equal(slice_callers(p, "ff", &none), -ENOENT);
	assert_false(slice_names("f", "ff"));
	assert_false(slice_names("f(int)", "f"));
}

/* The cut goes between a function and what was inlined into it. */
static void a_slice_cuts_inlined_calls(void **state)
{
	_cleanup_(profile_freep) struct profile *p = profile_new(), *callers = NULL, *callees = NULL;
	struct profile_function f = { .name = strpool_add(&p->strings, "inl") }, g = { .name = strpool_add(&p->strings, "phys") };
	struct profile_line lines[] = { { .function = profile_add_function(p, &f) }, { .function = profile_add_function(p, &g) } };
	struct profile_location l = { .mapping = PROFILE_NO_MAPPING };
	uint32_t at = profile_add_location(p, &l, lines, 2);
	struct profile_sample s = { .first_frame = profile_add_frames(p, &at, 1), .n_frames = 1 };

	profile_set_cpu(p, 1);
	profile_add_sample(p, &s, (int64_t[]){ 4, 4 });
	assert_int_equal(slice_callers(p, "inl", &callers), 0);
	expect(callers, "inl;phys 4\n");
	assert_int_equal(slice_callees(p, "inl", &callees), 0);
	expect(callees, "inl 4\n");
}

static void a_difference_is_in_points_whatever_the_lengths(void **state)
{
	_cleanup_(profile_freep) struct profile *base = of("main;f 50\nmain;g 50\n"), *now = of("main;f 3\nmain;h 7\n");
	struct diff d;

	assert_int_equal(diff_build(base, now, PROFILE_FUNCTIONS, &d), 0);
	assert_int_equal(d.rows.n, 4);
	assert_string_equal(d.rows.v[0].name, "h");
	assert_true(d.rows.v[0].self_points == 70 && d.rows.v[0].base.self == 0);
	assert_string_equal(d.rows.v[1].name, "g");
	assert_true(d.rows.v[1].self_points == -50 && d.rows.v[1].now.total == 0);
	assert_string_equal(d.rows.v[2].name, "f");
	assert_true(d.rows.v[2].self_points > -20.001 && d.rows.v[2].self_points < -19.999);
	assert_string_equal(d.rows.v[3].name, "main");
	assert_true(d.rows.v[3].total_points == 0);
	diff_fini(&d);
}

static void a_callers_total_counts_for_the_order_too(void **state)
{
	_cleanup_(profile_freep) struct profile *base = of("a;x 4\nb;y 6\n"), *now = of("a;x 1\na;y 6\nb;y 3\n");
	struct diff d;

	assert_int_equal(diff_build(base, now, PROFILE_FUNCTIONS, &d), 0);
	assert_string_equal(d.rows.v[0].name, "x");
	diff_sort(&d, DIFF_BY_TOTAL);
	assert_string_equal(d.rows.v[0].name, "x");
	assert_string_equal(d.rows.v[2].name, "a"); /* 40 to 70 with y's 60 to 90, by name behind it in self */
	diff_sort(&d, DIFF_BY_SELF);
	assert_true(d.rows.v[0].self_points != 0 && d.rows.v[2].self_points == 0);
	diff_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_stacks_are_added),
		cmocka_unit_test(what_cancels_out_is_gone),
		cmocka_unit_test(values_at_the_ends_are_held),
		cmocka_unit_test(an_image_is_itself_wherever_it_was_loaded),
		cmocka_unit_test(headers_follow_googles_rules),
		cmocka_unit_test(different_types_do_not_fit),
		cmocka_unit_test(merging_one_alone_changes_nothing_but_its_order),
		cmocka_unit_test(stacks_are_kept_by_function_and_by_label),
		cmocka_unit_test(a_slice_hangs_by_its_function),
		cmocka_unit_test(a_slice_cuts_inlined_calls),
		cmocka_unit_test(a_difference_is_in_points_whatever_the_lengths),
		cmocka_unit_test(a_callers_total_counts_for_the_order_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
