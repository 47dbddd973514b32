/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: what a file says, what is said beside it, and how it is told again. */
#include "fixture_config.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>

#include "agent/options_doc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/units.h"
#include "exporter/otlp_format.h"
#include "proc/relabel.h"

static void the_least_file_works(void **state)
{
	struct config *c;
	char err[768];

	assert_int_equal(load_with("frequency: 49\nflush_interval: 10s\nlabels: {env: prod}\nreceivers:\n  - name: prod\n    type: pyroscope\n"
				   "    url: http://127.0.0.1:4040\n", NULL, &c, err, sizeof(err)), 0);
	assert_int_equal(c->frequency, 49);
	assert_int_equal(c->flush_interval_ns, 10 * NSEC_PER_SEC);
	assert_string_equal(strmap_get(&c->labels, "env"), "prod");
	assert_int_equal(c->receivers.n, 1);
	assert_string_equal(c->receivers.v[0].url, "http://127.0.0.1:4040");
	assert_int_equal(c->receivers.v[0].timeout_ns, 10 * NSEC_PER_SEC);
	config_free(c);
	assert_int_equal(load_with("", NULL, &c, err, sizeof(err)), 0); /* nothing at all: the defaults */
	assert_int_equal(c->frequency, 99);
	config_free(c);
}

static void what_names_are_made_of_is_said_by_the_file(void **state)
{
	struct config *c;
	char err[768];

	assert_int_equal(load_with("symbolize: false\npath_map: {/build/src: /home/me/app, ./x: ''}\n", NULL, &c, err, sizeof(err)), 0);
	assert_false(c->symbolize);
	assert_string_equal(strmap_get(&c->path_map, "/build/src"), "/home/me/app");
	assert_string_equal(strmap_get(&c->path_map, "./x"), "");
	config_free(c);
	assert_int_equal(load_with("", NULL, &c, err, sizeof(err)), 0);
	assert_true(c->symbolize);
	assert_int_equal(c->path_map.v.n, 0);
	config_free(c);
	assert_true(load_with("path_map: {'': /x}\n", NULL, &c, err, sizeof(err)) < 0);
	assert_non_null(strstr(err, ":1: path_map: a name must not be empty"));
}

static void flags_override_the_environment_and_that_the_file(void **state)
{
	char *env[] = { "PATH=/bin", "HOTSPAN_FREQUENCY=20", "HOTSPAN_LABELS=a=1,b=2", "HOTSPAN_FREQUENCY_X=7", NULL };
	struct config_override flag = { "frequency", "30" };
	struct config_source src = { .environment = env };
	struct config *c;
	char err[768];

	assert_int_equal(load_with("frequency: 10\nflush_interval: 5s\nlabels: {c: d}\n", &src, &c, err, sizeof(err)), 0);
	assert_int_equal(c->frequency, 20);
	assert_int_equal(c->flush_interval_ns, 5 * NSEC_PER_SEC);
	assert_int_equal(c->labels.v.n, 2);
	assert_string_equal(strmap_get(&c->labels, "b"), "2");
	config_free(c);
	src.overrides = &flag;
	src.n_overrides = 1;
	assert_int_equal(load_with("", &src, &c, err, sizeof(err)), 0);
	assert_int_equal(c->frequency, 30);
	config_free(c);
	flag.value = "none";
	assert_int_equal(load_with("", &src, &c, err, sizeof(err)), -EINVAL);
	assert_string_equal(err, "--frequency: 'none' is not a number from 1 to 10000");
	env[1] = "HOTSPAN_FREQUENCY=x";
	src.n_overrides = 0;
	assert_int_equal(load_with("", &src, &c, err, sizeof(err)), -EINVAL);
	assert_string_equal(err, "environment variable HOTSPAN_FREQUENCY: 'x' is not a number from 1 to 10000");
}

#define BIT(signal) (1u << PARCEL_##signal)

static void a_receiver_takes_what_it_is_told_to(void **state)
{
	struct config *c;
	char err[768];

	assert_int_equal(load_with("prometheus: {listen: 127.0.0.1:9400}\n" RECEIVER
				   "  - {name: b, url: 'http://h', type: otlp}\n"
				   "  - {name: c, url: 'http://h', type: otlp, send: [traces, metrics]}\n"
				   "  - {name: d, url: 'http://h', type: otlp, send: Metrics, path: /otlp/metrics}\n",
				   NULL, &c, err, sizeof(err)), 0);
	assert_string_equal(c->prometheus_listen, "127.0.0.1:9400");
	assert_int_equal(c->receivers.v[0].send, BIT(PROFILES));
	assert_int_equal(c->receivers.v[1].send, BIT(PROFILES));
	assert_int_equal(c->receivers.v[2].send, BIT(TRACES) | BIT(METRICS));
	assert_int_equal(c->receivers.v[3].send, BIT(METRICS));
	assert_string_equal(c->receivers.v[3].path, "/otlp/metrics");
	config_free(c);
	assert_int_equal(load_with("", NULL, &c, err, sizeof(err)), 0);
	assert_string_equal(c->prometheus_listen, "off");
	config_free(c);
}

