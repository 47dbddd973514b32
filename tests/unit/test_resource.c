/* SPDX-License-Identifier: Apache-2.0 */
/* What a service is to OpenTelemetry, by the labels of its series. */
#include "unit.h"

#include <unistd.h>

#include "agent/resource.h"
#include "base/strmap.h"
#include "version.h"

static const char *get(const struct strmap *m, const char *key)
{
	const char *value = strmap_get(m, key);

	return value ? value : "";
}

static struct strmap labels(const char *const *pairs)
{
	struct strmap m = { 0 };

	for (; *pairs; pairs += 2)
		assert_int_equal(strmap_set(&m, pairs[0], pairs[1]), 0);
	return m;
}

static void labels_have_the_names_of_the_conventions(void **state)
{
	static const char *const pairs[] = { "__name__", "process_cpu", "service_name", "web", "service_namespace", "shop", "instance", "host1",
					     "k8s_pod_name", "web-0", "deployment_environment", "prod", "team", "blue", "service_names", "x", NULL };
	_cleanup_(strmap_fini) struct strmap from = labels(pairs), r = { 0 };

	assert_int_equal(resource_of(&from, &r), 0);
	assert_int_equal(r.v.n, 7);
	assert_string_equal(get(&r, "service.name"), "web");
	assert_string_equal(get(&r, "service.namespace"), "shop");
	assert_string_equal(get(&r, "host.name"), "host1");
	assert_string_equal(get(&r, "k8s.pod.name"), "web-0");
	assert_string_equal(get(&r, "deployment.environment"), "prod");
	assert_string_equal(get(&r, "team"), "blue");
	assert_string_equal(get(&r, "service_names"), "x");
}

static void a_target_is_complete_with_this_hosts_name(void **state)
{
	static const char *const pairs[] = { "env", "prod", "service_name", "not this", NULL };
	_cleanup_(strmap_fini) struct strmap more = labels(pairs), r = { 0 }, named = { 0 };
	char host[256];

	gethostname(host, sizeof(host));
	assert_int_equal(resource_of_target("service_name=web\n", &more, &r), 0);
	assert_string_equal(get(&r, "service.name"), "web");
	assert_string_equal(get(&r, "env"), "prod");
	assert_string_equal(get(&r, "host.name"), host);
	assert_string_equal(get(&r, "service.instance.id"), host);
	assert_string_equal(get(&r, "telemetry.sdk.name"), "hotspan");
	assert_int_equal(resource_of_target("service_name=web\ninstance=other\n", NULL, &named), 0);
	assert_string_equal(get(&named, "host.name"), "other");
}

static void an_instance_is_one_of_its_service(void **state)
{
	static const struct {
		const char *labels[12];
		uint32_t pid;
		const char *want;
	} cases[] = {
		{ { "instance", "h" }, 7, "h:7" },
		{ { "instance", "h" }, 0, "h" },
		{ { "service_name", "web" }, 7, "node-1:7" },
		{ { "instance", "h", "service_instance_id", "mine" }, 7, "mine" },
		{ { "instance", "h", "k8s_namespace_name", "n", "k8s_pod_name", "p", "k8s_container_name", "c" }, 7, "n.p.c" },
		{ { "instance", "h", "k8s_namespace_name", "n", "k8s_pod_name", "p" }, 7, "h:7" },
	};

	assert_int_equal(setenv("NODE_NAME", "node-1", 1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(strmap_fini) struct strmap from = labels(cases[i].labels), r = { 0 };

		assert_int_equal(resource_of(&from, &r), 0);
		assert_int_equal(resource_complete(cases[i].pid, &r), 0);
		assert_string_equal(get(&r, "service.instance.id"), cases[i].want);
		assert_string_equal(get(&r, "telemetry.sdk.name"), "hotspan");
		assert_string_equal(get(&r, "telemetry.sdk.version"), HOTSPAN_VERSION);
		assert_string_equal(get(&r, "os.type"), "linux");
	}
}

static void the_agent_is_one_too(void **state)
{
	static const char *const pairs[] = { "env", "prod", "service_namespace", "ops", NULL };
	_cleanup_(strmap_fini) struct strmap from = labels(pairs), r = { 0 };
	char want[300];

	assert_int_equal(setenv("NODE_NAME", "node-1", 1), 0);
	assert_int_equal(resource_of_agent(&from, &r), 0);
	snprintf(want, sizeof(want), "node-1:%d", (int)getpid());
	assert_string_equal(get(&r, "service.name"), "hotspan");
	assert_string_equal(get(&r, "service.namespace"), "ops");
	assert_string_equal(get(&r, "service.version"), HOTSPAN_VERSION);
	assert_string_equal(get(&r, "host.name"), "node-1");
	assert_string_equal(get(&r, "service.instance.id"), want);
	assert_string_equal(get(&r, "env"), "prod");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_have_the_names_of_the_conventions),
		cmocka_unit_test(a_target_is_complete_with_this_hosts_name),
		cmocka_unit_test(an_instance_is_one_of_its_service),
		cmocka_unit_test(the_agent_is_one_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
