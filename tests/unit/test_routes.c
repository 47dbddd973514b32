/* SPDX-License-Identifier: Apache-2.0 */
/* Routes: what a path is taken for, how few a service has, and that a restart changes none. */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "fixture_tree.h"
#include "trace/routes.h"

static struct routes *make(const struct routes_opts *opts)
{
	struct routes *r;
	char err[128] = "";

	if (routes_new(opts, &r, err, sizeof(err)) < 0)
		fail_msg("%s", err);
	return r;
}

static struct routes *learning(void)
{
	return make(&(struct routes_opts){ .learn = true });
}

static const char *route_of(struct routes *r, const char *service, const char *path)
{
	uint32_t id = routes_find(r, service, path, strlen(path));

	assert_int_not_equal(id, 0);
	assert_int_equal(routes_find(r, service, path, strlen(path)), id);
	return routes_text(r, id);
}

static void a_segment_with_a_digit_is_a_place(void **state)
{
	static const char *const cases[][2] = {
		{ "/", "/" },
		{ "/users", "/users" },
		{ "/users/", "/users/" },
		{ "/users/4711", "/users/*" },
		{ "/users/4711/orders/9f3c", "/users/*/orders/*" },
		{ "/api/v1/items", "/api/v1/items" },
		{ "/api/v12/items", "/api/v12/items" },
		{ "/api/v123/items", "/api/*/items" },
		{ "/a//b", "/a//b" },
		{ "/caf\xc3\xa9", "/*" },
		{ "/a%20b", "/*" },
		{ "/me@example.org", "/*" },
		{ "/app.min.js", "/app.min.js" },
		{ "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "/*" },
		{ "*", "*" },
		{ "example.org:443", "" },
		{ "", "" },
		{ "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p" },
	};
	struct routes *r = learning();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(route_of(r, "shop", cases[i][0]), cases[i][1]);
	routes_free(r);
}

static void patterns_come_first_in_their_order(void **state)
{
	static const char *const patterns[] = { "/users/me", "/users/{id}", "/users/:id/orders", "/static/*", "/v2.0/all/**" };
	static const char *const cases[][2] = {
		{ "/users/me", "/users/me" },        { "/users/4711", "/users/{id}" },   { "/users/", "/users/" },
		{ "/users/x/orders", "/users/:id/orders" }, { "/static/a/b.js", "/static/*" }, { "/static/", "/static/*" },
		{ "/static", "/static" },            { "/v2.0/all/x/y", "/v2.0/all/**" }, { "/users/4711/x", "/users/*/x" },
	};
	struct routes *r = make(&(struct routes_opts){ .patterns = patterns, .n_patterns = ARRAY_SIZE(patterns), .learn = true });

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(route_of(r, "shop", cases[i][0]), cases[i][1]);
	assert_true(routes_are_literal(r));
	routes_free(r);
}

static void without_learning_there_are_patterns_only(void **state)
{
	static const char *const patterns[] = { "/users/{id}" };
	struct routes *r = make(&(struct routes_opts){ .patterns = patterns, .n_patterns = 1 });

	assert_string_equal(route_of(r, "shop", "/users/1"), "/users/{id}");
	assert_string_equal(route_of(r, "shop", "/other"), "");
	assert_false(routes_are_literal(r));
	routes_free(r);
}

static void wrong_patterns_are_named(void **state)
{
	static const char *const wrong[][2] = { { "users", "does not begin with /" }, { "/a/**/b", "has ** before its end" } };
	struct routes *r;
	char err[256];

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(routes_new(&(struct routes_opts){ .patterns = wrong[i], .n_patterns = 1 }, &r, err, sizeof(err)), -EINVAL);
		assert_non_null(strstr(err, wrong[i][0]));
		assert_non_null(strstr(err, wrong[i][1]));
	}
}

