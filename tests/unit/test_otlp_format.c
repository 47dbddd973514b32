/* SPDX-License-Identifier: Apache-2.0 */
/* How requests of OTLP are packed, and what answers say: hand-made bytes. */
#include "unit.h"

#include <errno.h>
#include <zstd.h>

#include "base/buf.h"
#include "exporter/otlp_format.h"
#include "exporter/parcel.h"
#include "exporter/receiver_opts.h"

static uint8_t format_of(const char *type, const char *protocol, const char *compression, const char *proto)
{
	struct receiver_opts o = { .type = (char *)(uintptr_t)type, .protocol = (char *)(uintptr_t)protocol,
				   .compression = (char *)(uintptr_t)compression, .proto = (char *)(uintptr_t)proto };

	return parcel_encoding_of(&o);
}

static void a_receiver_takes_what_it_says(void **state)
{
	assert_int_equal(format_of("pyroscope", "grpc", "zstd", "1.9"), PARCEL_FORMAT_PYROSCOPE);
	assert_int_equal(format_of("otlp", "http/protobuf", "gzip", "1.10"), PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP);
	assert_int_equal(format_of("otlp", NULL, NULL, NULL), PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP);
	assert_int_equal(format_of("otlp", "grpc", "zstd", "1.9"), PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GRPC | PARCEL_FORMAT_ZSTD | PARCEL_FORMAT_1_9);
	assert_int_equal(format_of("otlp", "grpc", "none", "1.10"), PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GRPC);
}

static void every_signal_has_its_way(void **state)
{
	static const struct {
		enum parcel_signal signal;
		const char *name, *items, *path, *service;
	} cases[] = {
		{ PARCEL_PROFILES, "profiles", "profiles", "/v1development/profiles",
		  "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export" },
		{ PARCEL_TRACES, "traces", "spans", "/v1/traces",
		  "/opentelemetry.proto.collector.trace.v1.TraceService/Export" },
		{ PARCEL_METRICS, "metrics", "data points", "/v1/metrics",
		  "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" },
	};
	struct receiver_opts old = { .type = "otlp", .proto = "1.9" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t http =
			parcel_format(cases[i].signal, PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP);
		uint8_t grpc =
			parcel_format(cases[i].signal, PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GRPC);

		assert_int_equal(parcel_format_signal(http), cases[i].signal);
		assert_string_equal(parcel_format_path(http), cases[i].path);
		assert_string_equal(parcel_format_path(grpc), cases[i].service);
		assert_string_equal(parcel_format_type(http), "application/x-protobuf");
		assert_string_equal(parcel_format_type(grpc), "application/grpc");
		assert_string_equal(parcel_signal_name(cases[i].signal), cases[i].name);
		assert_string_equal(parcel_signal_items(cases[i].signal), cases[i].items);
		/* The older layout is of profiles: the others have one. */
		assert_int_equal(parcel_format(cases[i].signal, parcel_encoding_of(&old)) &
					 PARCEL_FORMAT_1_9,
				 cases[i].signal == PARCEL_PROFILES ? PARCEL_FORMAT_1_9 : 0);
		/* Another compression is of the same signal. */
		assert_int_equal(parcel_format_signal(parcel_format_without(http, 0)),
				 cases[i].signal);
	}
	assert_int_equal(parcel_format(PARCEL_PROFILES, PARCEL_FORMAT_OTLP),
			 PARCEL_FORMAT_OTLP); /* as in spools that are older */
}

static void packing_frames_and_compresses(void **state)
{
	static const char text[] = "a request, a request, a request, a request, a request";
	const struct buf request = { .data = (uint8_t *)(uintptr_t)text, .len = sizeof(text) };
	char back[sizeof(text)];
	struct buf out = BUF_INIT;

	assert_int_equal(otlp_pack(PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GRPC, &request, &out), 0);
	assert_int_equal(out.len, 5 + sizeof(text));
	assert_memory_equal(out.data, ((const uint8_t[]){ 0, 0, 0, 0, sizeof(text) }), 5);
	assert_memory_equal(out.data + 5, text, sizeof(text));
	buf_reset(&out);
	assert_int_equal(otlp_pack(PARCEL_FORMAT_OTLP | PARCEL_FORMAT_ZSTD | PARCEL_FORMAT_GRPC, &request, &out), 0);
	assert_int_equal(out.data[0], 1);
	assert_int_equal(out.data[3] << 8 | out.data[4], out.len - 5);
	assert_int_equal(ZSTD_decompress(back, sizeof(back), out.data + 5, out.len - 5), sizeof(text));
	assert_memory_equal(back, text, sizeof(text));
	buf_reset(&out);
	assert_int_equal(otlp_pack(PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP, &request, &out), 0);
	assert_memory_equal(out.data, "\x1f\x8b", 2);
	assert_true(out.len < sizeof(text));
	buf_fini(&out);
}

