/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of exporter that need no network: the envelope, labels, verdicts, back-off. */
#include "unit.h"

#include <curl/curl.h>
#include <errno.h>

#include "base/buf.h"
#include "base/strmap.h"
#include "base/units.h"
#include "exporter/pyroscope.h"
#include "exporter/retry.h"

/* A profile of 152 bytes: main -> leaf, 30303030 ns in 3 samples at 99 Hz. */
static const char pprof_hex[] =
	"0a0408011002120a0a0201021204b6c6b90e1a0a08012803380140014801220a0801100122040801100c220a0801100122040802101e2a08"
	"08011006180620052a08080210041804200532003203637075320b6e616e6f7365636f6e647332092f62696e2f64656d6f32046d61696e32"
	"0664656d6f2e6332046c656166488080a8b1e39fe7cb175080acc7f0375a04080110026092c2e804";

static void put_hex(struct buf *b, const char *hex)
{
	for (unsigned byte; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		buf_putc(b, (char)byte);
}

/* Its length and bytes are those of the published vector (SHA-256 f13cd8a49712903f...), put together by hand. */
static void the_envelope_is_the_known_one(void **state)
{
	_cleanup_(buf_fini) struct buf pprof = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
	_cleanup_(strmap_fini) struct strmap labels = { 0 };

	put_hex(&pprof, pprof_hex);
	assert_int_equal(pprof.len, 152);
	put_hex(&want, "0af301" "0a17" "0a08");
	buf_puts(&want, "__name__");
	put_hex(&want, "120b");
	buf_puts(&want, "process_cpu");
	put_hex(&want, "0a14" "0a0c");
	buf_puts(&want, "service_name");
	put_hex(&want, "1204");
	buf_puts(&want, "demo");
	put_hex(&want, "12c101" "0a9801");
	buf_append(&want, pprof.data, pprof.len);
	put_hex(&want, "1224");
	buf_puts(&want, "734fd599-6865-419e-9475-932762d8f469");
	assert_int_equal(want.len, 246);

	assert_int_equal(strmap_set(&labels, "service_name", "demo"), 0);
	assert_int_equal(strmap_set(&labels, "__name__", "process_cpu"), 0);
	assert_int_equal(pyroscope_push_encode(&labels, pprof.data, pprof.len, "734fd599-6865-419e-9475-932762d8f469", &got), 0);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.data, want.data, want.len);
}

static void an_envelope_without_an_id_leaves_it_out(void **state)
{
	_cleanup_(buf_fini) struct buf with = BUF_INIT, without = BUF_INIT;
	struct strmap none = { 0 };

	assert_int_equal(pyroscope_push_encode(&none, "x", 1, "i", &with), 0);
	assert_int_equal(pyroscope_push_encode(&none, "x", 1, "", &without), 0);
	assert_int_equal(with.len, without.len + 3);
}

static void encode(struct buf *out, const char *service)
{
	_cleanup_(strmap_fini) struct strmap labels = { 0 };

	assert_int_equal(strmap_set(&labels, "__name__", "process_cpu"), 0);
	if (service)
		assert_int_equal(strmap_set(&labels, "service_name", service), 0);
	assert_int_equal(pyroscope_push_encode(&labels, "pprof", 5, "id", out), 0);
}

static void a_request_is_read_and_an_agent_knows_what_it_has_had(void **state)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	struct pyroscope_push p;
	char err[128];

	encode(&b, "check\nout");
	encode(&b, "other"); /* two series are one after the other */
	assert_int_equal(pyroscope_push_read(b.data, b.len, "b", &p, err, sizeof(err)), 0);
	assert_int_equal(p.series, 2);
	assert_int_equal(p.samples, 2);
	assert_string_equal(p.service, "check?out");
	assert_false(p.had);
	assert_int_equal(pyroscope_push_mark(&b, "a"), 0);
	assert_int_equal(pyroscope_push_mark(&b, "bb"), 0);
	assert_int_equal(pyroscope_push_read(b.data, b.len, "b", &p, err, sizeof(err)), 0);
	assert_false(p.had);
	assert_int_equal(pyroscope_push_mark(&b, "b"), 0);
	assert_int_equal(pyroscope_push_mark(&b, "c"), 0);
	assert_int_equal(pyroscope_push_read(b.data, b.len, "b", &p, err, sizeof(err)), 0);
	assert_true(p.had);
	assert_int_equal(p.series, 2);
	buf_reset(&b);
	encode(&b, NULL);
	assert_int_equal(pyroscope_push_read(b.data, b.len, "b", &p, err, sizeof(err)), 0);
	assert_string_equal(p.service, "unknown");
}

