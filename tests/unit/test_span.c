/* SPDX-License-Identifier: Apache-2.0 */
/* What a span says of a request that was seen, and what it keeps to itself. */
#include "unit.h"

#include <arpa/inet.h>

#include "agent/span.h"
#include "bpf/http1.h"
#include "bpf/trace.h"
#include "trace/tracer.h"

static struct span span;
static struct span_opts opts;

/* Of a server at 10.0.0.1:8080, asked by 10.0.0.2:40000. */
static struct ev_request seen(const char *head)
{
	struct ev_request ev = { .span_id = 0x0123456789abcdef, .trace_id = { 1, 2 }, .start_ns = 1000, .end_ns = 5000, .tgid = 7, .tid = 8, .status = 200,
				 .method = HTTP1_METHOD_GET, .local_port = 8080, .peer_port = 40000, .flags = TRACE_SPAN | TRACE_OURS, .trace_flags = 3 };

	inet_pton(AF_INET, "10.0.0.1", ev.local_address);
	inet_pton(AF_INET, "10.0.0.2", ev.peer_address);
	ev.head_len = (uint16_t)strlen(head);
	assert_true(ev.head_len <= TRACE_HEAD_BYTES);
	memcpy(ev.head, head, ev.head_len);
	return ev;
}

static bool is(struct slice s, const char *text)
{
	return s.len == strlen(text) && !memcmp(s.s, text, s.len);
}

static const struct attribute *find(const char *key)
{
	const struct attribute *found = NULL;

	for (uint32_t i = 0; i < span.otlp.n_attributes; i++) {
		if (!is(span.attributes[i].key, key))
			continue;
		if (found)
			fail_msg("%s twice", key);
		found = &span.attributes[i];
	}
	return found;
}

/* want: NULL for an attribute that is not there. */
static void says(const char *key, const char *want)
{
	const struct attribute *a = find(key);

	if (!want != !a || (a && (a->type != ATTRIBUTE_TEXT || !is(a->text, want))))
		fail_msg("%s is '%.*s', not '%s'", key, a ? (int)a->text.len : 0, a ? a->text.s : "", want ? want : "(none)");
}

static void counts(const char *key, int64_t want)
{
	const struct attribute *a = find(key);

	if (!a || a->type != ATTRIBUTE_INT || a->number != want)
		fail_msg("%s is %lld, not %lld", key, a ? (long long)a->number : -1, (long long)want);
}

static void fill(const struct ev_request *ev, const char *route)
{
	span_fill(&span, ev, route, &opts);
	for (uint32_t i = 0; i < span.otlp.n_attributes; i++)
		find(span.attributes[i].key.s); /* each stands once */
}

/* None of its texts has this. */
static void does_not_tell(const char *secret)
{
	for (uint32_t i = 0; i < span.otlp.n_attributes; i++) {
		const struct attribute *a = &span.attributes[i];

		if (a->type == ATTRIBUTE_TEXT && memmem(a->text.s, a->text.len, secret, strlen(secret)))
			fail_msg("%s tells %.*s", a->key.s, (int)a->text.len, a->text.s);
	}
	assert_null(strstr(span.otlp.name, secret));
}

static void a_server_says_what_it_was_asked(void **state)
{
	struct ev_request ev = seen("GET /users/7?token=secret HTTP/1.1\r\nHost: shop.example:8443\r\nUser-Agent: curl/8\r\n\r\n");

	ev.request_bytes = 3;
	ev.response_bytes = 0;
	opts = (struct span_opts){ .utc_at_boot_ns = 1000000 };
	fill(&ev, "/users/*");
	assert_string_equal(span.otlp.name, "GET /users/*");
	assert_int_equal(span.otlp.kind, OTLP_SPAN_SERVER);
	assert_int_equal(span.otlp.status, OTLP_SPAN_UNSET);
	assert_int_equal(span.otlp.start_ns, 1001000);
	assert_int_equal(span.otlp.end_ns, 1005000);
	says("http.request.method", "GET");
	says("http.request.method_original", NULL);
	says("http.route", "/users/*");
	says("url.path", "/users/7");
	says("url.scheme", "http");
	says("url.query", NULL);
	says("url.full", NULL);
	says("server.address", "shop.example");
	counts("server.port", 8443);
	says("client.address", "10.0.0.2");
	says("network.peer.address", "10.0.0.2");
	counts("network.peer.port", 40000);
	says("network.protocol.version", "1.1");
	says("user_agent.original", "curl/8");
	counts("http.response.status_code", 200);
	counts("http.request.body.size", 3);
	counts("http.response.body.size", 0);
	counts("thread.id", 8);
	counts("process.pid", 7);
	says("error.type", NULL);
	assert_null(find("hotspan.cpu.time"));
	does_not_tell("secret");
}

