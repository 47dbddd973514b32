/* SPDX-License-Identifier: Apache-2.0 */
/* What is on its way out while memory runs out: files, spans and metrics, and parcels on disk. */
#include "fixture_alloc.h"

#include "agent/push_spans.h"
#include "base/strmap.h"
#include "base/units.h"
#include "bpf/trace.h"
#include "exporter/archive.h"
#include "exporter/metric.h"
#include "exporter/net.h"
#include "exporter/otlp_metrics.h"
#include "exporter/parcel.h"
#include "exporter/prom_metrics.h"
#include "exporter/receiver.h"
#include "put_spans.h"

static int fill_a_directory(void *ctx)
{
	static const struct archive_limits limits = { .files = 2, .bytes = 1000 };
	struct buf bytes = BUF_INIT;
	struct archive *a = NULL;
	struct parcel *p;
	int pid, r;

	buf_puts(&bytes, "profile");
	p = buf_error(&bytes) ? NULL : parcel_new(&bytes, 0);
	r = p ? archive_open(ctx, &a, &pid) : -ENOMEM;
	for (uint64_t i = 0; i < 3 && r >= 0; i++)
		r = archive_put(a, &limits, p, 0);
	archive_close(a);
	parcel_unref(p);
	buf_fini(&bytes);
	return r;
}

static void a_directory_survives_every_failure(void **state)
{
	char folder[] = "/tmp/hotspan-alloc-XXXXXX", command[64];

	assert_non_null(mkdtemp(folder));
	every_failure_is_survived(fill_a_directory, folder, 6);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
}

static int keep_request(void *ctx, const struct buf *request, uint32_t items)
{
	struct buf *out = ctx;

	buf_append(out, request->data, request->len);
	return buf_error(out);
}

enum { MADE_POINTS = 500, MADE_TEXT = 40 };

/* Spans and metrics of one service, large enough that buffers grow. */
struct made_signals {
	struct strmap resource;
	struct attribute attribute;
	struct otlp_span spans[MADE_POINTS];
	struct metric_point points[MADE_POINTS];
	struct metric_family family;
	struct metric_set set;
	size_t len; /* of all that is made of it; 0: not known yet */
};

static void make_signals(struct made_signals *m)
{
	static const uint64_t counts[METRIC_SECONDS_BOUNDS + 1] = { 1, 2 };
	static const char text[MADE_TEXT] = "/a/path/of/some/length";

	memset(m, 0, sizeof(*m));
	assert_int_equal(strmap_set(&m->resource, "service.name", "web"), 0);
	m->attribute = (struct attribute){ SLICE("url.path"), ATTRIBUTE_TEXT, { .text = slice_of(text) } };
	for (int i = 0; i < MADE_POINTS; i++) {
		m->spans[i] = (struct otlp_span){ .trace_id = { 1 },
						  .span_id = { 1 },
						  .name = "GET",
						  .attributes = &m->attribute,
						  .n_attributes = 1 };
		m->points[i] = (struct metric_point){ .attributes = &m->attribute,
						      .n_attributes = 1,
						      .histogram = { .counts = counts } };
	}
	m->family = (struct metric_family){ .name = "h",
					    .help = "H.",
					    .kind = METRIC_HISTOGRAM,
					    .bounds = metric_seconds_bounds,
					    .n_bounds = METRIC_SECONDS_BOUNDS,
					    .points = m->points,
					    .n_points = MADE_POINTS };
	m->set = (struct metric_set){
		.n_resources = 1, .resources = &m->resource, .n_families = 1, .families = &m->family
	};
}

static int through_signals(void *ctx)
{
	struct made_signals *m = ctx;
	_cleanup_(buf_fini) struct buf out = BUF_INIT, page = BUF_INIT;
	const struct otlp_opts opts = {
		.scope_name = "hotspan", .max_bytes = 32 << 10, .send = keep_request, .ctx = &out
	};
	struct otlp_metrics *metrics = NULL;
	struct otlp_traces *traces = NULL;
	int r = otlp_traces_new(&opts, &traces);

	if (r >= 0)
		r = put_spans(traces, &m->resource, m->spans, MADE_POINTS);
	if (r >= 0)
		r = otlp_traces_finish(traces);
	if (r >= 0)
		r = otlp_metrics_new(&opts, &metrics);
	if (r >= 0)
		r = otlp_metrics_send(metrics, &m->set);
	otlp_traces_free(traces);
	otlp_metrics_free(metrics);
	prom_metrics(&m->set, &page);
	if (r >= 0)
		r = buf_error(&page);
	if (r >= 0 && m->len && out.len + page.len != m->len)
		return -EIO; /* something is missing, and nobody said so */
	if (r >= 0)
		m->len = out.len + page.len;
	return r;
}

