/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/strpool.h"
#include "base/texts.h"
#include "base/units.h"
#include "base/url.h"
#include "base/wire.h"

static void nested_lengths_are_back_patched_at_every_size(void **state)
{
	const size_t sizes[] = { 0, 1, 125, 126, 127, 128, 16381, 16384, 70000 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_(buf_fini) struct buf b = BUF_INIT;
		_cleanup_(freep) char *content = calloc(1, sizes[i] + 1);
		uint64_t len = 0;
		size_t mark, at = 1, shift = 0;

		memset(content, 'x', sizes[i]);
		mark = wire_begin(&b, 3);
		buf_append(&b, content, sizes[i]);
		wire_end(&b, mark);
		assert_int_equal(b.data[0], 3 << 3 | 2);
		do
			len |= (uint64_t)(b.data[at] & 0x7f) << shift, shift += 7;
		while (b.data[at++] & 0x80);
		assert_int_equal(len, sizes[i]);
		assert_int_equal(b.len - at, sizes[i]);
		assert_memory_equal(b.data + at, content, sizes[i]);
	}
}

static void equal_strings_share_an_id_and_zero_is_empty(void **state)
{
	struct strpool p = { 0 };
	uint32_t a = strpool_add(&p, "main"), b = strpool_add_len(&p, "mainline", 4);
	char s[16];

	assert_int_equal(strpool_add(&p, ""), 0);
	assert_int_equal(a, b);
	for (int i = 0; i < 5000; i++) {
		snprintf(s, sizeof(s), "f%d", i);
		assert_int_equal(strpool_add(&p, s), 2 + i);
	}
	assert_string_equal(strpool_str(&p, a), "main");
	assert_string_equal(strpool_str(&p, 1234567), "");
	assert_int_equal(strpool_add(&p, "f4999"), 2 + 4999);
	strpool_truncate(&p, 2 + 100);
	assert_string_equal(strpool_str(&p, 2 + 100), "");
	assert_int_equal(strpool_add(&p, "main"), a);
	assert_int_equal(strpool_add(&p, "f99"), 2 + 99);
	assert_int_equal(strpool_add(&p, "f100 again"), 2 + 100);
	assert_int_equal(strpool_add(&p, "f100"), 2 + 101);
	strpool_truncate(&p, 0);
	assert_int_equal(strpool_add(&p, "f100"), 1);
	strpool_fini(&p);
}

static void json_strings_escape_what_could_end_a_script(void **state)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	buf_json_string(&b, "</script>\"\\\n\xff\xc3\xa9\xed\xa0\x80", 18);
	buf_putc(&b, 0);
	assert_string_equal((char *)b.data,
			    "\"\\u003c/script>\\\"\\\\\\u000a\\ufffd\xc3\xa9\\ufffd\\ufffd\\ufffd\"");
}

static void durations_read_as_people_write_them(void **state)
{
	uint64_t ns;

	assert_int_equal(parse_duration("10", &ns), 0);
	assert_int_equal(ns, 10 * NSEC_PER_SEC);
	assert_int_equal(parse_duration("1.5m", &ns), 0);
	assert_int_equal(ns, 90 * NSEC_PER_SEC);
	assert_int_equal(parse_duration("200ms", &ns), 0);
	assert_int_equal(ns, 200 * NSEC_PER_MSEC);
	assert_int_equal(parse_duration("-1", &ns), -EINVAL);
	assert_int_equal(parse_duration("1 s", &ns), -EINVAL);
	assert_int_equal(parse_duration("", &ns), -EINVAL);
	assert_int_equal(parse_duration("1e300h", &ns), -ERANGE);
}

static void a_url_is_shown_without_what_is_secret_in_it(void **state)
{
	static const char *const shown[][2] = {
		{ "http://h:4040/a@b", "http://h:4040/a@b" }, { "https://u:p@h/a", "https://***@h/a" }, { "https://token@h", "https://***@h" },
		{ "http://u:p@w@h?x@y", "http://***@h?x@y" }, { "u:p@proxy:3128", "***@proxy:3128" }, { "auto", "auto" }, { "", "" },
	};
	char out[64], small[8];

	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		assert_string_equal(url_shown(shown[i][0], out, sizeof(out)), shown[i][1]);
	assert_string_equal(url_shown("http://u:p@h", small, sizeof(small)), "http://");
}

/* One that is none, and a sequence that is one, at every place of texts of every length around eight and its multiples. */
static void what_is_no_utf8_is_found_wherever_it_is(void **state)
{
	for (size_t len = 0; len < 40; len++) {
		char *text = malloc(len ? len : 1); /* ASan sees a byte too far */

		memset(text, 'a', len);
		assert_int_equal(utf8_prefix(text, len), len);
		for (size_t at = 0; at < len; at++) {
			text[at] = '\xff';
			assert_int_equal(utf8_prefix(text, len), at);
			if (at) {
				memcpy(text + at - 1, "\xc3\xa4", 2);
				assert_int_equal(utf8_prefix(text, len), len);
				text[at - 1] = 'a';
			}
			text[at] = 'a';
		}
		free(text);
	}
}

static void texts_end_where_their_room_does(void **state)
{
	for (size_t size = 1; size < 30; size++) {
		char *room = malloc(size);
		struct texts t = { .room = room, .size = size };
		struct slice s, more;

		texts_begin(&t);
		texts_add(&t, SLICE("a-"));
		texts_add(&t, SLICE(""));
		texts_add_number(&t, 4711);
		texts_add_number(&t, 0);
		texts_add_hex(&t, 0x0a1b, 6);
		s = texts_end(&t); /* 13 bytes and a NUL */
		assert_int_equal(!s.s, size < 14);
		if (s.s)
			assert_string_equal(s.s, "a-47110000a1b");
		assert_int_equal(s.len, s.s ? 13 : 0);
		texts_begin(&t);
		texts_add(&t, SLICE("x"));
		more = texts_end(&t); /* what had no room took none */
		assert_int_equal(!more.s, size < (s.s ? 16 : 2));
		assert_true(t.used <= size);
		free(room);
	}
}

static void an_arena_gives_aligned_memory_and_takes_it_back(void **state)
{
	struct arena a = { 0 };

	for (size_t len = 1; len < 200000; len = len * 2 + 1) {
		char *p = arena_alloc(&a, len);

		assert_int_equal((uintptr_t)p % 8, 0);
		memset(p, 1, len);
	}
	arena_reset(&a);
	assert_int_equal(a.used_bytes, 0);
	assert_string_equal(arena_dup(&a, "abc", 4), "abc");
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nested_lengths_are_back_patched_at_every_size),
		cmocka_unit_test(equal_strings_share_an_id_and_zero_is_empty),
		cmocka_unit_test(json_strings_escape_what_could_end_a_script),
		cmocka_unit_test(durations_read_as_people_write_them),
		cmocka_unit_test(a_url_is_shown_without_what_is_secret_in_it),
		cmocka_unit_test(what_is_no_utf8_is_found_wherever_it_is),
		cmocka_unit_test(texts_end_where_their_room_does),
		cmocka_unit_test(an_arena_gives_aligned_memory_and_takes_it_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
