/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenTelemetry's variables say: a receiver, labels, the sampler; beside the file. */
#include "fixture_config.h"

#include <errno.h>

#include "base/buf.h"
#include "base/units.h"

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

#define P "OTEL_EXPORTER_OTLP_"

static void opentelemetrys_variables_part_the_signals(void **state)
{
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST(opentelemetrys_variables_make_a_receiver_and_labels),
		FILE_TEST(the_interval_of_metrics_is_the_variables_where_the_file_has_none),
		FILE_TEST(opentelemetrys_variables_part_the_signals),
		FILE_TEST(a_signals_own_variable_is_before_that_for_all),
		FILE_TEST(opentelemetrys_sampler_is_before_the_file),
		FILE_TEST(opentelemetrys_variables_that_are_wrong_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
