/* SPDX-License-Identifier: Apache-2.0 */
/* Spans and metrics as OTLP, byte by byte; requests that fill up. */
#include "unit.h"

#include <errno.h>

#include "base/buf.h"
#include "base/strmap.h"
#include "exporter/metric.h"
#include "exporter/otlp_metrics.h"
#include "put_spans.h"

/* What was sent. */
struct sent {
	struct buf last;
	uint32_t requests, items;
	size_t longest;
	int answer;
};

static struct sent sent;

static int keep(void *ctx, const struct buf *request, uint32_t items)
{
	struct sent *s = ctx;

	buf_reset(&s->last);
	buf_append(&s->last, request->data, request->len);
	s->requests++;
	s->items += items;
	s->longest = request->len > s->longest ? request->len : s->longest;
	return s->answer;
}

static struct otlp_opts opts(size_t max_bytes)
{
	return (struct otlp_opts){ .scope_name = "hotspan",
				   .scope_version = "1",
				   .max_bytes = max_bytes,
				   .send = keep,
				   .ctx = &sent };
}

static int forget(void **state)
{
	buf_fini(&sent.last);
	sent = (struct sent){ 0 };
	return 0;
}

static struct strmap service(const char *name)
{
	struct strmap m = { 0 };

	assert_int_equal(strmap_set(&m, "service.name", name), 0);
	return m;
}

static void assert_sent(const char *want, size_t len)
{
	for (size_t i = 0; i < len && i < sent.last.len; i++)
		if (sent.last.data[i] != (uint8_t)want[i])
			fail_msg("byte %zu is %02x, not %02x", i, sent.last.data[i],
				 (uint8_t)want[i]);
	assert_int_equal(sent.last.len, len);
}

static bool sent_holds(const char *what, size_t len)
{
	return memmem(sent.last.data, sent.last.len, what, len);
}

#define IDS                                                                    \
	.trace_id = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 }, \
	.span_id = { 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28 }
#define URL "https://opentelemetry.io/schemas/1.44.0"

/* ---- traces ---- */

static int send_spans(size_t max_bytes, const struct strmap *resource,
		      const struct otlp_span *spans, size_t n)
{
	struct otlp_opts o = opts(max_bytes);
	struct otlp_traces *t;
	int r, finished;

	assert_int_equal(otlp_traces_new(&o, &t), 0);
	r = put_spans(t, resource, spans, n);
	finished = otlp_traces_finish(t);
	otlp_traces_free(t);
	return r < 0 ? r : finished;
}

/* The bytes are those that OpenTelemetry's own package makes. */
static void a_span_is_the_known_one(void **state)
{
	static const char want[] =
		"\x0a\x89\x02\x0a\x15\x0a\x13\x0a\x0cservice."
		"name\x12\x03\x0a\x01w\x12\xc6\x01\x0a\x0c\x0a\x07hotspan\x12\x01\x31\x12\x8c\x01"
		"\x0a\x10\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x12\x08!"
		"\x22#$%&'(\x1a\x05\x61=b,c"
		"\x22\x08\x31\x32\x33\x34\x35\x36\x37\x38*\x05GET "
		"/0\x02\x39\x01\x00\x00\x00\x00\x00\x00\x00\x41\x02\x00\x00\x00\x00\x00\x00\x00"
		"J\x08\x0a\x01k\x12\x03\x0a\x01vJ\x07\x0a\x01n\x12\x02\x18\x00J\x07\x0a\x01\x62\x12"
		"\x02\x10\x00"
		"J\x0e\x0a\x01\x64\x12\x09!\x00\x00\x00\x00\x00\x00\xe0?"
		"J\x07\x0a\x01\x65\x12\x02\x0a\x00P\x03z\x05\x12\x01\x65\x18\x02"
		"\x85\x01\x01\x03\x00\x00\x1a'" URL "\x1a'" URL;
	const struct attribute attributes[] = {
		{ SLICE("k"), ATTRIBUTE_TEXT, { .text = SLICE("v") } },
		{ SLICE("n"), ATTRIBUTE_INT, { .number = 0 } },
		{ SLICE("b"), ATTRIBUTE_BOOL, { .truth = false } },
		{ SLICE("d"), ATTRIBUTE_DOUBLE, { .real = 0.5 } },
		{ SLICE("e"), ATTRIBUTE_TEXT, { .text = SLICE("") } },
	};
	const struct otlp_span span = {
		IDS,
		.parent_id = { 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38 },
		.flags = 0xfffff001 | OTLP_SPAN_KNOWS_REMOTE | OTLP_SPAN_PARENT_IS_REMOTE,
		.kind = OTLP_SPAN_SERVER,
		.status = OTLP_SPAN_ERROR,
		.state = "a=b,c",
		.name = "GET /",
		.message = "e",
		.start_ns = 1,
		.end_ns = 2,
		.attributes = attributes,
		.n_attributes = ARRAY_SIZE(attributes),
		.dropped_attributes = 3,
	};
	_cleanup_(strmap_fini) struct strmap w = service("w");

	assert_int_equal(send_spans(0, &w, &span, 1), 0);
	assert_sent(want, sizeof(want) - 1);
	assert_int_equal(sent.requests, 1);
}