/* Words of letters only. */
static void nth_word(char *to, int n)
{
	for (int i = 0; i < 4; i++, n /= 26)
		to[i] = (char)('a' + n % 26);
	to[4] = '\0';
}

static uint32_t visit(struct routes *r, const char *format, int n)
{
	char word[8], path[64];

	nth_word(word, n);
	snprintf(path, sizeof(path), format, word);
	return routes_find(r, "shop", path, strlen(path));
}

static void many_names_in_one_place_are_one(void **state)
{
	struct routes *r = make(&(struct routes_opts){ .learn = true, .max_names = 10 });

	for (int i = 0; i < 10; i++)
		assert_string_not_equal(routes_text(r, visit(r, "/users/%s", i)), "/users/*");
	for (int i = 10; i < 500; i++)
		assert_string_equal(routes_text(r, visit(r, "/users/%s", i)), "/users/*");
	assert_string_equal(routes_text(r, visit(r, "/users/%s/orders", 77)), "/users/*/orders");
	assert_string_equal(route_of(r, "shop", "/users/aaaa"), "/users/aaaa");
	assert_string_equal(route_of(r, "other", "/users/bbbb"), "/users/bbbb");
	routes_free(r);
}

static void a_service_has_no_more_than_so_many(void **state)
{
	struct routes *r = make(&(struct routes_opts){ .learn = true, .max_per_service = 50, .max_names = 1000000 });
	bool seen[4096] = { 0 };
	uint32_t distinct = 0, id;

	for (int i = 0; i < 5000; i++) {
		id = visit(r, "/%s", i);
		assert_true(id > 0 && id < ARRAY_SIZE(seen));
		distinct += !seen[id];
		seen[id] = true;
	}
	assert_int_equal(distinct, 51);
	assert_string_equal(routes_text(r, visit(r, "/%s", 4999)), ROUTES_OVERFLOW);
	assert_string_equal(routes_text(r, visit(r, "/%s", 3)), "/daaa");
	routes_free(r);
}

static void what_was_learned_outlives_a_restart(void **state)
{
	struct tree tree = tree_new();
	struct routes *r = make(&(struct routes_opts){ .learn = true, .max_names = 10 });
	const char *path;

	path = tree_path(&tree, "routes");
	assert_int_equal(routes_load(r, path), 0);
	for (int i = 0; i < 50; i++)
		visit(r, "/users/%s", i);
	route_of(r, "other", "/x/4711/y");
	assert_true(routes_changed(r));
	assert_int_equal(routes_save(r, path), 0);
	assert_false(routes_changed(r));
	routes_free(r);

	r = make(&(struct routes_opts){ .learn = true, .max_names = 10 });
	assert_int_equal(routes_load(r, path), 0);
	assert_false(routes_changed(r));
	assert_string_equal(routes_text(r, visit(r, "/users/%s", 3)), "/users/daaa");
	assert_string_equal(routes_text(r, visit(r, "/users/%s", 600)), "/users/*");
	assert_string_equal(route_of(r, "other", "/x/1/y"), "/x/*/y");
	assert_false(routes_changed(r));
	routes_free(r);
	tree_remove(&tree);
}

static void a_file_of_something_else_is_refused(void **state)
{
	struct tree tree = tree_new();
	struct routes *r = learning();

	tree_write(&tree, "routes", "hello\n", 6);
	assert_int_equal(routes_load(r, tree_path(&tree, "routes")), -EINVAL);
	routes_free(r);
	tree_remove(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_with_a_digit_is_a_place),
		cmocka_unit_test(patterns_come_first_in_their_order),
		cmocka_unit_test(without_learning_there_are_patterns_only),
		cmocka_unit_test(wrong_patterns_are_named),
		cmocka_unit_test(many_names_in_one_place_are_one),
		cmocka_unit_test(a_service_has_no_more_than_so_many),
		cmocka_unit_test(what_was_learned_outlives_a_restart),
		cmocka_unit_test(a_file_of_something_else_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