static void a_client_says_where_it_asked(void **state)
{
	struct ev_request ev = seen("POST /pay HTTP/1.0\r\nHost: bank.example\r\n\r\n");

	ev.side = TRACE_CLIENT;
	ev.method = HTTP1_METHOD_POST;
	ev.status = 404;
	fill(&ev, "");
	assert_string_equal(span.otlp.name, "POST");
	assert_int_equal(span.otlp.kind, OTLP_SPAN_CLIENT);
	assert_int_equal(span.otlp.status, OTLP_SPAN_ERROR);
	says("error.type", "404");
	says("url.full", "http://bank.example/pay");
	says("server.address", "bank.example");
	counts("server.port", 80);
	says("client.address", NULL);
	says("http.route", NULL);
	says("url.path", NULL);
	fill(&ev, "/pay");
	assert_string_equal(span.otlp.name, "POST /pay");
	says("url.template", "/pay");
}

static void failure_is_the_sides_own(void **state)
{
	static const struct {
		uint8_t side;
		uint16_t status;
		const char *error;
	} cases[] = { { TRACE_SERVER, 404, NULL }, { TRACE_SERVER, 499, NULL }, { TRACE_SERVER, 500, "500" }, { TRACE_SERVER, 0, "no_response" },
		      { TRACE_CLIENT, 399, NULL }, { TRACE_CLIENT, 400, "400" }, { TRACE_CLIENT, 0, "no_response" } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ev_request ev = seen("GET / HTTP/1.1\r\nHost: a\r\n\r\n");

		ev.side = cases[i].side;
		ev.status = cases[i].status;
		fill(&ev, "");
		says("error.type", cases[i].error);
		assert_int_equal(span.otlp.status, cases[i].error ? OTLP_SPAN_ERROR : OTLP_SPAN_UNSET);
		assert_int_equal(!find("http.response.status_code"), !cases[i].status);
		assert_int_equal(!find("http.response.body.size"), !cases[i].status);
	}
}

static void a_method_that_nobody_knows_is_other(void **state)
{
	struct ev_request ev = seen("PURGE /x HTTP/1.1\r\n\r\n");

	ev.method = HTTP1_METHOD_OTHER;
	fill(&ev, "/x");
	assert_string_equal(span.otlp.name, "HTTP /x");
	says("http.request.method", "_OTHER");
	says("http.request.method_original", "PURGE");
	says("server.address", "10.0.0.1"); /* nobody said another one */
	counts("server.port", 8080);
}

static void passwords_stay_here(void **state)
{
	static const char *const heads[] = {
		"GET http://user:secret@example.org:81/x?k=secret HTTP/1.1\r\nHost: example.org\r\n\r\n",
		"GET http://user:secret@example.org:81/x?k=secret#secret HTTP/1.1\r\n\r\n",
		"GET https://a:b@c:secret@example.org:81/x HTTP/1.1\r\n\r\n",
		"GET http://user:secret", /* cut off in it */
		"GET http://user:secret HTTP/1.1",
		"GET /x HTTP/1.1\r\nHost: user:secret@example.org:81\r\n\r\n",
		"GET user:secret@example.org:81/x HTTP/1.1\r\n\r\n",
		"GET ftp://user:secret@example.org:81/x?secret HTTP/1.1\r\n\r\n",
		"CONNECT user:secret@example.org:81 HTTP/1.1\r\n\r\n",
		"CONNECT user:secret",
	};

	for (int side = 0; side < TRACE_SIDES; side++)
		for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
			struct ev_request ev = seen(heads[i]);

			ev.side = (uint8_t)side;
			ev.method = *heads[i] == 'C' ? HTTP1_METHOD_CONNECT : HTTP1_METHOD_GET;
			fill(&ev, "");
			does_not_tell("secret");
			if (i < 2) {
				says("server.address", "example.org");
				counts("server.port", 81);
				says(side == TRACE_SERVER ? "url.path" : "url.full", side == TRACE_SERVER ? "/x" : "http://example.org:81/x");
			}
		}
}