static void what_is_printed_loads_again_to_the_same_and_hides_secrets(void **state)
{
	_cleanup_(buf_fini) struct buf once = BUF_INIT, twice = BUF_INIT;
	struct config *c;
	char err[768];

	assert_int_equal(load_with("labels: {a: 'x \"y\"', b: \"\\u00e4\"}\nflush_interval: 90s\nmax_cpu_percent: 0.25%\n"
				   "relabel_configs:\n  - {source_labels: [a, b], separator: '', regex: '(.)\\d', target_label: c, replacement: ''}\n" RECEIVER
				   "    basic_auth: {username: u, password: hush}\n    proxy_url: 'me:hush@proxy:3128'\n    tls_config: {server_name: s}\n    headers: {Authorization: Basic aHVzaA, X-A: b}\n"
				   "  - {name: c, url: 'https://me:hush@h/a', type: otlp, send: [metrics], path: /m}\n  - {name: d, url: 'http://h', type: otlp, send: [traces, metrics]}\n"
				   "prometheus: {listen: '127.0.0.1:0'}\n",
				   NULL, &c, err, sizeof(err)), 0);
	config_print(c, &once);
	config_free(c);
	buf_putc(&once, '\0');
	assert_null(strstr((char *)once.data, "hush"));
	assert_null(strstr((char *)once.data, "aHVzaA"));
	assert_non_null(strstr((char *)once.data, "url: \"https://***@h/a\""));
	assert_non_null(strstr((char *)once.data, "proxy_url: \"***@proxy:3128\""));
	assert_non_null(strstr((char *)once.data, "headers: {\"Authorization\": <secret>, \"X-A\": <secret>}"));
	assert_non_null(strstr((char *)once.data, "<secret>"));
	assert_int_equal(load_with((char *)once.data, NULL, &c, err, sizeof(err)), 0);
	config_print(c, &twice);
	config_free(c);
	buf_putc(&twice, '\0');
	assert_string_equal((char *)once.data, (char *)twice.data);
}

static void a_choice_is_taken_in_any_case_and_told_in_its_own(void **state)
{
	struct config *c;
	char err[768];

	assert_int_equal(load_with("log_format: JSON\nrelabel_configs:\n  - {action: LabelDrop, regex: a}\n", NULL, &c, err, sizeof(err)), 0);
	assert_string_equal(c->log_format, "json");
	assert_string_equal(c->relabel_configs.v[0].action, "labeldrop");
	config_free(c);
}

/* Those that packaging/MIGRATION.md sends people to. */
static void the_examples_load(void **state)
{
	glob_t found;

	assert_int_equal(glob(TESTS_DIR "/../packaging/examples/*.yaml", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 5);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct config_source src = { .path = found.gl_pathv[i] };
		struct relabel *rules;
		struct config *c;
		char err[768];

		if (config_load(&src, &c, err, sizeof(err)) < 0)
			fail_msg("%s", err);
		assert_true(c->receivers.n > 0);
		assert_int_equal(config_rules(c, &rules), 0);
		relabel_free(rules);
		config_free(c);
	}
	globfree(&found);
}

static void the_documents_in_the_tree_are_those_of_the_rows(void **state)
{
	static const struct {
		const char *file;
		void (*print)(struct buf *out);
	} documents[] = { { "CONFIGURATION.md", options_reference }, { "hotspan.schema.json", options_schema } };

	for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
		_cleanup_(buf_fini) struct buf want = BUF_INIT, got = BUF_INIT;
		char file[512];
		int r;

		snprintf(file, sizeof(file), TESTS_DIR "/../packaging/%s", documents[i].file);
		r = file_read_path(AT_FDCWD, file, MIB, &got);
		documents[i].print(&want);
		if (r < 0 || got.len != want.len || memcmp(got.data, want.data, want.len))
			fail_msg("packaging/%s is not what options.def says: run ./dev docs", documents[i].file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST(the_least_file_works),
		FILE_TEST(what_names_are_made_of_is_said_by_the_file),
		FILE_TEST(flags_override_the_environment_and_that_the_file),
		FILE_TEST(a_receiver_takes_what_it_is_told_to),
		FILE_TEST(what_is_printed_loads_again_to_the_same_and_hides_secrets),
		FILE_TEST(a_choice_is_taken_in_any_case_and_told_in_its_own),
		FILE_TEST(the_examples_load),
		FILE_TEST(the_documents_in_the_tree_are_those_of_the_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
