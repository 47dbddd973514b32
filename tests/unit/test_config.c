/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: every error names file, line, key and remedy; every source overrides the one before. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <unistd.h>

#include "agent/config.h"
#include "agent/options_doc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/units.h"
#include "exporter/otlp_format.h"
#include "proc/relabel.h"

static char path[] = "/tmp/hotspan-test-config-XXXXXX";

static int make_file(void **state)
{
	strcpy(path + sizeof(path) - 7, "XXXXXX");
	return close(mkstemp(path));
}

static int remove_file(void **state)
{
	return unlink(path);
}

static int load_with(const char *yaml, const struct config_source *more, struct config **ret, char *err, size_t len)
{
	struct config_source src = more ? *more : (struct config_source){ 0 };
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(yaml, f);
	fclose(f);
	src.path = path;
	return config_load(&src, ret, err, len);
}

#define RECEIVER "receivers:\n  - name: a\n    url: http://h\n"

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

static void opentelemetrys_variables_make_a_receiver_and_labels(void **state)
{
	char *env[] = { "OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_HEADERS=api-key=a%2Cb , X-B=c",
			"OTEL_EXPORTER_OTLP_TIMEOUT=2500", "OTEL_EXPORTER_OTLP_COMPRESSION=none", "OTEL_EXPORTER_OTLP_CERTIFICATE=/ca.pem",
			"OTEL_EXPORTER_OTLP_CLIENT_KEY=", "OTEL_RESOURCE_ATTRIBUTES=deployment.environment=prod,service.name=x,env=theirs,host.name=h%C3%A4", NULL };
	const struct config_source src = { .environment = env };
	struct config *c;
	char err[768];

	assert_int_equal(load_with(RECEIVER "labels: {env: ours}\n", &src, &c, err, sizeof(err)), 0);
	assert_int_equal(c->receivers.n, 2);
	assert_string_equal(c->receivers.v[1].name, "otlp");
	assert_string_equal(c->receivers.v[1].type, "otlp");
	assert_string_equal(c->receivers.v[1].url, "https://collector:4317");
	assert_string_equal(c->receivers.v[1].protocol, "grpc");
	assert_string_equal(c->receivers.v[1].compression, "none");
	assert_string_equal(c->receivers.v[1].ca_file, "/ca.pem");
	assert_int_equal(c->receivers.v[1].timeout_ns, 2500 * NSEC_PER_MSEC);
	assert_string_equal(strmap_get(&c->receivers.v[1].headers, "api-key"), "a,b");
	assert_string_equal(strmap_get(&c->receivers.v[1].headers, "X-B"), "c");
	assert_int_equal(c->labels.v.n, 3);
	assert_string_equal(strmap_get(&c->labels, "env"), "ours");
	assert_string_equal(strmap_get(&c->labels, "deployment_environment"), "prod");
	assert_string_equal(strmap_get(&c->labels, "instance"), "hä");
	config_free(c);
	env[1] = "OTEL_EXPORTER_OTLP_INSECURE=true";
	assert_int_equal(load_with("receivers: [{name: o, type: otlp, url: 'http://h'}]\n", &src, &c, err, sizeof(err)), 0);
	assert_int_equal(c->receivers.n, 1);
	config_free(c);
}

