/* SPDX-License-Identifier: Apache-2.0 */
/* The short forms of targets, as a file has them, held against the labels of processes. */
#include "unit.h"

#include <unistd.h>

#include "agent/config.h"
#include "proc/labels.h"
#include "proc/relabel.h"

static char path[] = "/tmp/hotspan-test-selector-XXXXXX";

static int make_file(void **state)
{
	strcpy(path + sizeof(path) - 7, "XXXXXX");
	return close(mkstemp(path));
}

static int remove_file(void **state)
{
	return unlink(path);
}

static int load(const char *targets, struct config **ret, char *err, size_t len)
{
	const struct config_source src = { .path = path };
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f, "targets: %s\n", targets);
	fclose(f);
	return config_load(&src, ret, err, len);
}

/* labels: "name=value\n" each. */
static bool is_wanted(const char *targets, const char *labels)
{
	_cleanup_(strmap_fini) struct strmap set = { 0 };
	struct relabel *rules;
	struct config *c;
	char err[768];
	bool wanted;

	if (load(targets, &c, err, sizeof(err)) < 0)
		fail_msg("%s", err);
	assert_int_equal(config_rules(c, &rules), 0);
	assert_int_equal(labels_parse(labels, &set), 0);
	wanted = !rules || relabel_apply(rules, &set);
	assert_null(strmap_get(&set, "__targets_include__"));
	relabel_free(rules);
	config_free(c);
	return wanted;
}

#define ID "4a2f0d7bb1b64a6c9e4b7d3c5a1e8f90b2c4d6e8f0a1b3c5d7e9f1a2b3c4d5e6"
#define POD                                                                                  \
	"service_name=shop/web\n__container_id__=" ID                                        \
	"\n__meta_kubernetes_pod_container_name=web\n__meta_kubernetes_pod_label_app=cart\n" \
	"__meta_kubernetes_pod_label_app_kubernetes_io_name=cart.v2\n__meta_cgroup_path=/"   \
	"kubepods/podx/" ID "\n__meta_process_exe=/usr/sbin/nginx\n"                         \
	"__meta_process_username=www-data\n__meta_process_uid=33\n__process_pid__=4711\n"
#define UNIT                                                                                     \
	"service_name=cron\n__meta_cgroup_path=/system.slice/cron.service\n__meta_process_exe=/" \
	"usr/sbin/cron\n__meta_process_username=root\n"                                          \
	"__meta_process_uid=0\n__process_pid__=17\n"
#define KERNEL "service_name=kernel\n"