static void signals_survive_every_failure(void **state)
{
	struct made_signals *m = malloc(sizeof(*m));

	make_signals(m);
	assert_int_equal(through_signals(m), 0);
	every_failure_is_survived(through_signals, m, 12);
	strmap_fini(&m->resource);
	free(m);
}

enum { MADE_SPANS = 50 };

/* None goes missing that is not counted. */
static int through_push_spans(void *ctx)
{
	const struct push_spans_opts opts = { .net = ctx };
	struct ev_request ev = { .head_len = 16, .head = "GET / HTTP/1.1\r\n", .trace_id = { 1, 2 }, .span_id = 3, .start_ns = 1 };
	struct push_spans_stats stats;
	struct push_spans *s = NULL;
	uint64_t sum;
	int r = push_spans_new(&opts, &s);

	if (r < 0)
		return r;
	for (int i = 0; i < MADE_SPANS; i++)
		push_spans_add(s, &ev, i % 2 ? "service_name=a\n" : "service_name=b\n", i % 3 ? "/" : "");
	push_spans_flush(s);
	push_spans_stats(s, &stats);
	push_spans_free(s);
	sum = stats.sent + stats.dropped[PUSH_SPANS_DROP_NO_MEMORY];
	if (sum != MADE_SPANS)
		return -EIO;
	return stats.sent == sum ? 0 : -ENOMEM;
}

static void gathering_spans_survives_every_failure(void **state)
{
	struct receiver_opts to = { .name = "a", .type = "otlp", .protocol = "http/protobuf", .compression = "gzip", .proto = "1.10", .send = 1u << PARCEL_TRACES,
				    .url = "http://127.0.0.1:9", .timeout_ns = NSEC_PER_SEC, .queue_bytes = MIB, .max_tries = 1000 };
	struct net *net;
	char err[256];

	assert_int_equal(net_new(&(struct net_opts){ .user_agent = "test" }, &net), 0);
	assert_int_equal(net_set_receivers(net, &to, 1, err, sizeof(err)), 0);
	every_failure_is_survived(through_push_spans, net, 12);
	net_free(net);
}

static int put_in_queue(struct receiver *rc, uint64_t *ret_wake)
{
	struct buf b = BUF_INIT;
	struct parcel *p;
	struct delivery *d;
	int spool, r;

	buf_puts(&b, "bytes");
	p = buf_error(&b) ? NULL : parcel_new(&b, 0);
	buf_fini(&b);
	if (!p)
		return -ENOMEM;
	p->time_ns = time_utc_ns();
	r = receiver_add(rc, p, &spool);
	parcel_unref(p);
	d = r < 0 ? NULL : receiver_next(rc, time_boot_ns(), ret_wake);
	return d ? delivery_load(rc, d) : r;
}

/* A parcel on disk, read to be sent, and found again. ctx: a folder. */
static int spool_a_parcel(void *ctx)
{
	struct receiver_opts opts = { .name = "prod",
				      .type = "pyroscope",
				      .send = 1u << PARCEL_PROFILES,
				      .url = "http://h",
				      .spool = ctx,
				      .queue_bytes = 1 << 20,
				      .spool_bytes = 1 << 20,
				      .max_tries = 1 };
	struct receiver *rc = NULL;
	char err[256], command[256];
	uint64_t wake;
	int r;

	snprintf(command, sizeof(command), "rm -rf %s/prod", (const char *)ctx);
	assert_int_equal(system(command), 0);
	r = strmap_set(&opts.headers, "a", "b");
	if (r >= 0)
		r = receiver_new(&opts, 1, &rc, err, sizeof(err));
	if (r >= 0)
		r = put_in_queue(rc, &wake);
	rc = receiver_free(rc);
	if (r >= 0)
		r = receiver_new(&opts, 1, &rc, err, sizeof(err));
	if (r >= 0)
		assert_int_equal(rc->disk_items, 1);
	receiver_free(rc);
	strmap_fini(&opts.headers);
	return r;
}

static void a_spool_survives_every_failure(void **state)
{
	char folder[] = "/tmp/hotspan-alloc-XXXXXX", command[256];

	assert_non_null(mkdtemp(folder));
	every_failure_is_survived(spool_a_parcel, folder, 15);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_directory_survives_every_failure),
		cmocka_unit_test(signals_survive_every_failure),
		cmocka_unit_test(gathering_spans_survives_every_failure),
		cmocka_unit_test(a_spool_survives_every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
