/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration and what it makes of targets, while memory runs out. */
#include "fixture_alloc.h"

#include <unistd.h>

#include "agent/config.h"
#include "base/file.h"
#include "base/strmap.h"
#include "proc/relabel.h"

static int relabel_in_every_way(void *ctx)
{
	static const char *const sources[] = { "a", "b" };
	static const struct relabel_rule rules[] = {
		{ .source_labels = sources, .n_source_labels = 2, .regex = "[^\\s]+;(?P<x>\\w+)", .target_label = "c", .replacement = "${x}$1-" },
		{ .action = RELABEL_HASHMOD, .source_labels = sources, .n_source_labels = 1, .target_label = "d", .modulus = 7 },
		{ .action = RELABEL_UPPERCASE, .source_labels = sources, .n_source_labels = 2, .target_label = "e" },
		{ .action = RELABEL_LABELMAP, .regex = "([ab])", .replacement = "x_$1" },
		{ .action = RELABEL_LABELDROP, .regex = "[ab]" },
	};
	struct strmap m = { 0 };
	struct relabel *r = NULL;
	char err[128];
	size_t bad;
	int e = strmap_set(&m, "a", "1");

	if (e >= 0)
		e = strmap_set(&m, "b", "2");
	if (e >= 0)
		e = relabel_new(rules, sizeof(rules) / sizeof(*rules), &r, &bad, err, sizeof(err));
	if (e >= 0)
		e = relabel_apply(r, &m);
	if (e == 1) {
		assert_string_equal(strmap_get(&m, "c"), "22-");
		assert_int_equal(m.v.n, 5);
	}
	relabel_free(r);
	strmap_fini(&m);
	return e == 1 ? 0 : e;
}

static void relabelling_survives_every_failure(void **state)
{
	every_failure_is_survived(relabel_in_every_way, NULL, 60);
}

static int make_rules_of_targets(void *ctx)
{
	static char glob[] = "a[b-c]*?";
	struct strmap_entry label = { glob, glob };
	struct selector_opts all = { .service = glob, .container = glob, .pod_label = { .v = { &label, 1, 1 } }, .cgroup = glob, .user = glob, .executable = glob, .pid = 1 };
	struct config c = { .include = { &all, 1, 1 }, .exclude = { &all, 1, 1 } };
	struct relabel *rules = NULL;
	int r = config_rules(&c, &rules);

	relabel_free(rules);
	return r;
}

static void targets_survive_every_failure(void **state)
{
	every_failure_is_survived(make_rules_of_targets, NULL, 80);
}

static void hear(void *ctx, const char *key)
{
	++*(int *)ctx;
}

/* A reload's: the new configuration keeps what needs a restart. ctx: the file. */
static int reload(void *ctx)
{
	char *env[] = { "HOTSPAN_PATH_MAP=/a=/b,/c=/d", "HOTSPAN_LISTEN=off", NULL };
	struct config_source src = { .path = ctx, .environment = env };
	struct config *from = NULL, *to = NULL;
	char err[768];
	int told = 0, r = config_load(&src, &from, err, sizeof(err));

	src.environment = NULL;
	if (r >= 0)
		r = config_load(&src, &to, err, sizeof(err));
	if (r >= 0)
		r = config_keep_fixed(from, to, hear, &told);
	if (r >= 0)
		assert_int_equal(told, 2);
	config_free(from);
	config_free(to);
	return r;
}

static void a_reload_survives_every_failure(void **state)
{
	char path[] = "/tmp/hotspan-alloc-XXXXXX";
	_cleanup_(closep) int fd = mkstemp(path);
	static const char yaml[] = "receivers:\n  - {name: a, url: 'http://h', headers: {b: c}, spool: /s}\n";

	assert_int_equal(file_write_all(fd, yaml, strlen(yaml)), 0);
	every_failure_is_survived(reload, path, 30);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relabelling_survives_every_failure),
		cmocka_unit_test(targets_survive_every_failure),
		cmocka_unit_test(a_reload_survives_every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