static void a_query_is_told_when_asked_for_without_what_signs(void **state)
{
	struct ev_request ev = seen("GET /x?a=1&sig=secret&X-Amz-Signature=secret&signal=2&sig&b= HTTP/1.1\r\nHost: a\r\n\r\n");

	opts.query = true;
	fill(&ev, "");
	says("url.query", "a=1&sig=REDACTED&X-Amz-Signature=REDACTED&signal=2&sig&b=");
	ev.side = TRACE_CLIENT;
	fill(&ev, "");
	says("url.full", "http://a/x?a=1&sig=REDACTED&X-Amz-Signature=REDACTED&signal=2&sig&b=");
	opts.query = false;
}

static void addresses_of_every_family(void **state)
{
	struct ev_request ev = seen("GET / HTTP/1.1\r\nHost: [::1]:81\r\n\r\n");

	ev.flags |= TRACE_IPV6;
	inet_pton(AF_INET6, "::ffff:10.1.2.3", ev.peer_address);
	fill(&ev, "");
	says("client.address", "10.1.2.3");
	says("server.address", "::1");
	inet_pton(AF_INET6, "fe80::1", ev.peer_address);
	ev.side = TRACE_CLIENT;
	fill(&ev, "");
	says("network.peer.address", "fe80::1");
	says("url.full", "http://[::1]:81/");
	ev = seen("GET / HTTP/1.1\r\n\r\n");
	ev.flags |= TRACE_UNIX;
	fill(&ev, "");
	says("network.transport", "unix");
	says("server.address", NULL);
	says("client.address", NULL);
}

static void is_id(const uint8_t *id, size_t n, const char *hex)
{
	char text[33] = "";

	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
	assert_string_equal(text, hex);
}

static void ids_are_as_they_came(void **state)
{
	struct ev_request ev = seen("GET / HTTP/1.1\r\nTracestate: a=b, c=d \r\n\r\n");

	memcpy(ev.trace_id, "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c", 16);
	memcpy(&ev.parent_id, "\xb7\xad\x6b\x71\x69\x20\x33\x31", 8);
	ev.flags = TRACE_SPAN | TRACE_PARENT;
	ev.trace_flags = 1;
	fill(&ev, "");
	is_id(span.otlp.trace_id, 16, "0af7651916cd43dd8448eb211c80319c");
	is_id(span.otlp.span_id, 8, "0123456789abcdef");
	is_id(span.otlp.parent_id, 8, "b7ad6b7169203331");
	assert_int_equal(span.otlp.flags, 1 | OTLP_SPAN_KNOWS_REMOTE | OTLP_SPAN_PARENT_IS_REMOTE);
	assert_string_equal(span.otlp.state, "a=b,c=d");
	ev.flags |= TRACE_LOCAL;
	ev.parent_id = 0x1122334455667788; /* a span of ours */
	fill(&ev, "");
	is_id(span.otlp.parent_id, 8, "1122334455667788");
	assert_int_equal(span.otlp.flags, 1 | OTLP_SPAN_KNOWS_REMOTE);
	assert_null(span.otlp.state); /* that of the request it was made for is not here */
}

static void sampling_is_told(void **state)
{
	struct ev_request ev = seen("GET / HTTP/1.1\r\n\r\n");

	opts.threshold = tracer_threshold(1);
	fill(&ev, "");
	assert_string_equal(span.otlp.state, "ot=th:0");
	opts.threshold = tracer_threshold(0.25);
	fill(&ev, "");
	assert_string_equal(span.otlp.state, "ot=th:c");
	opts.threshold = tracer_threshold(0.01);
	fill(&ev, "");
	assert_string_equal(span.otlp.state, "ot=th:fd70a3d");
	ev.flags |= TRACE_BY_OUTCOME;
	fill(&ev, "");
	assert_null(span.otlp.state);
	says("hotspan.sampling.reason", "slow");
	ev.status = 503;
	fill(&ev, "");
	says("hotspan.sampling.reason", "error");
	ev.status = 200;
	ev.flags |= TRACE_UNFINISHED;
	fill(&ev, "");
	says("hotspan.sampling.reason", "error");
	assert_true(find("hotspan.response.unfinished")->truth);
	assert_int_equal(tracer_threshold(0), 1ull << 56);
	assert_int_equal(tracer_threshold(1e-12), (1ull << 56) - (1ull << 28));
}

