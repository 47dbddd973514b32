/* SPDX-License-Identifier: Apache-2.0 */
/* What the BPF program is told of a target: which samples it need not send. */
#include "fixture_identity.h"

#include "collect/sampler.h"
#include "collect/whose.h"
#include "proc/relabel.h"

enum { HZ = 100 };

/* In place of the sampler's, which needs a kernel. */
static int told, share;

int sampler_set_share(struct sampler *s, uint32_t tgid, uint64_t start_ns, uint64_t exec_id, uint16_t one_in)
{
	told++;
	share = one_in;
	return 0;
}

void sampler_reset_shares(struct sampler *s)
{
}

static struct relabel *rules_of(const struct relabel_rule *rule)
{
	struct relabel *rules;
	char err[128];
	size_t bad;

	assert_int_equal(relabel_new(rule, 1, &rules, &bad, err, sizeof(err)), 0);
	return rules;
}

static struct whose *whose_with(const struct relabel_rule *rule)
{
	struct whose *w;

	assert_int_equal(whose_new(COLLECT_BY_TARGET, &(struct whose_requests){ 0 }, &w), 0);
	whose_set_frequency(w, NULL, HZ);
	whose_set_rules(w, NULL, rules_of(rule));
	told = 0;
	share = -1;
	return w;
}

/* Of service "mine" alone. */
static struct whose *whose_of_mine(void)
{
	static const char *const sources[] = { "service_name" };

	return whose_with(&(struct relabel_rule){ .action = RELABEL_KEEP, .source_labels = sources, .n_source_labels = 1, .regex = "mine" });
}

/* One sample of it, with these variables of its environment or without any; is it wanted? */
static bool sample(struct whose *w, struct process *p, const char *env, size_t env_len)
{
	struct ev_rest *rest = env ? rest_with("x", 2, env, env_len) : NULL;
	size_t rest_bytes = rest ? sizeof(*rest) + rest->stack_bytes + rest->start_bytes : 0;
	struct ev_sample *ev = calloc(1, sizeof(*ev) + rest_bytes);
	struct window_labels labels;
	struct strpool strings = { 0 };
	bool wanted;

	ev->tgid = ev->tid = p->pid;
	ev->weight = 1;
	ev->flags = rest ? EV_SAMPLE_REST : 0;
	if (rest)
		memcpy(ev->pc, rest, rest_bytes);
	wanted = whose_labels(w, NULL, ev, p, &strings, &labels);
	strpool_fini(&strings);
	free(ev);
	free(rest);
	return wanted;
}

static void what_is_not_wanted_is_left_out_once_its_name_is_known(void **state)
{
	struct process p = { .pid = 1 << 30, .exe = "prog" };
	struct whose *w = whose_of_mine();

	assert_false(sample(w, &p, ENV("OTEL_SERVICE_NAME=yours\0")));
	assert_int_equal(told, 1);
	assert_int_equal(share, 0);
	free(p.declared);
	whose_free(w);
}

/* Its executable's name is not "mine", and what it calls itself comes with the second sample. */
static void what_has_only_its_executables_name_so_far_is_asked_again(void **state)
{
	struct process p = { .pid = 1 << 30, .exe = "prog" };
	struct whose *w = whose_of_mine();

	assert_false(sample(w, &p, NULL, 0));
	assert_int_equal(told, 0);
	assert_true(sample(w, &p, ENV("OTEL_SERVICE_NAME=mine\0")));
	assert_true(sample(w, &p, NULL, 0));
	assert_int_equal(told, 0);
	free(p.declared);
	whose_free(w);
}

static void what_nobody_can_read_is_left_out_in_the_end(void **state)
{
	struct process p = { .pid = 1 << 30, .exe = "prog" };
	struct whose *w = whose_of_mine();
	int samples = 0;

	while (!told && samples++ < 100)
		assert_false(sample(w, &p, NULL, 0));
	assert_int_equal(told, 1);
	assert_int_equal(share, 0);
	assert_in_range(samples, 2, 4);
	whose_free(w);
}

static void a_target_at_a_lower_rate_sends_one_in_so_many_at_once(void **state)
{
	struct process p = { .pid = 1 << 30, .exe = "prog" };
	struct whose *w = whose_with(&(struct relabel_rule){ .target_label = "__frequency__", .replacement = "20" });

	assert_true(sample(w, &p, NULL, 0));
	assert_int_equal(told, 1);
	assert_int_equal(share, HZ / 20);
	whose_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_wanted_is_left_out_once_its_name_is_known),
		cmocka_unit_test(what_has_only_its_executables_name_so_far_is_asked_again),
		cmocka_unit_test(what_nobody_can_read_is_left_out_in_the_end),
		cmocka_unit_test(a_target_at_a_lower_rate_sends_one_in_so_many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