static void an_entry_matches_what_all_its_keys_do(void **state)
{
	static const struct {
		const char *entry;
		bool pod, unit, kernel;
	} cases[] = {
		{ "{service: shop/web}", true, false, false },
		{ "{service: shop}", false, false, false },
		{ "{service: '*'}", true, true, true },
		{ "{service: 'shop*'}", true, false, false },
		{ "{service: '?ron'}", false, true, false },
		{ "{service: '[a-c]ron'}", false, true, false },
		{ "{service: '[!a-c]ron'}", false, false, false },
		{ "{service: '[]ck]*'}", false, true, true },
		{ "{service: 'cr\\on'}", false, true, false },
		{ "{service: 'c.on'}", false, false, false },
		{ "{service: kernel}", false, false, true },
		{ "{container: " ID "}", true, false, false },
		{ "{container: '4a2f*'}", true, false, false },
		{ "{container: web}", true, false, false },
		{ "{container: 'w*'}", true, false, false },
		{ "{container: '*'}", true, false, false },
		{ "{container: 4a2f}", false, false, false },
		{ "{pod_label: {app: cart}}", true, false, false },
		{ "{pod_label: {app: '*'}}", true, false, false },
		{ "{pod_label: {app: cart, app.kubernetes.io/name: 'cart.v?'}}", true, false,
		  false },
		{ "{pod_label: {app: cart, tier: '*'}}", false, false, false },
		{ "{cgroup: /system.slice}", false, true, false },
		{ "{cgroup: system.slice/}", false, true, false },
		{ "{cgroup: '/system.slice/*'}", false, true, false },
		{ "{cgroup: /system}", false, false, false },
		{ "{cgroup: '*.service'}", false, true, false },
		{ "{cgroup: /kubepods/podx}", true, false, false },
		{ "{cgroup: /}", true, true, false },
		{ "{cgroup: '*'}", true, true, false },
		{ "{user: root}", false, true, false },
		{ "{user: 0}", false, true, false },
		{ "{user: 33}", true, false, false },
		{ "{user: '*-data'}", true, false, false },
		{ "{executable: /usr/sbin/nginx}", true, false, false },
		{ "{executable: nginx}", true, false, false },
		{ "{executable: 'ngin*'}", true, false, false },
		{ "{executable: 'sbin*'}", false, false, false },
		{ "{executable: '/usr/*'}", true, true, false },
		{ "{executable: inx}", false, false, false },
		{ "{pid: 4711}", true, false, false },
		{ "{pid: 47}", false, false, false },
		{ "{user: root, executable: 'c*'}", false, true, false },
		{ "{user: root, executable: 'n*'}", false, false, false },
		{ "{container: '*', user: www-data, pid: 4711, cgroup: /kubepods, service: '*', "
		  "executable: nginx, pod_label: {app: '*'}}",
		  true, false, false },
	};
	char include[512], exclude[512];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *labels[] = { POD, UNIT, KERNEL };
		const bool want[] = { cases[i].pod, cases[i].unit, cases[i].kernel };

		snprintf(include, sizeof(include), "{include: [%s]}", cases[i].entry);
		snprintf(exclude, sizeof(exclude), "{exclude: [%s]}", cases[i].entry);
		for (int k = 0; k < 3; k++)
			if (is_wanted(include, labels[k]) != want[k] ||
			    is_wanted(exclude, labels[k]) == want[k])
				fail_msg("%s: %s", cases[i].entry, labels[k]);
	}
}