static void what_is_no_text_becomes_text(void **state)
{
	const struct attribute path = { SLICE("url.path"),
					ATTRIBUTE_TEXT,
					{ .text = SLICE("/\xff\xc3\xa4\xe2\x82") } };
	const struct otlp_span span = { IDS, .kind = OTLP_SPAN_SERVER, .name = "\x80G",
					.attributes = &path, .n_attributes = 1 };
	_cleanup_(strmap_fini) struct strmap w = service("\xc0w");

	assert_int_equal(send_spans(0, &w, &span, 1), 0);
	assert_true(sent_holds("\x2a\x04\xef\xbf\xbdG", 6));
	assert_true(sent_holds("\x0a\x0c/\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd", 14));
	assert_true(sent_holds("\x0a\x04\xef\xbf\xbdw", 6));
}

static void nothing_to_say_sends_nothing(void **state)
{
	const struct metric_family empty = { .name = "a", .help = "A.", .kind = METRIC_COUNTER };
	const struct metric_set set = { .n_families = 1, .families = &empty };
	struct otlp_opts o = opts(0);
	struct otlp_metrics *m;
	_cleanup_(strmap_fini) struct strmap w = service("w");

	assert_int_equal(send_spans(0, &w, NULL, 0), 0);
	assert_int_equal(otlp_metrics_new(&o, &m), 0);
	assert_int_equal(otlp_metrics_send(m, &set), 0);
	assert_int_equal(otlp_metrics_send(m, &(struct metric_set){ .n_resources = 1,
								    .resources = &w }),
			 0);
	otlp_metrics_free(m);
	assert_int_equal(sent.requests, 0);
}

enum { SPANS = 5000, SPAN_BYTES = 300, SMALL = 64 << 10 };

static void a_request_ends_where_it_is_full(void **state)
{
	struct otlp_span *spans = calloc(SPANS, sizeof(*spans));
	const struct attribute path = {
		SLICE("url.path"),
		ATTRIBUTE_TEXT,
		{ .text = SLICE("/some/path/of/middling/length/that/people/ask/for") }
	};
	_cleanup_(strmap_fini) struct strmap w = service("w");

	for (uint32_t i = 0; i < SPANS; i++)
		spans[i] = (struct otlp_span){ IDS,
					       .kind = OTLP_SPAN_CLIENT,
					       .name = "GET",
					       .attributes = &path,
					       .n_attributes = 1,
					       .end_ns = i };
	assert_int_equal(send_spans(SMALL, &w, spans, SPANS), 0);
	assert_int_equal(sent.items, SPANS);
	assert_true(sent.requests > 5 && sent.requests < 20);
	assert_true(sent.longest >= SMALL && sent.longest < SMALL + SPAN_BYTES);
	free(spans);
}

