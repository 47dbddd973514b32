/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics as Prometheus has them: names, numbers, a page. */
#include "unit.h"

#include <math.h>

#include "base/buf.h"
#include "base/strmap.h"
#include "exporter/metric.h"
#include "exporter/prom_metrics.h"
#include "exporter/prom_name.h"
#include "exporter/prometheus.h"

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
	const double bounds[] = { 0.5, 1 };
	const uint64_t counts[] = { 1, 0, 2 };
	struct strmap two[2] = { 0 };
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

	assert_int_equal(strmap_set(&two[0], "service.name", "web"), 0);
	assert_int_equal(strmap_set(&two[1], "service.name", "db"), 0);
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
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_prometheus_own),
		cmocka_unit_test(labels_clash_where_their_names_do),
		cmocka_unit_test(numbers_are_short_and_exact),
		cmocka_unit_test(a_page_is_what_prometheus_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
