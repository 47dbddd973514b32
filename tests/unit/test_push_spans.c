/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of several services, as they come, are spans of each service in the order in which they came; none goes missing. */
#include "unit.h"

#include "agent/push_spans.h"
#include "base/units.h"
#include "base/wire.h"
#include "base/wire_reader.h"
#include "bpf/http1.h"
#include "bpf/trace.h"
#include "exporter/net.h"
#include "exporter/otlp_format.h"
#include "exporter/parcel.h"

enum { SERVICES = 3, MANY = 20000 };

static struct {
	bool nobody; /* wants them */
	uint32_t resources, spans, in_resource;
	uint64_t last_id; /* of this resource */
} seen;

uint32_t __wrap_net_formats(struct net *n, enum parcel_signal signal);
int __wrap_net_send(struct net *n, struct parcel *p);

uint32_t __wrap_net_formats(struct net *n, enum parcel_signal signal)
{
	assert_int_equal(signal, PARCEL_TRACES);
	return seen.nobody ? 0 : 1u << PARCEL_FORMAT_OTLP;
}

static struct wire_reader content(const struct wire_field *f)
{
	assert_int_equal(f->type, WIRE_LEN);
	return wire_reader_of(f->data, f->value);
}

static uint64_t id_of(struct wire_reader span)
{
	struct wire_field f;
	uint64_t id = 0;

	while (wire_next(&span, &f) > 0)
		for (size_t i = 0; f.number == 2 && i < f.value; i++)
			id = id << 8 | f.data[i];
	return id;
}

/* An id is the request's number times SERVICES plus its service's. */
static void take_span(struct wire_reader span)
{
	uint64_t id = id_of(span);

	if (seen.in_resource++) {
		assert_true(id > seen.last_id);
		assert_int_equal(id % SERVICES, seen.last_id % SERVICES);
	}
	seen.last_id = id;
	seen.spans++;
}

static void take_scope(struct wire_reader scope)
{
	struct wire_field f;

	while (wire_next(&scope, &f) > 0)
		if (f.number == 2)
			take_span(content(&f));
}

static void take_resource(struct wire_reader resource)
{
	struct wire_field f;

	seen.resources++;
	seen.in_resource = 0;
	while (wire_next(&resource, &f) > 0)
		if (f.number == 2)
			take_scope(content(&f));
}

int __wrap_net_send(struct net *n, struct parcel *p)
{
	struct wire_reader r = wire_reader_of(p->bytes.data, p->bytes.len);
	uint32_t before = seen.spans;
	struct wire_field f;

	while (wire_next(&r, &f) > 0)
		take_resource(content(&f));
	assert_int_equal(seen.spans - before, p->items);
	return 0;
}

static struct push_spans *begin(void)
{
	struct push_spans *s;

	memset(&seen, 0, sizeof(seen));
	assert_int_equal(push_spans_new(&(struct push_spans_opts){ .net = NULL }, &s), 0);
	return s;
}

static void add(struct push_spans *s, uint64_t number, uint32_t service, uint64_t start_ns)
{
	static const char *const labels[SERVICES] = { "service_name=a\n", "service_name=b\n", "" };
	static const char *const routes[] = { "", "/", "/a", "/b" };
	struct ev_request ev = { .span_id = number * SERVICES + service, .trace_id = { 1 }, .start_ns = start_ns, .status = 200, .method = HTTP1_METHOD_GET };

	ev.head_len = (uint16_t)snprintf((char *)ev.head, sizeof(ev.head), "GET /%*u HTTP/1.1\r\n\r\n", (int)(number % 17), 1);
	push_spans_add(s, &ev, labels[service], routes[number * 7 / 3 % ARRAY_SIZE(routes)]);
}

static void services_are_told_apart_and_keep_their_order(void **state)
{
	struct push_spans *s = begin();

	for (uint32_t i = 1; i <= 100; i++)
		add(s, i, i * i / 5 % SERVICES, 1);
	push_spans_flush(s);
	assert_int_equal(seen.spans, 100);
	assert_int_equal(seen.resources, SERVICES);
	add(s, 1, 1, 1); /* nothing of the former batch is left */
	push_spans_flush(s);
	push_spans_flush(s);
	assert_int_equal(seen.spans, 101);
	assert_int_equal(seen.resources, SERVICES + 1);
	push_spans_free(s);
}

static void a_full_batch_is_sent_and_so_is_one_that_waited(void **state)
{
	struct push_spans *s = begin();
	struct push_spans_stats stats;

	for (uint32_t i = 1; i <= MANY; i++)
		add(s, i, i % 7 % SERVICES, 5);
	assert_true(seen.spans > MANY / 2 && seen.spans < MANY);
	push_spans_tick(s, 5 + 2 * NSEC_PER_SEC - 1);
	assert_true(seen.spans < MANY);
	push_spans_tick(s, 5 + 2 * NSEC_PER_SEC);
	assert_int_equal(seen.spans, MANY);
	push_spans_stats(s, &stats);
	assert_int_equal(stats.sent, MANY);
	push_spans_free(s);
}

static void what_nobody_wants_is_counted(void **state)
{
	struct push_spans *s = begin();
	struct push_spans_stats stats;

	seen.nobody = true;
	add(s, 1, 0, 1);
	add(s, 2, 1, 1);
	push_spans_flush(s);
	push_spans_stats(s, &stats);
	assert_int_equal(stats.sent, 0);
	assert_int_equal(stats.dropped[PUSH_SPANS_DROP_NO_RECEIVER], 2);
	push_spans_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_are_told_apart_and_keep_their_order),
		cmocka_unit_test(a_full_batch_is_sent_and_so_is_one_that_waited),
		cmocka_unit_test(what_nobody_wants_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