static void what_send_answers_ends_it_and_is_told(void **state)
{
	struct otlp_span spans[3] = { { IDS, .name = "a" },
				      { IDS, .name = "b" },
				      { IDS, .name = "c" } };
	_cleanup_(strmap_fini) struct strmap w = service("w");
	struct otlp_opts o = opts(1); /* each span a request */
	struct otlp_traces *t;

	assert_int_equal(otlp_traces_new(&o, &t), 0);
	sent.answer = -ENOSPC;
	assert_int_equal(put_spans(t, &w, spans, 3), -ENOSPC);
	assert_int_equal(sent.requests, 1);
	sent.answer = 0;
	assert_int_equal(put_spans(t, &w, spans + 2, 1), 0);
	assert_int_equal(otlp_traces_finish(t), 0);
	assert_int_equal(sent.requests, 2);
	assert_true(sent_holds("\x2a\x01"
			       "c",
			       3) &&
		    !sent_holds("\x2a\x01"
				"b",
				3));
	otlp_traces_free(t);
}

/* ---- metrics ---- */

static int send_metrics(size_t max_bytes, const struct metric_set *set)
{
	struct otlp_opts o = opts(max_bytes);
	struct otlp_metrics *m;
	int r;

	assert_int_equal(otlp_metrics_new(&o, &m), 0);
	r = otlp_metrics_send(m, set);
	otlp_metrics_free(m);
	return r;
}

static const struct attribute k_is_v = { SLICE("k"), ATTRIBUTE_TEXT, { .text = SLICE("v") } };
static const double bounds[] = { 0.5, 1 };
static const uint64_t counts[] = { 1, 0, 2 };

static void metrics_are_the_known_ones(void **state)
{
	static const char want[] =
		"\x0a\x93\x03\x0a\x15\x0a\x13\x0a\x0cservice."
		"name\x12\x03\x0a\x01w\x12\xd0\x02\x0a\x0c\x0a\x07hotspan\x12\x01\x31"
		"\x12\x9e\x01\x0a\x03h.d\x12\x02H."
		"\x1a\x01sJ\x8f\x01\x0a\x8a\x01\x11\x01\x00\x00\x00\x00\x00\x00\x00\x19\x02\x00\x00"
		"\x00\x00\x00\x00\x00"
		"!\x03\x00\x00\x00\x00\x00\x00\x00)"
		"\x00\x00\x00\x00\x00\x00\x00\x00\x32\x18\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"
		"\x00\x00\x00\x00\x00\x00"
		"\x02\x00\x00\x00\x00\x00\x00\x00:\x10\x00\x00\x00\x00\x00\x00\xe0?"
		"\x00\x00\x00\x00\x00\x00\xf0?"
		"B."
		"\x11\x09\x00\x00\x00\x00\x00\x00\x00\x19\x00\x00\x00\x00\x00\x00\x00\x00\x22\x08!"
		"\x22#$%&'("
		"*\x10\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10J\x08\x0a\x01"
		"k\x12\x03\x0a\x01v\x10\x02"
		"\x12*\x0a\x01\x63\x12\x02\x43.:!"
		"\x0a\x1b\x11\x01\x00\x00\x00\x00\x00\x00\x00\x19\x02\x00\x00\x00\x00\x00\x00\x00"
		"\x31\x00\x00\x00\x00\x00\x00\x00\x00"
		"\x10\x02\x18\x01\x12(\x0a\x01u\x12\x02U.:"
		"\x1f\x0a\x1b\x11\x01\x00\x00\x00\x00\x00\x00\x00\x19\x02\x00\x00\x00\x00\x00\x00"
		"\x00\x31\xff\xff\xff\xff\xff\xff\xff\xff"
		"\x10\x02\x12 "
		"\x0a\x01g\x12\x02G.\x1a\x01\x31*\x14\x0a\x12\x19\x02\x00\x00\x00\x00\x00\x00\x00!"
		"\x00\x00\x00\x00\x00\x00\x00\x00"
		"\x1a'" URL "\x1a'" URL;
	const struct metric_exemplar one = { .time_ns = 9, IDS };
	const struct metric_point h = {
		.start_ns = 1,
		.attributes = &k_is_v,
		.n_attributes = 1,
		.histogram = { .counts = counts, .exemplars = &one, .n_exemplars = 1 }
	};
	const struct metric_point c = { .start_ns = 1 }, u = { .start_ns = 1, .number = -1 },
				  g = { .start_ns = 1 };
	const struct metric_family families[] = {
		{ .name = "h.d",
		  .unit = "s",
		  .help = "H.",
		  .kind = METRIC_HISTOGRAM,
		  .bounds = bounds,
		  .n_bounds = 2,
		  .points = &h,
		  .n_points = 1 },
		{ .name = "c",
		  .help = "C.",
		  .kind = METRIC_COUNTER,
		  .whole = true,
		  .points = &c,
		  .n_points = 1 },
		{ .name = "u",
		  .help = "U.",
		  .kind = METRIC_UP_DOWN,
		  .whole = true,
		  .points = &u,
		  .n_points = 1 },
		{ .name = "g",
		  .unit = "1",
		  .help = "G.",
		  .kind = METRIC_GAUGE,
		  .points = &g,
		  .n_points = 1 },
	};
	_cleanup_(strmap_fini) struct strmap w = service("w");
	const struct metric_set set = { .time_ns = 2,
					.n_resources = 1,
					.resources = &w,
					.n_families = 4,
					.families = families };

	assert_int_equal(send_metrics(0, &set), 0);
	assert_sent(want, sizeof(want) - 1);
	assert_int_equal(sent.items, 4);
}

