/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles, traces and metrics through one network thread: to whom they go, in which encoding, and where they are counted. */
#include "unit/fixture_net.h"

#include "exporter/otlp_format.h"
#include "exporter/pyroscope.h"

static void send_packed(enum parcel_signal signal, uint8_t encoding, uint32_t formats, uint32_t items)
{
	_cleanup_(buf_fini)
	struct buf body = BUF_INIT, packed = BUF_INIT;
	struct parcel *p;

	buf_puts(&body, "x");
	assert_int_equal(otlp_pack(encoding, &body, &packed), 0);
	p = parcel_new(&packed, parcel_format(signal, encoding));
	assert_non_null(p);
	p->time_ns = time_utc_ns();
	p->items = items;
	p->formats = formats;
	assert_int_equal(net_send(net, p), 0);
	parcel_unref(p);
}

static void send_signal(enum parcel_signal signal, uint8_t encoding, uint32_t items)
{
	send_packed(signal, encoding, 0, items);
}

/* Nobody is there: it stays in the queue of who takes it. */
static void a_signal_goes_to_whom_it_was_asked_for(void **state)
{
	const uint8_t gzip = PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP,
		      grpc = gzip | PARCEL_FORMAT_GRPC;
	struct receiver_opts o[] = { to("profiles", "http://127.0.0.1:9"),
				     to("traces", "http://127.0.0.1:9"),
				     to("both", "http://127.0.0.1:9") };

	o[0].type = o[1].type = o[2].type = "otlp";
	o[1].send = 1u << PARCEL_TRACES;
	o[2].send = 1u << PARCEL_TRACES | 1u << PARCEL_METRICS;
	o[2].protocol = "grpc";
	set(o, 3);
	assert_int_equal(net_formats(net, PARCEL_PROFILES), 1u << gzip);
	assert_int_equal(net_formats(net, PARCEL_TRACES), 1u << gzip | 1u << grpc);
	assert_int_equal(net_formats(net, PARCEL_METRICS), 1u << grpc);
	send_signal(PARCEL_TRACES, gzip, 3);
	send_signal(PARCEL_TRACES, grpc, 3);
	send_signal(PARCEL_METRICS, grpc, 2);
	send_signal(PARCEL_METRICS, gzip, 1);
	assert_int_equal(stats_of("profiles").queued, 0);
	assert_int_equal(stats_of("traces").queued, 3);
	assert_int_equal(stats_of("both").queued, 5);
	assert_int_equal(stats_of("both").signals[PARCEL_TRACES].queued, 3);
	assert_int_equal(stats_of("both").signals[PARCEL_METRICS].queued, 2);
	assert_int_equal(stats_of("both").signals[PARCEL_PROFILES].queued, 0);
	assert_int_equal(stats_of("both").send, o[2].send);
	set(o, 2);
	for (int i = 0;
	     i < 500 &&
	     !told(NET_DROPPED,
		   "receiver both: request of 3 spans: the receiver is no longer configured", "");
	     i++)
		sleep_ms(10);
	assert_true(told(NET_DROPPED,
			 "receiver both: request of 3 spans: the receiver is no longer configured",
			 ""));
}

static void what_is_dropped_counts_for_its_signal(void **state)
{
	struct receiver_opts o = to("prod", fake.url);

	o.type = "otlp"; /* which the server is not: it answers 404 */
	o.send = 1u << PARCEL_TRACES | 1u << PARCEL_METRICS;
	set(&o, 1);
	send_signal(PARCEL_TRACES, PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP, 3);
	WAIT(5, s.signals[PARCEL_TRACES].dropped[NET_DROP_REFUSED] == 3);
	assert_true(told(NET_DROPPED,
			 "receiver prod: request of 3 spans: the server refused it for good",
			 "HTTP 404"));
	send_signal(PARCEL_METRICS, PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP, 2);
	WAIT(5, s.signals[PARCEL_METRICS].dropped[NET_DROP_REFUSED] == 2);
	assert_int_equal(stats().dropped[NET_DROP_REFUSED], 5);
	assert_int_equal(stats().signals[PARCEL_PROFILES].dropped[NET_DROP_REFUSED], 0);
}