static void what_is_no_request_is_refused_wherever_it_is_cut(void **state)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	struct pyroscope_push p;
	char err[128];

	encode(&b, "checkout");
	for (size_t len = 0; len < b.len; len++)
		assert_int_equal(pyroscope_push_read(b.data, len, "b", &p, err, sizeof(err)), -EBADMSG);
	assert_int_equal(pyroscope_push_read("\x08\x01", 2, "b", &p, err, sizeof(err)), -EBADMSG); /* a number where series are */
	assert_int_equal(pyroscope_push_read("\x0a\x02\x10\x01", 4, "b", &p, err, sizeof(err)), -EBADMSG);
	assert_string_equal(err, "this is no push.v1.PushRequest");
	assert_int_equal(pyroscope_push_read("\x0a\x02\x0a\x00", 4, "b", &p, err, sizeof(err)), -EBADMSG);
	assert_string_equal(err, "there are no profiles in it");
}

static void labels_are_those_every_server_takes(void **state)
{
	static char long_name[1026], long_value[2050];
	const struct {
		const char *name, *value;
		bool fine;
	} cases[] = {
		{ "env", "prod", true }, { "_x9", "v", true }, { "A_b", "\xc3\xa9", true }, { long_name + 1, "v", true },
		{ "n", long_value + 1, true }, { long_name, "v", false }, { "n", long_value, false }, { "", "v", false },
		{ "n", "", false }, { "9x", "v", false }, { "a-b", "v", false }, { "a.b", "v", false }, { "a b", "v", false },
		{ "\xc3\xa9", "v", false }, { "__name__", "v", false }, { "service_name", "v", false }, { "__x", "v", false }, { "n", "\xff", false },
		{ "n", "a\xc0\x80", false }, { "n", "\xed\xa0\x80", false }, { "n", "\xf0\x9f\x94\xa5", true },
	};

	memset(long_name, 'n', 1025);
	memset(long_value, 'v', 2049);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char err[256] = "";
		int r = pyroscope_check_label(cases[i].name, cases[i].value, err, sizeof(err));

		if (r != (cases[i].fine ? 0 : -EINVAL) || !*err != cases[i].fine)
			fail_msg("case %zu, '%.20s': %d, \"%s\"", i, cases[i].name, r, err);
	}
}

