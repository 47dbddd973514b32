/* SPDX-License-Identifier: Apache-2.0 */
/* Spans and metrics as OTLP, byte by byte; requests that fill up; metrics as Prometheus has them. */
#include "unit.h"

#include <errno.h>
#include <math.h>

#include "base/buf.h"
#include "base/strmap.h"
#include "exporter/metric.h"
#include "exporter/otlp_metrics.h"
#include "put_spans.h"
#include "exporter/prom_metrics.h"
#include "exporter/prom_name.h"
#include "exporter/prometheus.h"

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

/* ---- Prometheus ---- */

static void names_are_prometheus_own(void **state)
{
	static const struct {
		const char *name, *unit;
		enum metric_kind kind;
		const char *want;
	} cases[] = {
		{ "http.server.request.duration", "s", METRIC_HISTOGRAM,
		  "http_server_request_duration_seconds" },
		{ "http.server.request.body.size", "By", METRIC_HISTOGRAM,
		  "http_server_request_body_size_bytes" },
		{ "rpc.client.call.duration", "s", METRIC_HISTOGRAM,
		  "rpc_client_call_duration_seconds" },
		{ "process.cpu.time", "s", METRIC_COUNTER, "process_cpu_time_seconds_total" },
		{ "process.cpu.utilization", "1", METRIC_GAUGE, "process_cpu_utilization_ratio" },
		{ "traces.calls.total", NULL, METRIC_COUNTER, "traces_calls_total" },
		{ "total.calls", "", METRIC_COUNTER, "calls_total" },
		{ "hits.total", NULL, METRIC_GAUGE, "hits_total" },
		{ "http.server.active_requests", "{request}", METRIC_UP_DOWN,
		  "http_server_active_requests" },
		{ "disk.bytes", "By", METRIC_COUNTER, "disk_bytes_total" },
		{ "io.rate", "By/s", METRIC_GAUGE, "io_rate_bytes_per_second" },
		{ "io", "{request}/min", METRIC_GAUGE, "io_per_minute" },
		{ "9..lives--x", "furlong", METRIC_GAUGE, "_9_lives_x_furlong" },
		{ "a:b", "%", METRIC_GAUGE, "a:b_percent" },
		{ "ratio", "1", METRIC_GAUGE, "ratio" },
		{ "share", "1", METRIC_COUNTER, "share_total" },
		{ "gr\xc3\xb6\xc3\x9f"
		  "e",
		  NULL, METRIC_GAUGE, "gr_e" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct metric_family f = { .name = cases[i].name,
						 .unit = cases[i].unit,
						 .kind = cases[i].kind };
		_cleanup_(buf_fini) struct buf b = BUF_INIT;

		prom_metric_name(&b, &f);
		buf_putc(&b, '\0');
		assert_string_equal((char *)b.data, cases[i].want);
	}
}

static void labels_clash_where_their_names_do(void **state)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	assert_true(prom_labels_clash(SLICE("http.route"), SLICE("http_route")) && prom_labels_clash(SLICE("a"), SLICE("a")));
	assert_false(prom_labels_clash(SLICE("http.route"), SLICE("http.routes")) || prom_labels_clash(SLICE("a"), SLICE("")) ||
		     prom_labels_clash(SLICE(""), SLICE("a")));
	prom_label_name(&b, SLICE("2xx.share"));
	buf_putc(&b, '\0');
	assert_string_equal((char *)b.data, "key_2xx_share");
}

static void numbers_are_short_and_exact(void **state)
{
	static const struct {
		double v;
		const char *want;
	} cases[] = { { 0.005, "0.005" },   { 0.1 + 0.2, "0.30000000000000004" },
		      { 10, "10" },         { 0, "0" },
		      { 1e300, "1e+300" },  { 1.0 / 3, "0.3333333333333333" },
		      { INFINITY, "+Inf" }, { -INFINITY, "-Inf" },
		      { NAN, "NaN" },       { 2251799813685248.5, "2251799813685248.5" } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_fini) struct buf b = BUF_INIT;

		prom_number(&b, cases[i].v);
		buf_putc(&b, '\0');
		assert_string_equal((char *)b.data, cases[i].want);
	}
}