static void points_out_of_order_are_refused_not_lost(void **state)
{
	struct strmap two[] = { service("a"), service("b") };
	struct metric_point p[] = { { .resource = 1 }, { .resource = 0 } };
	struct metric_family f = { .name = "c",
				   .help = "C.",
				   .kind = METRIC_COUNTER,
				   .whole = true,
				   .points = p,
				   .n_points = 2 };
	const struct metric_set set = {
		.n_resources = 2, .resources = two, .n_families = 1, .families = &f
	};

	assert_int_equal(send_metrics(0, &set), -EINVAL);
	p[0].resource = 0;
	p[1].resource = 2; /* nobody */
	assert_int_equal(send_metrics(0, &set), -EINVAL);
	p[1].resource = 1;
	sent.items = 0;
	assert_int_equal(send_metrics(0, &set), 0);
	assert_int_equal(sent.items, 2);
	strmap_fini(&two[0]);
	strmap_fini(&two[1]);
}

static void a_family_goes_on_in_the_next_request(void **state)
{
	enum { POINTS = 3000 };
	struct metric_point *p = calloc(POINTS, sizeof(*p));
	struct metric_family f = { .name = "h",
				   .help = "H.",
				   .kind = METRIC_HISTOGRAM,
				   .bounds = bounds,
				   .n_bounds = 2,
				   .points = p,
				   .n_points = POINTS };
	_cleanup_(strmap_fini) struct strmap w = service("w");
	const struct metric_set set = {
		.time_ns = 2, .n_resources = 1, .resources = &w, .n_families = 1, .families = &f
	};

	for (int i = 0; i < POINTS; i++)
		p[i] = (struct metric_point){ .start_ns = 1,
					      .attributes = &k_is_v,
					      .n_attributes = 1,
					      .histogram = { .counts = counts } };
	assert_int_equal(send_metrics(SMALL, &set), 0);
	assert_int_equal(sent.items, POINTS);
	assert_true(sent.requests > 3 && sent.longest < SMALL + SPAN_BYTES);
	assert_true(sent_holds("\x0a\x01h\x12\x02H.", 7));
	free(p);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, forget, forget)
	const struct CMUnitTest tests[] = {
		TEST(a_span_is_the_known_one),
		TEST(what_is_no_text_becomes_text),
		TEST(nothing_to_say_sends_nothing),
		TEST(a_request_ends_where_it_is_full),
		TEST(what_send_answers_ends_it_and_is_told),
		TEST(metrics_are_the_known_ones),
		TEST(points_out_of_order_are_refused_not_lost),
		TEST(a_family_goes_on_in_the_next_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