static void every_outcome_has_its_verdict(void **state)
{
	const struct {
		struct retry_result result;
		struct retry_verdict want;
	} cases[] = {
		/* answers */
		{ { 0, 200, true }, { PARCEL_OK, RETRY_NONE, false } },
		{ { 0, 204, true }, { PARCEL_OK, RETRY_NONE, false } },
		{ { CURLE_PARTIAL_FILE, 200, true }, { PARCEL_OK, RETRY_NONE, false } }, /* an answer cut short */
		{ { CURLE_OPERATION_TIMEDOUT, 503, true }, { PARCEL_RETRY, RETRY_SERVER, true } },
		{ { 0, 301, true }, { PARCEL_RETRY, RETRY_MOVED, true } },
		{ { 0, 307, true }, { PARCEL_RETRY, RETRY_MOVED, true } },
		{ { 0, 400, true }, { PARCEL_DROP, RETRY_REFUSED, false } },
		{ { 0, 401, true }, { PARCEL_RETRY, RETRY_CREDENTIALS, true } },
		{ { 0, 403, true }, { PARCEL_RETRY, RETRY_CREDENTIALS, true } },
		{ { 0, 404, true }, { PARCEL_DROP, RETRY_REFUSED, false } },
		{ { 0, 405, true }, { PARCEL_DROP, RETRY_REFUSED, false } },
		{ { 0, 408, true }, { PARCEL_RETRY, RETRY_SERVER, true } },
		{ { 0, 409, true }, { PARCEL_RETRY, RETRY_SERVER, false } }, /* aborted */
		{ { 0, 413, true }, { PARCEL_DROP, RETRY_REFUSED, false } },
		{ { 0, 415, true }, { PARCEL_DROP, RETRY_REFUSED, false } },
		{ { 0, 422, true }, { PARCEL_DROP, RETRY_REFUSED, false } },
		{ { 0, 429, true }, { PARCEL_RETRY, RETRY_THROTTLED, true } },
		{ { 0, 499, true }, { PARCEL_DROP, RETRY_REFUSED, false } },
		{ { 0, 500, true }, { PARCEL_RETRY, RETRY_SERVER, false } },
		{ { 0, 501, true }, { PARCEL_DROP, RETRY_REFUSED, false } },
		{ { 0, 502, true }, { PARCEL_RETRY, RETRY_SERVER, true } },
		{ { 0, 503, true }, { PARCEL_RETRY, RETRY_SERVER, true } },
		{ { 0, 504, true }, { PARCEL_RETRY, RETRY_SERVER, true } },
		{ { 0, 503, false }, { PARCEL_RETRY, RETRY_SERVER, true } }, /* an answer before all was sent */
		/* OTLP over HTTP, over gRPC */
#define HTTP(status) { 0, status, true, .otlp = true }
#define GRPC(status) { 0, 200, true, .otlp = true, .grpc = true, .grpc_status = status }
#define NO_GRPC(status) { 0, status, true, .otlp = true, .grpc = true, .grpc_status = -1 }
		{ HTTP(200), { PARCEL_OK, RETRY_NONE, false } },
		{ HTTP(400), { PARCEL_DROP, RETRY_REFUSED, false } },
		{ HTTP(408), { PARCEL_DROP, RETRY_REFUSED, false } },
		{ HTTP(429), { PARCEL_RETRY, RETRY_THROTTLED, true } },
		{ HTTP(500), { PARCEL_DROP, RETRY_REFUSED, false } },
		{ HTTP(502), { PARCEL_RETRY, RETRY_SERVER, true } },
		{ HTTP(503), { PARCEL_RETRY, RETRY_SERVER, true } },
		{ GRPC(0), { PARCEL_OK, RETRY_NONE, false } },
		{ GRPC(1), { PARCEL_RETRY, RETRY_SERVER, false } },
		{ GRPC(2), { PARCEL_DROP, RETRY_REFUSED, false } },
		{ GRPC(3), { PARCEL_DROP, RETRY_REFUSED, false } },
		{ GRPC(4), { PARCEL_RETRY, RETRY_SERVER, true } },
		{ GRPC(5), { PARCEL_DROP, RETRY_REFUSED, false } },
		{ GRPC(7), { PARCEL_RETRY, RETRY_CREDENTIALS, true } },
		{ GRPC(8), { PARCEL_DROP, RETRY_REFUSED, false } },
		{ { 0, 200, true, .otlp = true, .grpc = true, .grpc_status = 8, .retry_said = true }, { PARCEL_RETRY, RETRY_THROTTLED, true } },
		{ GRPC(10), { PARCEL_RETRY, RETRY_SERVER, false } },
		{ GRPC(12), { PARCEL_DROP, RETRY_REFUSED, false } },
		{ GRPC(13), { PARCEL_DROP, RETRY_REFUSED, false } },
		{ GRPC(14), { PARCEL_RETRY, RETRY_SERVER, true } },
		{ GRPC(16), { PARCEL_RETRY, RETRY_CREDENTIALS, true } },
		{ GRPC(99), { PARCEL_DROP, RETRY_REFUSED, false } },
		{ NO_GRPC(404), { PARCEL_DROP, RETRY_REFUSED, false } },
		{ NO_GRPC(401), { PARCEL_RETRY, RETRY_CREDENTIALS, true } },
		{ NO_GRPC(503), { PARCEL_RETRY, RETRY_SERVER, true } },
		{ NO_GRPC(200), { PARCEL_RETRY, RETRY_SERVER, true } },
		{ { CURLE_OPERATION_TIMEDOUT, 0, true, .otlp = true }, { PARCEL_RETRY, RETRY_SILENCE, true } },
		{ { CURLE_HTTP2_STREAM, 200, true, .otlp = true, .grpc = true, .grpc_status = -1 }, { PARCEL_RETRY, RETRY_SILENCE, true } },
		{ { CURLE_COULDNT_CONNECT, 0, false, .otlp = true, .grpc = true, .grpc_status = -1 }, { PARCEL_RETRY, RETRY_CONNECT, true } },
		/* none */
		{ { CURLE_COULDNT_RESOLVE_HOST, 0, false }, { PARCEL_RETRY, RETRY_CONNECT, true } },
		{ { CURLE_COULDNT_CONNECT, 0, false }, { PARCEL_RETRY, RETRY_CONNECT, true } },
		{ { CURLE_OPERATION_TIMEDOUT, 0, false }, { PARCEL_RETRY, RETRY_CONNECT, true } },
		{ { CURLE_SEND_ERROR, 0, false }, { PARCEL_RETRY, RETRY_CONNECT, true } },
		{ { CURLE_GOT_NOTHING, 100, false }, { PARCEL_RETRY, RETRY_CONNECT, true } },
		{ { CURLE_OPERATION_TIMEDOUT, 0, true }, { PARCEL_UNANSWERED, RETRY_SILENCE, true } },
		{ { CURLE_GOT_NOTHING, 0, true }, { PARCEL_RETRY, RETRY_SILENCE, true } },
		{ { CURLE_RECV_ERROR, 0, true }, { PARCEL_RETRY, RETRY_SILENCE, true } },
		{ { CURLE_RECV_ERROR, 100, true }, { PARCEL_RETRY, RETRY_SILENCE, true } },
		{ { CURLE_WEIRD_SERVER_REPLY, 0, true }, { PARCEL_RETRY, RETRY_SILENCE, true } },
		{ { CURLE_PEER_FAILED_VERIFICATION, 0, false }, { PARCEL_RETRY, RETRY_TLS, true } },
		{ { CURLE_SSL_CACERT_BADFILE, 0, false }, { PARCEL_RETRY, RETRY_TLS, true } },
		{ { CURLE_SSL_CERTPROBLEM, 0, false }, { PARCEL_RETRY, RETRY_TLS, true } },
		{ { CURLE_SSL_CONNECT_ERROR, 0, false }, { PARCEL_RETRY, RETRY_TLS, true } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct retry_verdict v = retry_judge(&cases[i].result), w = cases[i].want;

		if (v.answer != w.answer || v.cause != w.cause || v.everybody != w.everybody)
			fail_msg("case %zu (HTTP %ld, curl %d): %d %s %d", i, cases[i].result.http_status, cases[i].result.curl_code,
				 v.answer, retry_cause_name(v.cause), v.everybody);
	}
}

static void back_off_doubles_to_its_bound_with_jitter(void **state)
{
	uint64_t random = 88172645463325252ull, longest = NSEC_PER_SEC / 2;

	for (uint32_t tries = 1; tries < 100; tries++, longest = longest * 2 < 30 * NSEC_PER_SEC ? longest * 2 : 30 * NSEC_PER_SEC) {
		uint64_t least = UINT64_MAX, most = 0;

		for (int i = 0; i < 2000; i++) {
			uint64_t d = retry_delay_ns(tries, random);

			least = d < least ? d : least;
			most = d > most ? d : most;
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
		}
		assert_true(least > longest / 2 && most <= longest);
		/* The whole range is used. */
		assert_true(least < longest / 2 + longest / 50 && most > longest - longest / 50);
	}
	assert_true(retry_delay_ns(0, UINT64_MAX) > 0 && retry_delay_ns(UINT32_MAX, 0) == 30 * NSEC_PER_SEC);
}

static void every_cause_has_a_name(void **state)
{
	for (int i = 0; i < RETRY_CAUSES; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(retry_cause_name((enum retry_cause)i), retry_cause_name((enum retry_cause)j));
	assert_string_equal(retry_cause_name(RETRY_CAUSES), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_envelope_is_the_known_one),
		cmocka_unit_test(an_envelope_without_an_id_leaves_it_out),
		cmocka_unit_test(a_request_is_read_and_an_agent_knows_what_it_has_had),
		cmocka_unit_test(what_is_no_request_is_refused_wherever_it_is_cut),
		cmocka_unit_test(labels_are_those_every_server_takes),
		cmocka_unit_test(every_outcome_has_its_verdict),
		cmocka_unit_test(back_off_doubles_to_its_bound_with_jitter),
		cmocka_unit_test(every_cause_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