static void what_is_packed_can_be_packed_another_way(void **state)
{
	static const char text[] = "a request, a request, a request, a request, a request";
	const struct buf request = { .data = (uint8_t *)(uintptr_t)text, .len = sizeof(text) };

	for (uint8_t from = 0; from < PARCEL_FORMATS; from++) {
		for (uint8_t to = 0; to < PARCEL_FORMATS; to++) {
			_cleanup_(buf_fini) struct buf a = BUF_INIT, b = BUF_INIT, c = BUF_INIT;
			bool can = from & to & PARCEL_FORMAT_OTLP &&
				   !((from ^ to) & PARCEL_FORMAT_1_9);

			if ((from & PARCEL_FORMAT_CODINGS) == PARCEL_FORMAT_CODINGS ||
			    (to & PARCEL_FORMAT_CODINGS) == PARCEL_FORMAT_CODINGS)
				continue;
			assert_int_equal(otlp_pack(from, &request, &a), 0);
			assert_int_equal(otlp_pack(to, &request, &b), 0);
			assert_int_equal(otlp_repack(from, &a, to, &c), can ? 0 : -EPROTONOSUPPORT);
			assert_int_equal(c.len, can ? b.len : 0);
			if (can)
				assert_memory_equal(c.data, b.data, b.len);
		}
	}
}

static void a_request_stays_of_its_signal(void **state)
{
	const uint8_t plain = PARCEL_FORMAT_OTLP, grpc = PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GRPC;
	struct buf request = { .data = (uint8_t *)(uintptr_t) "spans", .len = 5 };
	_cleanup_(buf_fini)
	struct buf out = BUF_INIT;

	for (int a = 0; a < PARCEL_SIGNALS; a++)
		for (int b = 0; b < PARCEL_SIGNALS; b++) {
			uint8_t from = parcel_format((enum parcel_signal)a, plain),
				to = parcel_format((enum parcel_signal)b, grpc);

			buf_reset(&out);
			assert_int_equal(otlp_repack(from, &request, to, &out),
					 a == b ? 0 : -EPROTONOSUPPORT);
			assert_int_equal(out.len, a == b ? 5 + 5 : 0);
		}
}

static void requests_of_many_go_in_their_order_by_signal(void **state)
{
	const uint8_t profiles = PARCEL_FORMAT_OTLP,
		      traces = parcel_format(PARCEL_TRACES, profiles),
		      metrics = parcel_format(PARCEL_METRICS, profiles);

	assert_int_not_equal(parcel_key(profiles, ""), parcel_key(traces, ""));
	assert_int_not_equal(parcel_key(profiles, ""), parcel_key(metrics, ""));
	assert_int_not_equal(parcel_key(traces, ""), parcel_key(metrics, ""));
	assert_int_equal(parcel_key(metrics, ""), parcel_key(metrics | PARCEL_FORMAT_GRPC, ""));
}

static void what_is_not_packed_as_it_says_is_refused(void **state)
{
	static const char *const no[] = { "", "abcd", "\1\0\0\0\3abc",
					  "\x28\xb5\x2f\xfd\xa0\xff\xff\xff\xff", "\x1f\x8b\x08" };

	for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
		const struct buf packed = { .data = (uint8_t *)(uintptr_t)no[i],
					    .len = i == 2 ? 8 : strlen(no[i]) };
		_cleanup_(buf_fini) struct buf out = BUF_INIT;

		assert_int_equal(otlp_repack(PARCEL_FORMAT_OTLP | PARCEL_FORMAT_ZSTD, &packed,
					     PARCEL_FORMAT_OTLP, &out),
				 -EBADMSG);
		assert_int_equal(otlp_repack(PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP, &packed,
					     PARCEL_FORMAT_OTLP, &out),
				 -EBADMSG);
		assert_int_equal(otlp_repack(PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GRPC |
						     PARCEL_FORMAT_GZIP,
					     &packed, PARCEL_FORMAT_OTLP, &out),
				 -EBADMSG);
	}
}

