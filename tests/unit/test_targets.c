/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of labels by process: what rules make of them, and how many are remembered. */
#include "fixture_identity.h"

#include "proc/labels.h"
#include "proc/relabel.h"
#include "proc/target.h"

static const char *found(struct targets *t, const struct identity_view *v)
{
	struct target target;

	targets_find(t, v, &target);
	return target.labels ? target.labels : "left out";
}

static void a_process_read_too_late_is_asked_again(void **state)
{
	struct ev_rest *rest = rest_with("x", 2, ENV("OTEL_SERVICE_NAME=mine\0"));
	struct process p = { .pid = 1 << 30, .exe = "prog" };
	struct identity_view v = { .process = &p, .cgroup = "" };
	struct targets *t;

	assert_int_equal(targets_new(&t), 0);
	assert_string_equal(found(t, &v), "service_name=prog\n"); /* gone, and the sample has no stack */
	v.rest = rest;
	assert_string_equal(found(t, &v), "service_name=mine\n");
	v.rest = NULL;
	assert_string_equal(found(t, &v), "service_name=mine\n");
	targets_set_rules(t, NULL); /* a reload: what it said is still known */
	assert_string_equal(found(t, &v), "service_name=mine\n");
	free(p.declared);
	free(rest);
	targets_free(t);
}

/* The labels and rate that a rule makes: target_label = replacement, always. */
static void with_rule(const char *label, const char *value, struct target *ret, char labels[64])
{
	const struct relabel_rule rule = { .target_label = label, .replacement = value };
	struct process p = { .pid = 1 << 30, .exe = "prog", .declared_known = true };
	const struct identity_view v = { .process = &p, .cgroup = "" };
	struct relabel *rules;
	struct targets *t;
	char err[128];
	size_t bad;

	assert_int_equal(targets_new(&t), 0);
	assert_int_equal(relabel_new(&rule, 1, &rules, &bad, err, sizeof(err)), 0);
	targets_set_rules(t, rules);
	targets_find(t, &v, ret);
	targets_find(t, &v, ret); /* as it was kept */
	snprintf(labels, 64, "%s", ret->labels);
	targets_free(t);
}

static void a_rule_may_set_the_rate_of_a_target(void **state)
{
	static const struct {
		const char *value;
		uint32_t hz;
	} rows[] = { { "19", 19 }, { "0", 0 }, { "", 0 }, { "fast", 0 }, { "19Hz", 0 }, { "-1", 0 }, { "9999999999", 0 } };
	struct target t;
	char labels[64];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		with_rule("__frequency__", rows[i].value, &t, labels);
		assert_int_equal(t.frequency_hz, rows[i].hz);
		assert_string_equal(labels, "service_name=prog\n");
	}
	with_rule("frequency", "19", &t, labels);
	assert_int_equal(t.frequency_hz, 0);
	assert_string_equal(labels, "frequency=19\nservice_name=prog\n");
}

/* Whatever a value is made of, it is that value and no other label. */
static void a_set_of_labels_may_hold_any_value(void **state)
{
	static const char *const values[] = { "a\nservice_name=false", "\n", "\\n", "back\\slash\\",
					      "\\\n\\\\" };
	struct strmap m = { 0 }, back = { 0 };
	struct buf text = BUF_INIT;
	struct target t;
	char labels[64], key[8];

	with_rule("a", "x\nb=y", &t, labels);
	assert_int_equal(labels_parse(labels, &back), 0);
	assert_int_equal(back.v.n, 2);
	assert_string_equal(strmap_get(&back, "a"), "x\nb=y");
	strmap_fini(&back);
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		snprintf(key, sizeof(key), "v%zu", i);
		strmap_set(&m, key, values[i]);
	}
	labels_print(&m, &text);
	assert_int_equal(labels_parse((char *)text.data, &back), 0);
	assert_true(strmap_equal(&m, &back));
	buf_fini(&text);
	strmap_fini(&m);
	strmap_fini(&back);
}

/* As with a label for each process: none is asked again, until there are more than can be remembered, and that is counted. */
static void many_targets_are_remembered(void **state)
{
	const struct relabel_rule rule = { .source_labels = (const char *[]){ "__process_pid__" },
					   .n_source_labels = 1,
					   .target_label = "pid" };
	enum { MANY = 70000 };
	struct process *p = calloc(MANY, sizeof(*p));
	struct relabel *rules;
	struct targets *t;
	char err[128];
	size_t bad;

	assert_int_equal(targets_new(&t), 0);
	assert_int_equal(relabel_new(&rule, 1, &rules, &bad, err, sizeof(err)), 0);
	targets_set_rules(t, rules);
	for (uint32_t i = 0; i < MANY; i++) {
		const struct identity_view v = { .process = &p[i], .cgroup = "" };

		p[i] = (struct process){
			.pid = (1u << 30) + i, .exe = "prog", .declared_known = true, .exited_ns = 1
		};
		found(t, &v);
		if (i == 60000) { /* the first is still known as it was */
			strcpy(p[0].exe, "other");
			assert_string_equal(found(t, &(struct identity_view){ .process = &p[0],
									      .cgroup = "" }),
					    "pid=1073741824\nservice_name=prog\n");
			assert_int_equal(targets_restarts(t), 0);
		}
	}
	assert_int_equal(targets_restarts(t), 1);
	targets_free(t);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_read_too_late_is_asked_again),
		cmocka_unit_test(a_rule_may_set_the_rate_of_a_target),
		cmocka_unit_test(a_set_of_labels_may_hold_any_value),
		cmocka_unit_test(many_targets_are_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
