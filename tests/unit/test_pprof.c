/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>

#include "base/file.h"
#include "base/strmap.h"
#include "base/wire.h"
#include "base/wire_reader.h"
#include "pprof/calltree.h"
#include "pprof/decode.h"
#include "pprof/encode.h"
#include "pprof/folded.h"
#include "pprof/format.h"
#include "pprof/otlp.h"
#include "pprof/profile.h"
#include "pprof/top.h"
#include "unit/fixture_profile.h"

static char err[256];

static const struct fixture small = { .stacks = 20, .depth = 6, .functions = 12, .processes = 2, .inlined_every = 3 };

static void encoding_what_was_decoded_gives_the_same_bytes(void **state)
{
	const struct fixture fixtures[] = {
		small, { .stacks = 500, .depth = 40, .functions = 300, .processes = 9, .inlined_every = 4 },
		{ .stacks = 40, .depth = 9, .functions = 30, .processes = 3, .hostile = 1 },
		{ .stacks = 0, .depth = 1, .functions = 1, .processes = 1 } };

	for (size_t i = 0; i < ARRAY_SIZE(fixtures); i++) {
		_cleanup_(profile_freep) struct profile *p = fixture_profile(&fixtures[i]), *q = NULL;
		_cleanup_(buf_fini) struct buf a = BUF_INIT, b = BUF_INIT;

		assert_int_equal(pprof_encode_gzip(p, 6, &a), 0);
		assert_int_equal(pprof_decode(a.data, a.len, &q, err, sizeof(err)), 0);
		buf_reset(&a);
		assert_int_equal(pprof_encode(p, &a), 0);
		assert_int_equal(pprof_encode(q, &b), 0);
		assert_int_equal(a.len, b.len);
		assert_memory_equal(a.data, b.data, a.len);
	}
}

static void names_that_are_no_utf8_are_replaced(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "plain", "plain" }, { "\xc3\xa9", "\xc3\xa9" }, { "\xff", "\xef\xbf\xbd" }, { "a\xff\xfe" "b", "a\xef\xbf\xbd\xef\xbf\xbd" "b" },
		{ "cut\xe2\x82", "cut\xef\xbf\xbd\xef\xbf\xbd" }, { "\x80mid\xc0\x80", "\xef\xbf\xbdmid\xef\xbf\xbd\xef\xbf\xbd" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(profile_freep) struct profile *p = fixture_profile(&small), *q = NULL;
		_cleanup_(buf_fini) struct buf b = BUF_INIT;
		uint32_t id = strpool_add(&p->strings, cases[i].in);

		assert_int_equal(pprof_encode(p, &b), 0);
		assert_int_equal(pprof_decode(b.data, b.len, &q, err, sizeof(err)), 0);
		assert_string_equal(profile_str(q, id), cases[i].out);
	}
}

/* A cut file must say so, or be a whole shorter profile by chance; it never crashes. */
static void every_prefix_is_refused_or_valid(void **state)
{
	_cleanup_(profile_freep) struct profile *p = fixture_profile(&small);

	for (int gzip = 0; gzip < 2; gzip++) {
		_cleanup_(buf_fini) struct buf b = BUF_INIT;

		assert_int_equal(gzip ? pprof_encode_gzip(p, 6, &b) : pprof_encode(p, &b), 0);
		for (size_t len = 0; len < b.len; len++) {
			_cleanup_(profile_freep) struct profile *q = NULL;
			int r = pprof_decode(b.data, len, &q, err, sizeof(err));

			assert_true(r == 0 ? q != NULL && !gzip : r == -EBADMSG && err[0]);
		}
	}
}

static void put_type(struct buf *b, uint32_t type, uint32_t unit)
{
	size_t mark = wire_begin(b, 1);

	wire_uint(b, 1, type);
	wire_uint(b, 2, unit);
	wire_end(b, mark);
}

static void put_strings(struct buf *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		wire_bytes(b, 6, "x", i ? 1 : 0);
}

static void put_id(struct buf *b, uint32_t field, uint64_t id)
{
	size_t mark = wire_begin(b, field);

	wire_uint(b, 1, id);
	wire_end(b, mark);
}