#define BYTES(s) s, sizeof(s) - 1

static void a_server_says_which_compression_it_takes(void **state)
{
	const uint8_t base = PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GRPC,
		      zstd = base | PARCEL_FORMAT_ZSTD, gzip = base | PARCEL_FORMAT_GZIP;

	assert_int_equal(grpc_read_codings(BYTES("identity, deflate,gzip")),
			 PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP);
	assert_int_equal(grpc_read_codings(BYTES("zstd")), PARCEL_FORMAT_OTLP | PARCEL_FORMAT_ZSTD);
	assert_int_equal(grpc_read_codings(BYTES("gzipped,zst,zstd1,,")), PARCEL_FORMAT_OTLP);
	assert_int_equal(grpc_read_codings(BYTES("")), PARCEL_FORMAT_OTLP);
	assert_int_equal(parcel_format_without(zstd, 0), gzip);
	assert_int_equal(parcel_format_without(zstd, PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP),
			 gzip);
	assert_int_equal(parcel_format_without(zstd, PARCEL_FORMAT_OTLP), base);
	assert_int_equal(parcel_format_without(gzip, 0), base);
}

static void partial_success_counts_and_says(void **state)
{
	struct otlp_answer a = { 0 };

	otlp_read_answer(BYTES("\x0a\x09\x08\x07\x12\x05" "wrong"), true, &a);
	assert_int_equal(a.rejected, 7);
	assert_string_equal(a.message, "wrong");
	a = (struct otlp_answer){ 0 };
	grpc_read_answer(BYTES("\0\0\0\0\x04\x0a\x02\x08\x03"), &a);
	assert_int_equal(a.rejected, 3);
	a = (struct otlp_answer){ 0 };
	otlp_read_answer("", 0, true, &a);
	assert_int_equal(a.rejected, 0);
}

/* Status { code 8, message "full", details { type_url, RetryInfo { Duration { 2, 500000000 } } } } */
#define STATUS "\x08\x08\x12\x04" "full\x1a\x36\x0a\x28" "type.googleapis.com/google.rpc.RetryInfo\x12\x0a\x0a\x08\x08\x02\x10\x80\xca\xb5\xee\x01"

static void a_status_says_when_to_come_back(void **state)
{
	struct otlp_answer a = { 0 };

	otlp_read_answer(BYTES(STATUS), false, &a);
	assert_string_equal(a.message, "full");
	assert_int_equal(a.retry_ns, 2500000000);
	a = (struct otlp_answer){ 0 };
	grpc_read_details(BYTES("CAgSBGZ1bGw"), &a); /* without padding */
	assert_string_equal(a.message, "full");
}

static void messages_are_one_line_of_text(void **state)
{
	struct otlp_answer a = { 0 };

	grpc_read_message(BYTES("100%25 w%C3%B6rong%0a\x1b[2J %4"), &a);
	assert_string_equal(a.message, "100% w??rong??[2J %4");
}

static void damage_says_nothing_and_breaks_nothing(void **state)
{
	static const char whole[] = STATUS;

	for (size_t n = 0; n < sizeof(whole); n++)
		for (int bit = 0; bit < 8; bit++) {
			struct otlp_answer a = { 0 };
			char *copy = malloc(n + 1); /* its end is guarded where there is ASan */

			memcpy(copy, whole, n);
			if (n)
				copy[n - 1] ^= (char)(1 << bit);
			otlp_read_answer(copy, n, false, &a);
			otlp_read_answer(copy, n, true, &a);
			grpc_read_answer(copy, n, &a);
			grpc_read_message(copy, n, &a);
			grpc_read_details(copy, n, &a);
			free(copy);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_receiver_takes_what_it_says),
		cmocka_unit_test(every_signal_has_its_way),
		cmocka_unit_test(packing_frames_and_compresses),
		cmocka_unit_test(what_is_packed_can_be_packed_another_way),
		cmocka_unit_test(a_request_stays_of_its_signal),
		cmocka_unit_test(requests_of_many_go_in_their_order_by_signal),
		cmocka_unit_test(what_is_not_packed_as_it_says_is_refused),
		cmocka_unit_test(a_server_says_which_compression_it_takes),
		cmocka_unit_test(partial_success_counts_and_says),
		cmocka_unit_test(a_status_says_when_to_come_back),
		cmocka_unit_test(messages_are_one_line_of_text),
		cmocka_unit_test(damage_says_nothing_and_breaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