static void a_page_is_what_prometheus_reads(void **state)
{
	static const char want[] =
		"# HELP h_d_seconds How \\\\ long\\n\"it\" took.\n# TYPE h_d_seconds histogram\n"
#define WEB "job=\"shop/web\",instance=\"n:1\",service_name=\"web\",service_namespace=\"shop\""
		"h_d_seconds_bucket{" WEB ",http_route=\"/"
					  "a\\\\b\\\"c\\nd\xef\xbf\xbd\",http_response_status_code="
					  "\"200\",ok=\"true\",le=\"0.5\"} 1\n"
		"h_d_seconds_bucket{" WEB ",http_route=\"/"
					  "a\\\\b\\\"c\\nd\xef\xbf\xbd\",http_response_status_code="
					  "\"200\",ok=\"true\",le=\"1\"} 1\n"
		"h_d_seconds_bucket{" WEB ",http_route=\"/"
					  "a\\\\b\\\"c\\nd\xef\xbf\xbd\",http_response_status_code="
					  "\"200\",ok=\"true\",le=\"+Inf\"} 3\n"
		"h_d_seconds_sum{" WEB ",http_route=\"/"
				       "a\\\\b\\\"c\\nd\xef\xbf\xbd\",http_response_status_code="
				       "\"200\",ok=\"true\"} 4.25\n"
		"h_d_seconds_count{" WEB
		",http_route=\"/"
		"a\\\\b\\\"c\\nd\xef\xbf\xbd\",http_response_status_code=\"200\",ok=\"true\"} 3\n"
		"# HELP c_total C.\n# TYPE c_total counter\n"
		"c_total{" WEB "} 9007199254740993\n"
		"c_total{job=\"db\",service_name=\"db\"} 0\n"
		"# HELP target_info What is known of each service.\n# TYPE target_info gauge\n"
		"target_info{job=\"shop/"
		"web\",instance=\"n:1\",host_name=\"n\",service_name=\"web\",service_namespace="
		"\"shop\"} 1\n"
		"target_info{job=\"db\",service_name=\"db\"} 1\n";
	const struct attribute attributes[] = {
		{ SLICE("http.route"), ATTRIBUTE_TEXT, { .text = SLICE("/a\\b\"c\nd\xff") } },
		{ SLICE("http.response.status_code"), ATTRIBUTE_INT, { .number = 200 } },
		{ SLICE("http_route"), ATTRIBUTE_TEXT, { .text = SLICE("one label too many") } },
		{ SLICE("job"), ATTRIBUTE_TEXT, { .text = SLICE("ours") } },
		{ SLICE("service.name"), ATTRIBUTE_TEXT, { .text = SLICE("said already") } },
		{ SLICE("ok"), ATTRIBUTE_BOOL, { .truth = true } },
	};
	struct strmap two[] = { service("web"), service("db") };
	const struct metric_point h = { .attributes = attributes,
					.n_attributes = ARRAY_SIZE(attributes),
					.histogram = { .counts = counts, .sum = 4.25 } };
	const struct metric_point c[] = { { .number = 9007199254740993 }, { .resource = 1 } };
	const struct metric_family families[] = {
		{ .name = "h.d",
		  .unit = "s",
		  .help = "How \\ long\n\"it\" took.",
		  .kind = METRIC_HISTOGRAM,
		  .bounds = bounds,
		  .n_bounds = 2,
		  .points = &h,
		  .n_points = 1 },
		{ .name = "none", .help = "No points.", .kind = METRIC_COUNTER },
		{ .name = "c",
		  .help = "C.",
		  .kind = METRIC_COUNTER,
		  .whole = true,
		  .points = c,
		  .n_points = 2 },
	};
	const struct metric_set set = {
		.n_resources = 2, .resources = two, .n_families = 3, .families = families
	};
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	assert_int_equal(strmap_set(&two[0], "service.namespace", "shop"), 0);
	assert_int_equal(strmap_set(&two[0], "service.instance.id", "n:1"), 0);
	assert_int_equal(strmap_set(&two[0], "host.name", "n"), 0);
	assert_int_equal(strmap_set(&two[0], "instance", "not this one"), 0);
	prom_metrics(&set, &b);
	buf_putc(&b, '\0');
	assert_int_equal(buf_error(&b), 0);
	assert_string_equal((char *)b.data, want);
	strmap_fini(&two[0]);
	strmap_fini(&two[1]);
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
		TEST(names_are_prometheus_own),
		TEST(labels_clash_where_their_names_do),
		TEST(numbers_are_short_and_exact),
		TEST(a_page_is_what_prometheus_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