static void put_sample(struct buf *b, uint64_t location, int values)
{
	size_t mark = wire_begin(b, 2);

	wire_uint(b, 1, location);
	for (int i = 0; i < values; i++)
		wire_uint(b, 2, 7);
	wire_end(b, mark);
}

static void expect(struct buf *b, const char *why)
{
	_cleanup_(profile_freep) struct profile *p = NULL;

	assert_int_equal(pprof_decode(b->data, b->len, &p, err, sizeof(err)), -EBADMSG);
	if (!strstr(err, why))
		fail_msg("\"%s\" does not say \"%s\"", err, why);
	buf_reset(b);
}

/* Each rule of google/pprof's CheckValid, broken once. */
static void each_broken_rule_is_named(void **state)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	wire_bytes(&b, 6, "first", 5);
	expect(&b, "does not begin with an empty string");
	put_sample(&b, 0, 0);
	put_strings(&b, 1);
	expect(&b, "no sample type");
	put_type(&b, 1, 1);
	put_sample(&b, 0, 2);
	put_strings(&b, 2);
	expect(&b, "sample 1 has 2 values for 1 types");
	put_type(&b, 1, 1);
	put_sample(&b, 99, 1);
	put_strings(&b, 2);
	expect(&b, "location 99, which does not exist");
	put_id(&b, 4, 5);
	put_id(&b, 4, 5);
	put_strings(&b, 1);
	expect(&b, "two locations have the id 5");
	put_id(&b, 3, 0);
	put_strings(&b, 1);
	expect(&b, "mapping 1 has id 0");
	put_type(&b, 1, 9);
	put_strings(&b, 2);
	expect(&b, "string 9 of 2");
	expect(&b, "empty");
}

static void ids_need_not_be_dense(void **state)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	put_type(&b, 1, 1);
	put_id(&b, 4, 1ull << 60);
	put_sample(&b, 1ull << 60, 1);
	put_strings(&b, 2);
	assert_int_equal(pprof_decode(b.data, b.len, &p, err, sizeof(err)), 0);
	assert_int_equal(p->frames.v[0], 0);
	assert_int_equal(p->values.v[0], 7);
}

static void damaged_gzip_is_refused(void **state)
{
	static const unsigned char not_gzip[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff };
	_cleanup_(profile_freep) struct profile *p = NULL;

	assert_int_equal(pprof_decode(not_gzip, sizeof(not_gzip), &p, err, sizeof(err)), -EBADMSG);
	assert_non_null(strstr(err, "damaged"));
}

static void labels_without_a_value_are_not_written(void **state)
{
	_cleanup_(profile_freep) struct profile *p = profile_new(), *q = NULL;
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	struct profile_label labels[] = { { .key = strpool_add(&p->strings, "empty") },
					  { .key = strpool_add(&p->strings, "zero"), .unit = strpool_add(&p->strings, "id") },
					  { .key = strpool_add(&p->strings, "text"), .str = strpool_add(&p->strings, "x") } };
	struct profile_sample s = { .first_label = profile_add_labels(p, labels, 3), .n_labels = 3 };

	profile_set_cpu(p, 1);
	profile_add_sample(p, &s, (int64_t[]){ 1, 1 });
	assert_int_equal(pprof_encode(p, &b), 0);
	assert_int_equal(pprof_decode(b.data, b.len, &q, err, sizeof(err)), 0);
	assert_int_equal(q->samples.v[0].n_labels, 2);
	assert_non_null(profile_sample_label(q, &q->samples.v[0], "zero"));
}

static void folded_text_comes_back(void **state)
{
	static const char text[] = "main;work;memcpy 42\nmain;work;__x64_sys_read_[k] 7\nmain 1\n";
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	assert_int_equal(folded_decode(text, sizeof(text) - 1, &p, err, sizeof(err)), 0);
	assert_int_equal(p->locations.v[p->frames.v[p->samples.v[1].first_frame]].kind, FRAME_KERNEL);
	assert_int_equal(folded_encode(p, &b), 0);
	buf_putc(&b, 0);
	assert_string_equal((char *)b.data, text);
}

static void folded_errors_name_the_line(void **state)
{
	static const char *const wrong[] = { "a 1\nb\n", "a 1\nb x\n", "a 1\nb 99999999999999999999\n", "a 1\nb \n" };
	struct profile *p = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(folded_decode(wrong[i], strlen(wrong[i]), &p, err, sizeof(err)), -EBADMSG);
		assert_non_null(strstr(err, "line 2"));
	}
}

