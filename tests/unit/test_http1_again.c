/* SPDX-License-Identifier: Apache-2.0 */
/* A head that was read before comes to the same as reading it, and no other is taken for it. */
#include "unit.h"

#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>

#include "bpf/http1_again.h"

static const char *const heads[] = {
	"GET /users/4711?q HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 12345\r\nTraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n",
	"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
	"HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 31\r\nConnection: keep-alive\r\n\r\n",
	"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
	"HTTP/1.1 100 Continue\r\n\r\n",
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
};

/* As bpf/trace_stream.h does it. again: whether it was. */
static uint32_t next(struct http1 *m, struct http1_again *a, const char *head, size_t len, bool *ret_again)
{
	struct http1_window w = { .end = (uint32_t)len };
	uint32_t events;

	memset(w.bytes, 'x', sizeof(w.bytes));
	memcpy(w.bytes, head, len);
	assert_true(http1_begins(m));
	events = http1_next_again(m, &w, a);
	*ret_again = events != 0;
	if (!events) {
		events = http1_next(m, &w);
		if (events & HTTP1_HEAD)
			http1_keep(a, m, &w, events);
	}
	return events;
}

/* As of a connection that is met: what it carries is known. */
static struct http1 beginning(const char *head)
{
	return (struct http1){ .flags = strncmp(head, "HTTP", 4) ? HTTP1_REQUESTS : HTTP1_RESPONSES };
}

static void another_one_is_as_the_first(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		struct http1 read = beginning(heads[i]), m;
		struct http1_again a = { 0 };
		struct http1_window w = { .end = (uint32_t)strlen(heads[i]) };
		uint32_t events, want;
		bool again;

		memcpy(w.bytes, heads[i], w.end);
		want = http1_next(&read, &w);
		for (int n = 0; n < 3; n++) {
			m = beginning(heads[i]);
			events = next(&m, &a, heads[i], w.end, &again);
			assert_int_equal(again, n > 0);
			assert_int_equal(events, want);
			assert_memory_equal(&m, &read, sizeof(m));
		}
		m = beginning(heads[i]);
		next(&m, &a, heads[i], w.end - 1, &again); /* not all of it */
		assert_false(again);
	}
}

static void no_other_byte_is_taken_for_it(void **state)
{
	char head[HTTP1_WINDOW];
	bool again;

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		for (size_t at = 0, len = strlen(heads[i]); at < len; at++)
			for (int bit = 0; bit < 8; bit++) {
				struct http1 m = beginning(heads[i]);
				struct http1_again a = { 0 };

				next(&m, &a, heads[i], len, &again);
				memcpy(head, heads[i], len);
				head[at] ^= (char)(1 << bit);
				m = beginning(heads[i]);
				next(&m, &a, head, len, &again);
				assert_false(again);
			}
}

static void every_byte_of_every_length_counts(void **state)
{
	static __u8 x[HTTP1_WINDOW + HTTP1_SLACK], y[sizeof(x)];

	for (__u32 len = 0; len <= HTTP1_WINDOW; len++)
		for (__u32 at = 0; at < len + 8; at++) {
			y[at] ^= 0x80;
			assert_int_equal(http1_is_same(x, y, len), at >= len);
			y[at] ^= 0x80;
		}
}

/* What a direction carries, and how its paths are hashed, is a part of what a head comes to. */
static void a_direction_of_another_kind_reads_it(void **state)
{
	const uint16_t others[] = { 0, HTTP1_RESPONSES, HTTP1_REQUESTS | HTTP1_LITERAL };
	struct http1_again a = { 0 };
	struct http1 m = { .flags = HTTP1_REQUESTS };
	bool again;

	next(&m, &a, heads[0], strlen(heads[0]), &again);
	assert_int_equal(a.len, strlen(heads[0]));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct http1_again had = a;

		m = (struct http1){ .flags = others[i] };
		next(&m, &had, heads[0], strlen(heads[0]), &again);
		assert_false(again);
	}
	m = (struct http1){ .flags = HTTP1_REQUESTS };
	next(&m, &a, heads[0], strlen(heads[0]), &again);
	assert_true(again);
}

/* Ids that differ each time cost little: one in 16 heads is kept, and compared. */
static void what_always_differs_is_seldom_tried(void **state)
{
	struct http1_again a = { 0 };
	struct http1 m = { .flags = HTTP1_REQUESTS };
	uint32_t kept = 0;
	char head[64];
	bool again;

	for (int i = 0; i < 1600; i++) {
		int len = snprintf(head, sizeof(head), "GET /a HTTP/1.1\r\nX-Id: %d\r\n\r\n", i);

		next(&m, &a, head, (size_t)len, &again);
		assert_false(again);
		kept += a.len != 0;
	}
	assert_in_range(kept, 100, 110);
	for (int i = 0; i < 40; i++)
		next(&m, &a, head, strlen(head), &again);
	assert_true(again); /* and found again when it does not differ any more */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_one_is_as_the_first),
		cmocka_unit_test(no_other_byte_is_taken_for_it),
		cmocka_unit_test(every_byte_of_every_length_counts),
		cmocka_unit_test(a_direction_of_another_kind_reads_it),
		cmocka_unit_test(what_always_differs_is_seldom_tried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