static void one_entry_of_include_is_enough_and_one_of_exclude_too_many(void **state)
{
	static const struct {
		const char *targets;
		bool pod, unit;
	} cases[] = {
		{ "{}", true, true },
		{ "{include: [], exclude: []}", true, true },
		{ "{include: [{pid: 1}, {user: root}, {pid: 2}]}", false, true },
		{ "{include: [{user: root}, {container: web}]}", true, true },
		{ "{exclude: [{pid: 1}, {user: root}]}", true, false },
		{ "{include: [{service: '*'}], exclude: [{container: '*'}]}", false, true },
		{ "{include: [{container: web}], exclude: [{pid: 4711}]}", false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (is_wanted(cases[i].targets, POD) != cases[i].pod ||
		    is_wanted(cases[i].targets, UNIT) != cases[i].unit)
			fail_msg("%s", cases[i].targets);
}

/* What a process calls itself must not reach over into the next label. */
static void a_value_stays_within_its_label(void **state)
{
	assert_false(is_wanted("{include: [{service: 'a*', user: root}]}",
			       "service_name=a\n__meta_process_username=x;root\n"));
	assert_false(is_wanted("{include: [{service: 'a?root', user: '*'}]}",
			       "service_name=a\n__meta_process_username=root\n"));
	assert_false(is_wanted("{include: [{service: 'a[!b]root', user: '*'}]}",
			       "service_name=a\n__meta_process_username=root\n"));
}

static void rules_come_after_and_see_the_labels_as_they_were_found(void **state)
{
	static const char yaml[] = "{include: [{service: cron}]}\nrelabel_configs:\n  - {action: "
				   "labelmap, regex: '__(targets.*)'}\n"
				   "  - {source_labels: [service_name], target_label: "
				   "service_name, replacement: '$1-2'}";
	_cleanup_(strmap_fini) struct strmap set = { 0 };
	struct relabel *rules;
	struct config *c;
	char err[768];

	assert_int_equal(load(yaml, &c, err, sizeof(err)), 0);
	assert_int_equal(config_rules(c, &rules), 0);
	assert_int_equal(labels_parse("service_name=cron\n", &set), 0);
	assert_int_equal(relabel_apply(rules, &set), 1);
	assert_string_equal(strmap_get(&set, "service_name"), "cron-2");
	assert_int_equal(set.v.n, 1);
	relabel_free(rules);
	config_free(c);
}

static void what_is_wrong_is_named_with_the_remedy(void **state)
{
	static const struct {
		const char *targets, *want;
	} cases[] = {
		{ "[]", ":1: targets: it must be a mapping of keys to values" },
		{ "{inclde: []}",
		  ":1: targets: there is no key 'inclde': it has include and exclude" },
		{ "{include: {service: a}}", ":1: targets.include: it must be a list: begin each "
					     "with `- service:` or another key" },
		{ "{exclude: [a]}",
		  ":1: targets.exclude[0]: it must be a mapping of keys to values" },
		{ "{exclude: [{pid: 1}, {}]}",
		  ":1: targets.exclude[1]: it says of no process: give it a key, e.g. service" },
		{ "{include: [{pod_label: {}}]}",
		  ":1: targets.include[0]: it says of no process: give it a key, e.g. service" },
		{ "{include: [{servce: a}]}",
		  ":1: targets.include[0]: there is no key 'servce': did you mean 'service'?" },
		{ "{include: [{user: root, service: ''}]}",
		  ":1: targets.include[0]: a value is empty: give one, e.g. \"*\" for any, or "
		  "leave the key out" },
		{ "{include: [{pod_label: {app: ''}}]}",
		  ":1: targets.include[0]: a value is empty: give one, e.g. \"*\" for any, or "
		  "leave the key out" },
		{ "{include: [{service: [a]}]}",
		  ":1: targets.include[0].service: it takes one value, not a list" },
		{ "{include: [{pid: x}]}",
		  ":1: targets.include[0].pid: 'x' is not a number from 1 to 4194304" },
		{ "{include: [{pid: 0}]}",
		  ":1: targets.include[0].pid: '0' is not a number from 1 to 4194304" },
		{ "{include: [{pod_label: app}]}",
		  ":1: targets.include[0].pod_label: it must be a mapping: write {name: value}" },
		{ "{include: [{pod_label: {'a b': c}}]}",
		  ":1: targets.include[0].pod_label: 'a b' is no name of a pod's label: letters, "
		  "digits, - . _ and /" },
		{ "{include: [{cgroup: 'a[b'}]}",
		  ":1: targets.include[0]: cgroup: 'a[b' has a [ that is not closed, or a class "
		  "like [:digit:]: write [0-9], or \\[ for the bracket itself" },
		{ "{include: [{user: '[[:digit:]]'}]}",
		  ":1: targets.include[0]: user: '[[:digit:]]' has a [ that is not closed, or a "
		  "class like [:digit:]: write [0-9], or \\[ for the bracket itself" },
		{ "{include: [{service: '[z-a]'}]}",
		  ":1: targets.include[0]: regex '[z-a]': range out of order in character class" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config *c;
		char err[768], want[768];

		assert_true(load(cases[i].targets, &c, err, sizeof(err)) < 0);
		snprintf(want, sizeof(want), "%s%s", path, cases[i].want);
		assert_string_equal(err, want);
	}
}

int main(void)
{
#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, make_file, remove_file)
	const struct CMUnitTest tests[] = {
		FILE_TEST(an_entry_matches_what_all_its_keys_do),
		FILE_TEST(one_entry_of_include_is_enough_and_one_of_exclude_too_many),
		FILE_TEST(a_value_stays_within_its_label),
		FILE_TEST(rules_come_after_and_see_the_labels_as_they_were_found),
		FILE_TEST(what_is_wrong_is_named_with_the_remedy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
