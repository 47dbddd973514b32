/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong in a configuration file: every error names file, line, key and remedy. */
#include "fixture_config.h"

#include <errno.h>

static void every_error_names_the_line_the_key_and_the_remedy(void **state)
{
	static const struct {
		const char *yaml, *want; /* behind the file's name */
	} cases[] = {
		{ "freqency: 99\n", ":1: there is no key 'freqency': did you mean 'frequency'?" },
		{ "\nreciever: []\n", ":2: there is no key 'reciever': did you mean 'receivers'?" },
		{ "zzz: 1\n", ":1: there is no key 'zzz': `hotspan config --reference` lists all" },
		{ "frequency: fast\n", ":1: frequency: 'fast' is not a number from 1 to 10000" },
		{ "frequency: 0\n", ":1: frequency: '0' is not a number from 1 to 10000" },
		{ "frequency: 10001\n", ":1: frequency: '10001' is not a number from 1 to 10000" },
		{ "frequency: [99]\n", ":1: frequency: it takes one value, not a list" },
		{ "frequency: {hz: 99}\n", ":1: frequency: it takes one value, not a mapping" },
		{ "frequency:\n", ":1: frequency: it has no value: give one, or leave the line out" },
		{ "frequency: 99\nfrequency: 98\n", ":2: 'frequency' stands here twice" },
		{ "flush_interval: 15 apples\n", ":1: flush_interval: '15 apples' is not a time from 1s to 10m" },
		{ "flush_interval: 10ms\n", ":1: flush_interval: '10ms' is not a time from 1s to 10m" },
		{ "max_window_bytes: 1KiB\n", ":1: max_window_bytes: '1KiB' is not a size from 1MiB to 4GiB" },
		{ "user_stacks: maybe\n", ":1: user_stacks: 'maybe' is neither true nor false" },
		{ "log_format: xml\n", ":1: log_format: 'xml' is none of text|json" },
		{ "max_cpu_percent: lots\n", ":1: max_cpu_percent: 'lots' is not a percentage from 0 to 100" },
		{ "max_cpu_percent: 101%\n", ":1: max_cpu_percent: '101%' is not a percentage from 0 to 100" },
		{ "relabel_configs: {action: drop}\n", ":1: relabel_configs: it must be a list: begin each with `- source_labels:` or another key" },
		{ "relabel_config: []\n", ":1: there is no key 'relabel_config': did you mean 'relabel_configs'?" },
		{ "relabel_configs:\n  - action: burn\n", ":2: relabel_configs[0].action: 'burn' is none of replace|keep|drop|keepequal|dropequal|hashmod|labelmap|labeldrop|labelkeep|lowercase|uppercase" },
		{ "relabel_configs:\n  - action: drop\n  - {action: keep, regex: 'a('}\n", ":3: relabel_configs[1]: regex 'a(': missing closing parenthesis" },
		{ "relabel_configs:\n  - {source_labels: [a, {b: c}], target_label: d}\n", ":2: relabel_configs[0].source_labels: its entries must be plain text" },
		{ "relabel_configs:\n  - {action: labeldrop, regex: a, target_label: d}\n", ":2: relabel_configs[0]: action labeldrop takes regex, and nothing else" },
		{ "labels: prod\n", ":1: labels: it must be a mapping: write {name: value}" },
		{ "labels: {a-b: c}\n", ":1: labels: label 'a-b': a name is made of letters, digits and _, and does not begin with a digit" },
		{ "labels: {__name__: c}\n", ":1: labels: label '__name__': names that begin with __ are the server's own" },
		{ "labels: {service_name: c}\n", ":1: labels: label 'service_name': hotspan sets it itself, from the process" },
		{ "labels: {a: ''}\n", ":1: labels: label 'a': a value has 1 to 2048 bytes" },
		{ "labels: {a: [1]}\n", ":1: labels: its entries must be name: value, with plain text on both sides" },
		{ "receivers: {name: a}\n", ":1: receivers: it must be a list: begin each with `- name:`" },
		{ "receivers: [a]\n", ":1: receivers[0]: it must be a mapping of keys to values" },
		{ "receivers:\n  - url: http://h\n", ":2: receivers[0]: it needs a name: add `name: prod`" },
		{ "receivers:\n  - name: a\n", ":2: receivers[0]: it needs a url: add `url: http://127.0.0.1:4040`" },
		{ "receivers:\n  - name: a\n    url: ftp://h\n", ":2: receivers[0]: url 'ftp://h' must begin with http:// or https://" },
		{ "receivers:\n  - {name: a/b, url: 'http://h', spool: /s}\n",
		  ":2: receivers[0]: name 'a/b' is to be a directory below spool: it must have no '/' in it, and not be '.' or '..'" },
		{ "receivers:\n  - {name: .., url: 'http://h', spool: /s}\n",
		  ":2: receivers[0]: name '..' is to be a directory below spool: it must have no '/' in it, and not be '.' or '..'" },
		{ RECEIVER "    path: /p\n", ":2: receivers[0]: path is for type file, and for type otlp over HTTP: leave it out" },
		{ "receivers:\n  - {name: a, type: file}\n", ":2: receivers[0]: it needs a path: add `path: /var/lib/hotspan/profiles`" },
		{ "receivers:\n  - {name: a, type: file, path: /p, url: 'http://h'}\n", ":2: receivers[0]: url is for servers: leave it out, or change the type" },
		{ "receivers:\n  - {name: a, type: file, path: /p}\n  - {name: b, type: file, path: /p}\n",
		  ":3: receivers[1]: receiver 'a' has this path: give each one its own" },
		{ "receivers:\n  - {name: a, type: file, path: /p, max_bytes: 1KiB}\n", ":2: receivers[0].max_bytes: '1KiB' is not a size from 16MiB to 1024GiB" },
		{ RECEIVER "  - name: a\n    url: http://h\n", ":4: receivers[1]: there are two receivers called 'a': give one another name" },
		{ RECEIVER "    tls_config: {ca_fil: x}\n", ":4: receivers[0].tls_config: there is no key 'tls_config.ca_fil': did you mean 'tls_config.ca_file'?" },
		{ RECEIVER "    tls_config: x\n", ":4: receivers[0].tls_config: it must be a mapping of keys to values" },
		{ RECEIVER "    tls_config: {cert_file: x}\n", ":2: receivers[0]: tls_config needs cert_file and key_file together" },
		{ RECEIVER "    basic_auth: {username: u, password: p, password_file: f}\n",
		  ":2: receivers[0]: basic_auth has both password and password_file: keep one" },
		{ RECEIVER "    basic_auth: {password: p}\n", ":2: receivers[0]: basic_auth has a password but no username: add it" },
		{ RECEIVER "    bearer_token: t\n    bearer_token_file: f\n",
		  ":2: receivers[0]: both bearer_token and bearer_token_file are set: keep one" },
		{ RECEIVER "    bearer_token: t\n    basic_auth: {username: u}\n",
		  ":2: receivers[0]: both basic_auth and a bearer token are set: keep one" },
		{ RECEIVER "    type: loki\n", ":4: receivers[0].type: 'loki' is none of pyroscope|otlp|file" },
		{ RECEIVER "    send: [profiles, logs]\n", ":4: receivers[0].send: 'logs' is none of profiles|traces|metrics" },
		{ RECEIVER "    type: otlp\n    send: []\n", ":2: receivers[0]: send names nothing: name at least one of profiles, traces, metrics" },
		{ RECEIVER "    send: [profiles, traces]\n",
		  ":2: receivers[0]: send: a receiver of type pyroscope takes profiles only; traces and metrics go to one of type otlp" },
		{ "receivers:\n  - name: a\n    type: file\n    path: /x\n    send: [traces]\n",
		  ":2: receivers[0]: send: a receiver of type file takes profiles only; traces and metrics go to one of type otlp" },
		{ RECEIVER "    send: {traces: true}\n", ":4: receivers[0].send: it takes one value, not a mapping" },
		{ RECEIVER "    type: otlp\n    protocol: grpc\n    path: /x\n", ":2: receivers[0]: path is for type file, and for type otlp over HTTP: leave it out" },
		{ RECEIVER "    type: otlp\n    path: x\n", ":2: receivers[0]: path 'x' must begin with / and be of one signal: make a receiver for each" },
		{ RECEIVER "    type: otlp\n    send: [traces, metrics]\n    path: /x\n",
		  ":2: receivers[0]: path '/x' must begin with / and be of one signal: make a receiver for each" },
		{ "prometheus: 127.0.0.1:9400\n", ":1: prometheus: it must be a mapping of keys to values" },
		{ RECEIVER "    headers: {'a b': c}\n", ":4: receivers[0].headers: 'a b' is no name of an HTTP header" },
		{ RECEIVER "    headers: {a: \"b\\nc\"}\n", ":4: receivers[0].headers: header 'a': a value is one line" },
		{ "receive: 127.0.0.1:4041\n", ":1: receive: it must be a mapping of keys to values" },
		{ "receive: {lisen: off}\n", ":1: receive: there is no key 'receive.lisen': did you mean 'receive.listen'?" },
		{ "trace:\n  routes:\n    - /a\n    - users/{id}\n", ":4: trace.routes: the route 'users/{id}' does not begin with /: write it like /users/{id}" },
		{ "trace: {routes: [/a/**/b]}\n", ":1: trace.routes: the route '/a/**/b' has ** before its end: only a last segment can be any rest" },
		{ "trace: {max_routes: 0}\n", ":1: trace.max_routes: '0' is not a number from 1 to 10000" },
		{ "trace: {metric_names: old}\n", ":1: trace.metric_names: 'old' is none of stable|beyla" },
		{ "trace: {metrics_interval: 1ms}\n", ":1: trace.metrics_interval: '1ms' is not a time from 1s to 60m" },
		{ "a: [\n", ":2: it is no valid YAML: did not find expected node content" },
		{ "- a\n", ":1: it must be a mapping of keys to values" },
		{ "? [a]\n: b\n", ":1: a key must be plain text" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config *c = NULL;
		char err[768], want[768];

		assert_true(load_with(cases[i].yaml, NULL, &c, err, sizeof(err)) < 0);
		snprintf(want, sizeof(want), "%s%s", path, cases[i].want);
		assert_string_equal(err, want);
	}
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
	struct config_source src = { .path = "/nonexistent/hotspan.yaml" };
	struct config *c;
	char err[768];

	assert_int_equal(config_load(&src, &c, err, sizeof(err)), -ENOENT);
	assert_string_equal(err, "/nonexistent/hotspan.yaml: No such file or directory: is the path right, and may you read it?");
	src.path = "/proc";
	assert_true(config_load(&src, &c, err, sizeof(err)) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST(every_error_names_the_line_the_key_and_the_remedy),
		FILE_TEST(a_file_that_cannot_be_read_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