/* What waits is packed anew for a receiver that takes it otherwise, as spans still; one that takes none gets none. */
static void what_waits_stays_of_its_signal(void **state)
{
	struct receiver_opts o = to("prod", "http://127.0.0.1:9");

	o.type = "otlp";
	o.send = 1u << PARCEL_TRACES | 1u << PARCEL_METRICS;
	o.proto = "1.9"; /* of profiles only */
	set(&o, 1);
	send_signal(PARCEL_TRACES, PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP, 3);
	send_signal(PARCEL_METRICS, PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP, 2);
	for (int i = 0;
	     i < 500 && !told(NET_TROUBLE, "receiver prod: http://127.0.0.1:9", "3 spans"); i++)
		sleep_ms(10);
	assert_true(told(NET_TROUBLE, "receiver prod: http://127.0.0.1:9", "3 spans"));
	o.send = 1u << PARCEL_TRACES;
	o.compression = "none";
	o.url = fake.url; /* which knows no spans, and answers 404 */
	set(&o, 1);
	WAIT(5, s.queued == 0);
	assert_int_equal(stats().signals[PARCEL_TRACES].dropped[NET_DROP_REFUSED], 3);
	assert_int_equal(stats().signals[PARCEL_METRICS].dropped[NET_DROP_FORMAT], 2);
	assert_true(told(NET_DROPPED, "receiver prod: request of 3 spans: ", "HTTP 404"));
	assert_true(told(NET_DROPPED, "receiver prod: request of 2 data points: made for", ""));
	assert_int_equal(stats().signals[PARCEL_METRICS].queued, 0);
}

/* A server refuses a compression while the interval is being packed in it. */
static void what_was_packed_before_the_encoding_changed_arrives_once(void **state)
{
	const uint8_t gzip = PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP, plain = PARCEL_FORMAT_OTLP;
	struct receiver_opts o = to("prod", "http://127.0.0.1:9");

	o.type = "otlp";
	o.send = 1u << PARCEL_TRACES;
	o.compression = "gzip";
	set(&o, 1);
	o.compression = "none";
	set(&o, 1);
	send_packed(PARCEL_TRACES, gzip, 1u << gzip, 3);
	assert_int_equal(stats().queued, 3);
	send_packed(PARCEL_TRACES, gzip, 1u << gzip | 1u << plain, 5); /* for somebody else */
	assert_int_equal(stats().queued, 3);
	send_packed(PARCEL_TRACES, plain, 1u << gzip | 1u << plain, 5);
	assert_int_equal(stats().queued, 8);
	set(NULL, 0);
}

static void a_path_of_its_own_is_what_is_asked_for(void **state)
{
	struct receiver_opts o = to("prod", fake.url);

	o.type = "otlp";
	o.send = 1u << PARCEL_METRICS;
	o.path =
		PYROSCOPE_PUSH_PATH; /* which is there, and knows the request for none of its own */
	set(&o, 1);
	send_signal(PARCEL_METRICS, PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP, 2);
	WAIT(5, s.dropped[NET_DROP_REFUSED] == 2);
	assert_true(told(NET_DROPPED, "2 data points", "HTTP 4"));
	assert_false(told(NET_DROPPED, "2 data points", "HTTP 404"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_signal_goes_to_whom_it_was_asked_for),
		TEST(what_is_dropped_counts_for_its_signal),
		TEST(what_waits_stays_of_its_signal),
		TEST(what_was_packed_before_the_encoding_changed_arrives_once),
		TEST(a_path_of_its_own_is_what_is_asked_for),
	};

	return net_main(argc, argv, tests);
}
