/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of requests, whole and cut off anywhere. */
#include "unit.h"

#include "trace/request_head.h"

static void is(struct slice s, const char *want)
{
	if (s.len != strlen(want) || (s.len && memcmp(s.s, want, s.len)))
		fail_msg("'%.*s', not '%s'", (int)s.len, s.s, want);
}

static struct request_head parse(const char *text)
{
	struct request_head h;

	request_head_parse(text, strlen(text), &h);
	return h;
}

static void has_state(const char *headers, const char *want)
{
	char text[2048], room[1024];
	struct texts t = { .room = room, .size = sizeof(room) };
	struct request_head h;

	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%s\r\n", headers);
	h = parse(text);
	is(request_head_tracestate(&h, &t), want);
}

static void a_head_is_taken_apart(void **state)
{
	struct request_head h = parse("\r\nGET /a/b?c=d&e#f HTTP/1.1\r\nHost: example.org:8080 \r\nX: y\r\nUSER-AGENT:\tcurl/8\r\nTraceState: a=b\r\n\r\n");

	is(h.method, "GET");
	is(h.target, "/a/b?c=d&e#f");
	is(h.path, "/a/b");
	is(h.query, "c=d&e");
	is(h.host, "example.org:8080");
	is(h.user_agent, "curl/8");
	has_state("TraceState: a=b\r\n", "a=b");
	is(h.scheme, "");
	assert_int_equal(h.minor, 1);
	assert_false(h.target_cut);
}

static void several_tracestates_are_one_list(void **state)
{
	char many[512] = "tracestate: a=b\r\nTracestate: ", want[512] = "a=b";

	has_state("", "");
	has_state("tracestate:\r\n", "");
	has_state("tracestate: a=b\r\nHost: x\r\nTRACESTATE: c=d\r\nx-tracestate: no=no\r\n", "a=b,c=d");
	has_state("tracestate: \r\ntracestate: ,a=b,,\tc=d e,\t\r\nX: y\r\ntracestate:f=g\r\n", "a=b,c=d e,f=g");
	has_state("tracestate: a=b\r\ntracestate: c=\xff\r\n", "");
	for (int i = 2; i <= 33; i++) {
		sprintf(strchr(many, 0), "k%d=v,", i);
		if (i <= 32)
			sprintf(strchr(want, 0), ",k%d=v", i);
	}
	strcat(many, "\r\ntracestate: l=m\r\n");
	has_state(many, want);
}

static void targets_have_four_forms(void **state)
{
	struct request_head h = parse("GET https://u@example.org:1/x?y HTTP/1.0\n\n");

	is(h.scheme, "https");
	is(h.authority, "u@example.org:1");
	is(h.path, "/x");
	is(h.query, "y");
	assert_int_equal(h.minor, 0);
	h = parse("GET http://example.org?y HTTP/1.1\r\n\r\n");
	is(h.authority, "example.org");
	is(h.path, "");
	is(h.query, "y");
	is(parse("OPTIONS * HTTP/1.1\r\n\r\n").path, "*");
	is(parse("CONNECT example.org:443 HTTP/1.1\r\n\r\n").path, "example.org:443");
}

static void what_is_cut_off_is_not_believed(void **state)
{
	static const char whole[] = "POST /long/path?q HTTP/1.1\r\nHost: example.org\r\nUser-Agent: x\r\n\r\n";
	struct request_head h;

	for (size_t n = 0; n < sizeof(whole); n++) {
		char *copy = malloc(n ? n : 1); /* ASan sees a byte too far */

		memcpy(copy, whole, n);
		request_head_parse(copy, n, &h);
		if (h.host.len)
			is(h.host, "example.org");
		assert_int_equal(h.target_cut, n < strlen("POST /long/path?q "));
		free(copy);
	}
}

static void hosts_lose_port_and_brackets(void **state)
{
	static const struct {
		const char *from, *host;
		uint16_t port;
	} cases[] = { { "a", "a", 0 }, { "a:80", "a", 80 }, { "[::1]:443", "::1", 443 }, { "[::1]", "::1", 0 }, { "a:", "a:", 0 },
		      { "a:99999", "a", 0 }, { "", "", 0 }, { ":80", "", 80 }, { "80", "80", 0 } };
	uint16_t port;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		is(request_head_host((struct slice){ cases[i].from, strlen(cases[i].from) }, &port), cases[i].host);
		assert_int_equal(port, cases[i].port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_is_taken_apart),
		cmocka_unit_test(several_tracestates_are_one_list),
		cmocka_unit_test(targets_have_four_forms),
		cmocka_unit_test(what_is_cut_off_is_not_believed),
		cmocka_unit_test(hosts_lose_port_and_brackets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