static uint32_t add_one(struct profile *p, const char *name, const char *inlined)
{
	struct profile_function f = { .name = strpool_add(&p->strings, name), .system_name = 0 };
	struct profile_location l = { .mapping = PROFILE_NO_MAPPING, .kind = FRAME_NATIVE };
	struct profile_line lines[2] = { 0 };
	uint32_t n = 0;

	if (inlined) {
		struct profile_function g = { .name = strpool_add(&p->strings, inlined) };

		lines[n++].function = profile_add_function(p, &g);
	}
	lines[n++].function = profile_add_function(p, &f);
	return profile_add_location(p, &l, lines, n);
}

static struct profile *recursive_profile(void)
{
	struct profile *p = profile_new();
	uint32_t main_ = add_one(p, "main", NULL), f = add_one(p, "f", NULL), g = add_one(p, "g", "inl");
	uint32_t stack[] = { f, f, main_, g, f, main_ };
	struct profile_sample a = { .first_frame = profile_add_frames(p, stack, 3), .n_frames = 3 };
	struct profile_sample b = { .first_frame = profile_add_frames(p, stack + 3, 3), .n_frames = 3 };

	profile_set_cpu(p, 10);
	profile_add_sample(p, &a, (int64_t[]){ 1, 10 });
	profile_add_sample(p, &b, (int64_t[]){ 3, 30 });
	return p;
}

static void recursion_counts_once_in_totals(void **state)
{
	_cleanup_(profile_freep) struct profile *p = recursive_profile();
	struct top t;

	assert_int_equal(top_build(p, PROFILE_FUNCTIONS, &t), 0);
	assert_int_equal(t.rows.n, 4);
	assert_int_equal(t.whole, 40);
	assert_string_equal(t.rows.v[0].name, "inl"); /* the leaf is the innermost inlined function */
	assert_int_equal(t.rows.v[0].self, 30);
	assert_string_equal(t.rows.v[1].name, "f");
	assert_int_equal(t.rows.v[1].self, 10);
	assert_int_equal(t.rows.v[1].total, 40);
	assert_string_equal(t.rows.v[2].name, "main");
	assert_int_equal(t.rows.v[2].total, 40);
	top_sort(&t, TOP_BY_TOTAL);
	assert_string_equal(t.rows.v[0].name, "f"); /* 40 like main, but with a self */
	assert_string_equal(t.rows.v[1].name, "main");
	assert_true(t.rows.v[1].total_percent == 100);
	top_fini(&t);
}

static void values_at_the_ends_do_not_overflow(void **state)
{
	assert_int_equal(profile_sum(INT64_MAX, 1), INT64_MAX);
	assert_int_equal(profile_sum(INT64_MIN, -1), INT64_MIN);
	assert_int_equal(profile_sum(INT64_MIN, INT64_MAX), -1);
	assert_int_equal(profile_size(INT64_MIN), INT64_MAX);
	assert_int_equal(profile_size(-3), 3);
}

static void the_kind_of_code_is_guessed_from_the_image(void **state)
{
	static const struct {
		const char *image;
		uint8_t kind;
	} known[] = { { "[kernel.kallsyms]", FRAME_KERNEL }, { "[nf_tables]", FRAME_KERNEL }, { "[vdso]", FRAME_NATIVE },
		      { "/usr/lib/debug/boot/vmlinux-6.1.0", FRAME_KERNEL }, { "/lib/modules/6.1/ext4.ko.xz", FRAME_KERNEL },
		      { "/opt/app.kotlin", FRAME_NATIVE }, { "/tmp/perf-12.map", FRAME_JIT }, { "", FRAME_NATIVE } };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		assert_int_equal(profile_guess_kind(known[i].image), known[i].kind);
}

