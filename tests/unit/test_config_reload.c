/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration that replaces one which is in force: what needs a restart stays, and is told. */
#include "fixture_config.h"

#include "base/units.h"

static void note(void *ctx, const char *key)
{
	strcat(strcat(ctx, key), " ");
}

static void rows_that_need_a_restart_keep_their_value(void **state)
{
	struct config *a, *b;
	char err[768], told[256] = "";

	assert_int_equal(load_with("frequency: 10\nlisten: off\nsymbol_cache_bytes: 2MiB\npath_map: {/a: /b}\n", NULL, &a, err, sizeof(err)), 0);
	assert_int_equal(load_with("frequency: 20\nlisten: 127.0.0.1:1\nuser_stacks: false\npath_map: {/a: /c}\n", NULL, &b, err, sizeof(err)), 0);
	assert_int_equal(config_keep_fixed(a, b, note, told), 0);
	assert_string_equal(told, "user_stacks path_map symbol_cache_bytes listen ");
	assert_int_equal(b->frequency, 20);
	assert_string_equal(b->listen, "off");
	assert_string_equal(strmap_get(&b->path_map, "/a"), "/b");
	assert_int_equal(b->symbol_cache_bytes, 2 * MIB);
	assert_true(b->user_stacks);
	assert_int_equal(a->frequency, 10); /* should the new one fail, this is what stays */
	assert_string_equal(a->listen, "off");
	config_free(a);
	config_free(b);
}

static void so_do_lists(void **state)
{
	struct config *a, *b;
	char err[768], told[256] = "";

	assert_int_equal(load_with("trace: {routes: [/a, /b/:c]}\n", NULL, &a, err, sizeof(err)), 0);
	assert_int_equal(load_with("trace: {routes: [/d]}\n", NULL, &b, err, sizeof(err)), 0);
	assert_int_equal(config_keep_fixed(a, b, note, told), 0);
	assert_string_equal(told, "trace.routes ");
	config_free(a);
	assert_int_equal(b->trace_routes.n, 2);
	assert_string_equal(b->trace_routes.v[1], "/b/:c");
	config_free(b);
}

static void a_receivers_spool_changes_with_a_restart_and_says_so(void **state)
{
	struct config *a, *b;
	char err[768], told[256] = "";

	assert_int_equal(load_with("receivers: [{name: x, url: 'http://h', spool: /s}, {name: y, url: 'http://h'}]\n", NULL, &a, err, sizeof(err)), 0);
	assert_int_equal(load_with("receivers: [{name: new, url: 'http://h', spool: /n}, {name: y, url: 'http://h', spool: /t}, {name: x, url: 'http://i'}]\n",
				   NULL, &b, err, sizeof(err)), 0);
	assert_int_equal(config_keep_fixed(a, b, note, told), 0);
	assert_string_equal(told, "receivers[y].spool receivers[x].spool ");
	assert_string_equal(b->receivers.v[0].spool, "/n");
	assert_null(b->receivers.v[1].spool);
	assert_string_equal(b->receivers.v[2].spool, "/s");
	assert_string_equal(b->receivers.v[2].url, "http://i");
	config_free(a);
	config_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST(rows_that_need_a_restart_keep_their_value),
		FILE_TEST(so_do_lists),
		FILE_TEST(a_receivers_spool_changes_with_a_restart_and_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