static void its_profile_is_its_own(void **state)
{
	struct ev_request ev = seen("GET / HTTP/1.1\r\n\r\n");

	ev.used = (struct flight_cpu){ .cpu_ns = 1500000, .queue_ns = 250000, .blocked_ns = 1000 };
	fill(&ev, ""); /* of what is a part only nothing is said */
	assert_null(find("hotspan.cpu.time"));
	ev.flags |= TRACE_CPU_KNOWN;
	fill(&ev, "");
	assert_null(find("hotspan.cpu.wait.time"));
	ev.flags |= TRACE_CPU_EXACT;
	fill(&ev, "");
	assert_float_equal(find("hotspan.cpu.wait.time")->real, 0.00025, 1e-9);
	assert_float_equal(find("hotspan.blocked.time")->real, 0.000001, 1e-9);
	assert_float_equal(find("hotspan.cpu.time")->real, 0.0015, 1e-9);
	says("pyroscope.profile.id", "0123456789abcdef");
	ev.flags |= TRACE_BY_OUTCOME; /* its samples do not have the id */
	fill(&ev, "");
	says("pyroscope.profile.id", NULL);
}

/* Any bytes, cut off anywhere, as long as there can be. */
static void heads_are_anything(void **state)
{
	static const char alphabet[] = "GET POST /http://@:?&=sig%[]#*\r\n\r\nHost:tracestate:user-agent\0\xff\x80";
	uint32_t x = 1;

	opts.query = true;
	for (int i = 0; i < 20000; i++) {
		struct ev_request ev = seen("");

		ev.head_len = (uint16_t)(i % (TRACE_HEAD_BYTES + 1));
		for (uint32_t k = 0; k < ev.head_len; k++) {
			x = x * 1664525 + 1013904223;
			ev.head[k] = (uint8_t)alphabet[(x >> 8) % (sizeof(alphabet) - 1)];
		}
		ev.side = x >> 31;
		ev.method = (x >> 24) % HTTP1_METHOD_MAX;
		fill(&ev, i % 3 ? "/a" : "");
		assert_true(span.texts.used <= SPAN_TEXT_BYTES);
	}
	opts.query = false;
}

static void what_has_no_room_is_counted(void **state)
{
	static char route[SPAN_TEXT_BYTES];
	char head[TRACE_HEAD_BYTES + 1];
	struct ev_request ev;

	memset(route, 'r', sizeof(route) - 1);
	snprintf(head, sizeof(head), "GET /x HTTP/1.1\r\nHost: a\r\nUser-Agent: %0400d\r\n\r\n", 1);
	ev = seen(head);
	fill(&ev, route); /* no name of that length: the method alone */
	assert_string_equal(span.otlp.name, "GET");
	assert_int_equal(span.otlp.dropped_attributes, 0);
	opts.query = true;
	snprintf(head, sizeof(head), "GET /?");
	for (size_t n = strlen(head); n + 6 < sizeof(head); n += 6)
		memcpy(head + n, "sig=1&", 7);
	ev = seen(head);
	memset(route, 0, sizeof(route));
	memset(route, 'r', SPAN_TEXT_BYTES - 600);
	fill(&ev, route);
	assert_true(span.otlp.dropped_attributes > 0);
	opts.query = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_says_what_it_was_asked),
		cmocka_unit_test(a_client_says_where_it_asked),
		cmocka_unit_test(failure_is_the_sides_own),
		cmocka_unit_test(a_method_that_nobody_knows_is_other),
		cmocka_unit_test(passwords_stay_here),
		cmocka_unit_test(a_query_is_told_when_asked_for_without_what_signs),
		cmocka_unit_test(addresses_of_every_family),
		cmocka_unit_test(ids_are_as_they_came),
		cmocka_unit_test(sampling_is_told),
		cmocka_unit_test(its_profile_is_its_own),
		cmocka_unit_test(heads_are_anything),
		cmocka_unit_test(what_has_no_room_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