static void the_call_tree_has_inlined_calls_as_nodes(void **state)
{
	_cleanup_(profile_freep) struct profile *p = recursive_profile();
	struct calltree t;
	const char *names[8];

	assert_int_equal(calltree_build(p, CALLTREE_WITH_LINES, &t), 0);
	assert_int_equal(t.nodes.n, 6); /* root main f f | g inl below the first f */
	assert_int_equal(t.nodes.v[0].total, 40);
	for (uint32_t i = 1; i < t.nodes.n; i++) {
		assert_true(t.nodes.v[i].parent < i);
		names[i] = strpool_str(&t.strings, t.frames.v[t.nodes.v[i].frame].name);
	}
	assert_string_equal(names[5], "inl");
	assert_int_equal(t.frames.v[t.nodes.v[5].frame].kind, CALLTREE_INLINED);
	assert_string_equal(names[t.nodes.v[5].parent], "g");
	assert_int_equal(t.nodes.v[5].self, 30);
	assert_int_equal(t.nodes.v[2].total, 40);
	calltree_fini(&t);
}

/* main once without a request, twice in one whose path would break the format, four times in one that has no route yet. */
static struct profile *served_profile(void)
{
	struct profile *p = profile_new();
	uint32_t main_ = add_one(p, "main", NULL);
	struct profile_label labels[] = { { .key = strpool_add(&p->strings, "service_name"), .str = strpool_add(&p->strings, "shop") },
					  { .key = strpool_add(&p->strings, "http.request.method"), .str = strpool_add(&p->strings, "GET") },
					  { .key = strpool_add(&p->strings, "http.route"), .str = strpool_add(&p->strings, "/a;b\n</script>") } };
	static const uint32_t n[] = { 1, 3, 2 };

	profile_set_cpu(p, 10);
	for (int64_t i = 0; i < 3; i++) {
		struct profile_sample s = { .first_frame = profile_add_frames(p, &main_, 1), .n_frames = 1,
					    .first_label = profile_add_labels(p, labels, n[i]), .n_labels = n[i] };

		profile_add_sample(p, &s, (int64_t[]){ 1 << i, 10 << i });
	}
	profile_add_route(p, "shop", "GET", "/a;b\n</script>", 5);
	profile_add_route(p, "shop", "POST", "/idle", 7);
	return p;
}

static void a_route_is_the_frame_below_its_service(void **state)
{
	_cleanup_(profile_freep) struct profile *p = served_profile();
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	assert_int_equal(folded_encode(p, &b), 0);
	buf_putc(&b, 0);
	assert_string_equal((char *)b.data, "shop;main 1\nshop;GET /a:b </script>;main 2\nshop;GET (no route);main 4\n");
}

static void groups_are_services_on_their_routes(void **state)
{
	static const struct {
		const char *route;
		int64_t requests, value;
	} want[] = { { "", -1, 10 }, { "GET /a;b\n</script>", 5, 20 }, { "GET (no route)", -1, 40 }, { "POST /idle", 7, 0 } };
	_cleanup_(profile_freep) struct profile *p = served_profile();
	int64_t value[4] = { 0 };
	struct calltree t;

	assert_int_equal(calltree_build(p, CALLTREE_WITH_LINES, &t), 0);
	assert_int_equal(t.nodes.n, 2); /* merged over all of them */
	assert_int_equal(t.processes.n, 1);
	assert_string_equal(strpool_str(&t.strings, t.processes.v[0]), "shop");
	assert_int_equal(t.groups.n, 4);
	vec_foreach(row, &t.rows)
		value[row->group] += row->value;
	for (uint32_t i = 0; i < 4; i++) {
		assert_string_equal(strpool_str(&t.strings, t.groups.v[i].route), want[i].route);
		assert_int_equal(t.groups.v[i].requests, want[i].requests);
		assert_int_equal(value[i], want[i].value);
	}
	calltree_fini(&t);
}

static bool html_has(const struct profile *p, const char *what)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	assert_int_equal(format_by_name("html")->encode(p, &b), 0);
	return memmem(b.data, b.len, what, strlen(what));
}

static void the_page_has_groups_where_there_are_routes(void **state)
{
	_cleanup_(profile_freep) struct profile *served = served_profile(), *plain = recursive_profile();

	assert_true(html_has(served, ",-1,0,"));
	assert_true(html_has(served, "\"groups\":[0,0,-1,0,"));
	assert_true(html_has(served, "GET /a;b\\u000a\\u003c/script>"));
	assert_false(html_has(plain, "\"groups\":"));
}