static void the_interval_of_metrics_is_the_variables_where_the_file_has_none(void **state)
{
	char *env[] = { "OTEL_METRIC_EXPORT_INTERVAL=2500", NULL };
	const struct config_source src = { .environment = env };
	struct config *c;
	char err[768];

	assert_int_equal(load_with("", NULL, &c, err, sizeof(err)), 0);
	assert_int_equal(c->trace_metrics_interval_ns, 60 * NSEC_PER_SEC);
	config_free(c);
	assert_int_equal(load_with("trace: {enabled: true}\n", &src, &c, err, sizeof(err)), 0);
	assert_int_equal(c->trace_metrics_interval_ns, 2500 * NSEC_PER_MSEC);
	config_free(c);
	assert_int_equal(load_with("trace: {metrics_interval: 10s}\n", &src, &c, err, sizeof(err)), 0);
	assert_int_equal(c->trace_metrics_interval_ns, 10 * NSEC_PER_SEC);
	config_free(c);
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

/* Of the receivers that these variables make, "name signals url path" each. */
static void assert_made(char *const *env, const char *want)
{
	const struct config_source src = { .environment = env };
	_cleanup_(buf_fini) struct buf got = BUF_INIT;
	struct config *c;
	char err[768];

	if (load_with("", &src, &c, err, sizeof(err)) < 0)
		fail_msg("%s", err);
	vec_foreach(o, &c->receivers)
		buf_printf(&got, "%s %u %s%s\n", o->name, o->send, o->url, o->path ? o->path : "");
	buf_putc(&got, '\0');
	assert_string_equal((char *)got.data, want);
	config_free(c);
}

static void opentelemetrys_variables_part_the_signals(void **state)
{
#define P "OTEL_EXPORTER_OTLP_"
	char *all[] = { P "ENDPOINT=http://h:4318", NULL };
	char *none[] = { P "ENDPOINT=http://h:4318", "OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=console, prometheus", NULL };
	char *listed[] = { P "ENDPOINT=http://h:4318", "OTEL_TRACES_EXPORTER=console, otlp", NULL };
	char *own[] = { P "ENDPOINT=http://h:4318/base", P "TRACES_ENDPOINT=https://t/some/v1/traces?x=1", P "METRICS_ENDPOINT=http://m:1", NULL };
	char *alone[] = { P "TRACES_ENDPOINT=http://t:4318/v1/traces", NULL };
	char *headers[] = { P "ENDPOINT=http://h:4318", P "METRICS_HEADERS=a=b", NULL };
	char *grpc[] = { P "TRACES_ENDPOINT=t:4317", P "TRACES_PROTOCOL=grpc", P "TRACES_INSECURE=true", NULL };
	char *lost[] = { P "TRACES_HEADERS=a=b", NULL };

	assert_made(all, "otlp 7 http://h:4318\n");
	assert_made(none, "otlp 1 http://h:4318\n");
	assert_made(listed, "otlp 7 http://h:4318\n");
	assert_made(own, "otlp 1 http://h:4318/base\notlp-traces 2 https://t/some/v1/traces?x=1\notlp-metrics 4 http://m:1/\n");
	assert_made(alone, "otlp-traces 2 http://t:4318/v1/traces\n");
	assert_made(headers, "otlp 3 http://h:4318\notlp-metrics 4 http://h:4318\n");
	assert_made(grpc, "otlp-traces 2 http://t:4317\n");
	assert_made(lost, "");
}

static void a_signals_own_variable_is_before_that_for_all(void **state)
{
	char *env[] = { P "ENDPOINT=http://h:4318", P "HEADERS=a=all", P "TRACES_HEADERS=a=traces", P "TIMEOUT=2000", P "METRICS_TIMEOUT=3000", P "COMPRESSION=none", NULL };
	const struct config_source src = { .environment = env };
	const struct receiver_opts *o;
	struct config *c;
	char err[768];

	assert_int_equal(load_with("", &src, &c, err, sizeof(err)), 0);
	assert_int_equal(c->receivers.n, 3);
	o = c->receivers.v;
	assert_string_equal(strmap_get(&o[0].headers, "a"), "all");
	assert_string_equal(strmap_get(&o[1].headers, "a"), "traces");
	assert_string_equal(strmap_get(&o[2].headers, "a"), "all");
	assert_int_equal(o[1].timeout_ns, 2 * NSEC_PER_SEC);
	assert_int_equal(o[2].timeout_ns, 3 * NSEC_PER_SEC);
	assert_string_equal(o[1].compression, "none");
	config_free(c);
}

static void opentelemetrys_sampler_is_before_the_file(void **state)
{
	static const struct {
		char *sampler, *arg;
		const char *file;
		double percent;
		bool errors;
	} cases[] = {
		{ "OTEL_TRACES_SAMPLER=", "OTEL_TRACES_SAMPLER_ARG=0.5", "", 100, true }, /* of no sampler */
		{ "OTEL_TRACES_SAMPLER=always_on", "OTEL_TRACES_SAMPLER_ARG=0.5", "", 100, true },
		{ "OTEL_TRACES_SAMPLER=parentbased_always_on", "", "", 100, true },
		{ "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.05", "", 5, true },
		{ "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=1e-3", "", 0.1, true },
		{ "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "", "", 100, true },
		{ "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.5", "trace: {sample_percent: 7}\n", 7, true },
		{ "OTEL_TRACES_SAMPLER=parentbased_always_off", "", "", 0, false },
		{ "OTEL_TRACES_SAMPLER=always_off", "", "trace: {keep_errors: true}\n", 0, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *env[] = { cases[i].sampler, cases[i].arg, NULL };
		const struct config_source src = { .environment = env };
		struct config *c;
		char err[768];

		assert_int_equal(load_with(cases[i].file, &src, &c, err, sizeof(err)), 0);
		assert_float_equal(c->trace_sample_percent, cases[i].percent, 1e-9);
		assert_int_equal(c->trace_keep_errors, cases[i].errors);
		config_free(c);
	}
}

static void opentelemetrys_variables_that_are_wrong_are_named(void **state)
{
	static const struct {
		char *variable;
		const char *want;
	} cases[] = {
		{ "OTEL_EXPORTER_OTLP_PROTOCOL=http/json", "PROTOCOL: 'http/json' is none of http/protobuf|grpc" },
		{ "OTEL_EXPORTER_OTLP_TIMEOUT=1s", "TIMEOUT: '1sms' is not a time from 1s to 5m" },
		{ "OTEL_EXPORTER_OTLP_HEADERS=a", "HEADERS: it must be name=value,name=value, percent-encoded" },
		{ "OTEL_EXPORTER_OTLP_HEADERS=a b=c", "HEADERS: 'a b' is no name of an HTTP header" },
		{ "OTEL_EXPORTER_OTLP_CLIENT_KEY=/k", "CLIENT_KEY: it and OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE go together: set both" },
		{ "OTEL_EXPORTER_OTLP_ENDPOINT=h:4318", "ENDPOINT: it must begin with http:// or https://" },
		{ "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=h:4318", "OTLP_TRACES_ENDPOINT: it must begin with http:// or https://" },
		{ "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/json", "OTLP_METRICS_PROTOCOL: 'http/json' is none of http/protobuf|grpc" },
		{ "OTEL_EXPORTER_OTLP_TRACES_HEADERS=a", "OTLP_TRACES_HEADERS: it must be name=value,name=value, percent-encoded" },
		{ "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY=/k", "OTLP_TRACES_CLIENT_KEY: it and OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE go together" },
		{ "OTEL_METRIC_EXPORT_INTERVAL=5s", "INTERVAL: '5sms' is not a time from 1s to 60m" },
		{ "OTEL_RESOURCE_ATTRIBUTES=a=%2", "it must be key=value,key=value, percent-encoded" },
		{ "OTEL_TRACES_SAMPLER=jaeger_remote", "SAMPLER: it must be always_on, always_off or traceidratio, alone or behind parentbased_" },
		{ "OTEL_RESOURCE_ATTRIBUTES=1=b", "label '1': a name is made of letters, digits and _, and does not begin with a digit" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *env[] = { cases[i].variable, "OTEL_EXPORTER_OTLP_ENDPOINT=http://h:4318", NULL };
		const struct config_source src = { .environment = env };
		struct config *c;
		char err[768];

		assert_int_equal(load_with("", &src, &c, err, sizeof(err)), -EINVAL);
		if (!strstr(err, cases[i].want) || strncmp(err, "environment variable OTEL_", 26))
			fail_msg("%s", err);
	}
	for (const char *const *arg = (const char *const[]){ "x", "1.5", "-1", "0.5x", "nan", NULL }; *arg; arg++) {
		char text[64], *env[] = { "OTEL_TRACES_SAMPLER=traceidratio", text, NULL };
		const struct config_source src = { .environment = env };
		struct config *c;
		char err[768];

		snprintf(text, sizeof(text), "OTEL_TRACES_SAMPLER_ARG=%s", *arg);
		assert_int_equal(load_with("", &src, &c, err, sizeof(err)), -EINVAL);
		assert_string_equal(err, "environment variable OTEL_TRACES_SAMPLER_ARG: it must be a number from 0 to 1");
	}
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
#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, make_file, remove_file)
	const struct CMUnitTest tests[] = {
		FILE_TEST(every_error_names_the_line_the_key_and_the_remedy),
		FILE_TEST(a_file_that_cannot_be_read_is_named),
		FILE_TEST(the_least_file_works),
		FILE_TEST(what_names_are_made_of_is_said_by_the_file),
		FILE_TEST(flags_override_the_environment_and_that_the_file),
		FILE_TEST(opentelemetrys_variables_make_a_receiver_and_labels),
		FILE_TEST(the_interval_of_metrics_is_the_variables_where_the_file_has_none),
		FILE_TEST(a_receiver_takes_what_it_is_told_to),
		FILE_TEST(opentelemetrys_variables_part_the_signals),
		FILE_TEST(a_signals_own_variable_is_before_that_for_all),
		FILE_TEST(opentelemetrys_sampler_is_before_the_file),
		FILE_TEST(opentelemetrys_variables_that_are_wrong_are_named),
		FILE_TEST(what_is_printed_loads_again_to_the_same_and_hides_secrets),
		FILE_TEST(a_choice_is_taken_in_any_case_and_told_in_its_own),
		FILE_TEST(the_examples_load),
		FILE_TEST(rows_that_need_a_restart_keep_their_value),
		FILE_TEST(so_do_lists),
		FILE_TEST(a_receivers_spool_changes_with_a_restart_and_says_so),
		FILE_TEST(the_documents_in_the_tree_are_those_of_the_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