static void formats_are_found_by_the_longest_extension(void **state)
{
	assert_string_equal(format_by_path("a/b.pb.gz")->name, "pprof");
	assert_string_equal(format_by_path("x.speedscope.json")->name, "speedscope");
	assert_string_equal(format_by_path("x.html")->name, "html");
	assert_null(format_by_path("html"));
	assert_null(format_by_path(".html")); /* a name, not an extension */
	assert_null(format_by_path("x.png"));
	assert_null(format_by_name("png"));
}

static void golden_go_profile_is_read(void **state)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	int found = 0;

	assert_int_equal(file_read_path(AT_FDCWD, TESTS_DIR "/golden/go-cpu.pb.gz", 1 << 20, &b), 0);
	assert_int_equal(pprof_decode(b.data, b.len, &p, err, sizeof(err)), 0);
	assert_int_equal(p->types.n, 2);
	assert_int_equal(p->period, 10000000);
	for (uint32_t i = 0; i < p->functions.n; i++)
		found += !strcmp(profile_str(p, p->functions.v[i].name), "main.spinHalf");
	assert_int_equal(found, 1);
}

/* Of an OTLP request: the values of its samples, which are at the end of these fields. */
static int64_t sum_at(const void *data, size_t len, const uint32_t *path)
{
	struct wire_reader r = wire_reader_of(data, len);
	struct wire_field f;
	int64_t sum = 0;

	while (wire_next(&r, &f) > 0) {
		uint64_t v = 0;

		if (f.number != *path || f.type != WIRE_LEN)
			continue;
		for (size_t i = 0; !path[1] && i < f.value; i++)
			v |= (uint64_t)(f.data[i] & 0x7f) << 7 * i;
		sum += path[1] ? sum_at(f.data, f.value, path + 1) : (int64_t)v;
	}
	return sum;
}

/* The rate was lowered: a sample stands for more than a period. */
static void parts_of_an_otlp_profile_carry_on_what_rounding_leaves(void **state)
{
	static const uint32_t values[] = { 1, 2, 2, 2, 4, 0 };
	_cleanup_(profile_freep) struct profile *p = fixture_profile(&small);
	_cleanup_(strmap_fini) struct strmap resource = { 0 };
	int64_t cost = 0, counted = 0;
	struct otlp *o;
	int requests = 0;

	for (uint32_t i = 0; i < p->samples.n; i++)
		cost += p->values.v[2 * i + 1] = p->period * 3 / 2;
	assert_int_equal(otlp_new(OTLP_1_10, "hotspan", "", &o), 0);
	for (uint32_t from = 0, n; from < p->samples.n; from += n, requests++) {
		_cleanup_(buf_fini) struct buf out = BUF_INIT;

		assert_int_equal(otlp_add(o, &resource, p, from, 2000, &n), 0);
		assert_true(n > 0 && otlp_profiles(o) == 1);
		assert_int_equal(otlp_finish(o, &out), 0);
		assert_true(out.len <= 2000);
		counted += sum_at(out.data, out.len, values);
	}
	assert_true(requests > 2);
	assert_int_equal(counted, cost / p->period);
	otlp_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encoding_what_was_decoded_gives_the_same_bytes),
		cmocka_unit_test(names_that_are_no_utf8_are_replaced),
		cmocka_unit_test(every_prefix_is_refused_or_valid),
		cmocka_unit_test(each_broken_rule_is_named),
		cmocka_unit_test(ids_need_not_be_dense),
		cmocka_unit_test(damaged_gzip_is_refused),
		cmocka_unit_test(labels_without_a_value_are_not_written),
		cmocka_unit_test(folded_text_comes_back),
		cmocka_unit_test(folded_errors_name_the_line),
		cmocka_unit_test(recursion_counts_once_in_totals),
		cmocka_unit_test(values_at_the_ends_do_not_overflow),
		cmocka_unit_test(the_kind_of_code_is_guessed_from_the_image),
		cmocka_unit_test(the_call_tree_has_inlined_calls_as_nodes),
		cmocka_unit_test(a_route_is_the_frame_below_its_service),
		cmocka_unit_test(groups_are_services_on_their_routes),
		cmocka_unit_test(the_page_has_groups_where_there_are_routes),
		cmocka_unit_test(formats_are_found_by_the_longest_extension),
		cmocka_unit_test(golden_go_profile_is_read),
		cmocka_unit_test(parts_of_an_otlp_profile_carry_on_what_rounding_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
