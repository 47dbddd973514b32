/* SPDX-License-Identifier: Apache-2.0 */
/* The ladder of names, and the labels of what is known of a process. */
#include "fixture_identity.h"

#include "base/units.h"

static const char *service_with(struct process *p, const char *env, size_t len, const char *cgroup)
{
	static char service[256];
	struct ev_rest *rest = rest_with("x", 2, env, len);
	struct identity_view v = { .process = p, .rest = rest, .cgroup = cgroup };

	learn(&v);
	snprintf(service, sizeof(service), "%s", label_of(&v, "service_name"));
	free(p->declared);
	p->declared = NULL;
	p->declared_known = false;
	free(rest);
	return service;
}

static void each_rung_of_the_ladder_holds_where_those_above_do_not(void **state)
{
	static const char unit[] = "/system.slice/nginx.service";
	struct process p = { .pid = 1 << 30, .exe = "prog", .comm = "comm", .program_ns = UINT64_MAX / 2 };

	assert_string_equal(service_with(&p, ENV("OTEL_RESOURCE_ATTRIBUTES=service.name=b\0OTEL_SERVICE_NAME=a\0"), unit), "a");
	assert_string_equal(service_with(&p, ENV("OTEL_RESOURCE_ATTRIBUTES=service.name=b\0"), unit), "b");
	assert_string_equal(service_with(&p, ENV("A=b\0"), unit), "nginx");
	assert_string_equal(service_with(&p, ENV("A=b\0"), "/user.slice"), "prog");
	p.exe[0] = '\0';
	assert_string_equal(service_with(&p, ENV("A=b\0"), ""), "comm");
	p.comm[0] = '\0';
	assert_string_equal(service_with(&p, ENV("A=b\0"), ""), "unknown");
	assert_string_equal(label_of(&(struct identity_view){ .cgroup = unit }, "service_name"), "unknown");
	assert_string_equal(label_of(&(struct identity_view){ .process = &p, .cgroup = unit, .kernel_thread = true }, "service_name"), "kernel");
}

/* Its environment names it before the context does, and the context before the list in its environment. */
static void a_context_is_looked_for_when_the_program_has_started(void **state)
{
	struct buf message = BUF_INIT;
	struct ev_rest *rest = rest_with("x", 2, ENV("OTEL_RESOURCE_ATTRIBUTES=service.name=low,build=1\0"));
	struct process p = { .pid = (uint32_t)getpid(), .program_ns = NSEC_PER_SEC };
	struct identity_view v = { .process = &p, .rest = rest, .cgroup = "", .time_ns = NSEC_PER_SEC };
	struct published *published;

	make_context(&message);
	published = publish(&message, false);
	assert_true(learn(&v));
	assert_string_equal(label_of(&v, "service_name"), "low");
	assert_false(learn(&v)); /* nothing new so soon */
	v.time_ns = 3 * NSEC_PER_SEC;
	assert_true(learn(&v));
	assert_string_equal(label_of(&v, "service_name"), "from-context");
	assert_string_equal(label_of(&v, "__meta_otel_build"), "-7");
	v.time_ns = 60 * NSEC_PER_SEC;
	assert_false(learn(&v));
	free(p.declared);
	free(rest);
	rest = rest_with("x", 2, ENV("OTEL_SERVICE_NAME=high\0"));
	p = (struct process){ .pid = (uint32_t)getpid(), .program_ns = NSEC_PER_SEC };
	v.rest = rest;
	assert_true(learn(&v));
	assert_string_equal(label_of(&v, "service_name"), "high");
	free(p.declared);
	free(rest);
	munmap(published, 8192);
	buf_fini(&message);
}

static void rules_may_ask_for_what_is_known(void **state)
{
	struct ev_rest *rest = rest_with("prog\0-v\0two words", 18, ENV("OTEL_RESOURCE_ATTRIBUTES=service.version=1.2\0"));
	struct process p = { .pid = 1 << 30, .exe = "prog", .comm = "worker", .program_ns = UINT64_MAX / 2 };
	struct identity_view v = { .process = &p, .rest = rest, .cgroup = "/system.slice/x.service" };

	learn(&v);
	assert_string_equal(label_of(&v, "__process_pid__"), "1073741824");
	assert_string_equal(label_of(&v, "__meta_process_exe"), "prog");
	assert_string_equal(label_of(&v, "__meta_process_comm"), "worker");
	assert_string_equal(label_of(&v, "__meta_process_commandline"), "prog -v two words");
	assert_string_equal(label_of(&v, "__meta_process_uid"), "4321");
	assert_string_equal(label_of(&v, "__meta_systemd_unit"), "x.service");
	assert_string_equal(label_of(&v, "__meta_cgroup_path"), "/system.slice/x.service");
	assert_string_equal(label_of(&v, "__meta_otel_service_version"), "1.2");
	free(p.declared);
	free(rest);
}

/* What is learnt of a process is enough for its labels: nothing is read again that may be gone by then. */
static void what_a_program_was_started_with_is_read_once(void **state)
{
	struct process p = { .pid = (uint32_t)getpid(), .exe = "test_identity" };
	const struct identity_view v = { .process = &p, .cgroup = "" };
	struct startup start = { 0 };

	assert_true(identity_learn(&v, &start));
	p.exited_ns = 1;
	assert_non_null(strstr(label_among(&v, &(struct identity_lists){ 0 }, &start,
					   "__meta_process_commandline"),
			       "test_identity"));
	startup_fini(&start);
	free(p.declared);
}

/* A title lies where the environment was; and what a variable says a context does not override, whenever it comes. */
static void an_environment_that_is_written_over_still_counts(void **state)
{
	struct ev_rest *rest =
		rest_with("x", 2,
			  ENV("OTEL_RESOURCE_ATTRIBUTES=build=1,zone=z\0OTEL_SERVICE_NAME=db\0"));
	struct process p = { .pid = (uint32_t)getpid(), .program_ns = NSEC_PER_SEC };
	struct identity_view v = {
		.process = &p, .rest = rest, .cgroup = "", .time_ns = NSEC_PER_SEC
	};
	struct buf message = BUF_INIT;
	struct published *published;

	rest->uid = geteuid();
	assert_true(learn(&v));
	v.rest = NULL; /* from here on /proc/PID/environ would be asked: it says nothing of it */
	v.time_ns = 3 * NSEC_PER_SEC;
	assert_false(learn(&v));
	assert_string_equal(label_of(&v, "service_name"), "db");
	make_context(&message);
	published = publish(&message, false);
	v.time_ns = 12 * NSEC_PER_SEC;
	assert_true(learn(&v));
	assert_string_equal(label_of(&v, "service_name"), "db");
	assert_string_equal(label_of(&v, "__meta_otel_build"), "-7");
	assert_string_equal(label_of(&v, "__meta_otel_zone"), "z");
	munmap(published, 8192);
	buf_fini(&message);
	free(p.declared);
	free(rest);
}

/* As a server's workers do. A sample that is new to us tells at once, else it is looked at when its program has started. */
static void a_fork_that_becomes_another_user_is_known_as_that(void **state)
{
	struct ev_rest *rest = rest_with("x", 2, ENV("A=b"));
	const struct process fork = { .pid = 1 << 30,
				      .exe = "test_identity",
				      .declared_known = true,
				      .uid_known = true,
				      .uid = 77,
				      .program_ns = 1 };
	struct process p = fork;
	struct identity_view v = { .process = &p, .cgroup = "", .time_ns = 2 };

	assert_false(learn(&v));
	assert_string_equal(label_of(&v, "__meta_process_uid"), "77");
	v.rest = rest;
	assert_true(learn(&v));
	assert_string_equal(label_of(&v, "__meta_process_uid"), "4321");
	assert_false(learn(&v));
	p = fork;
	p.pid = (uint32_t)getpid();
	v.rest = NULL;
	assert_false(learn(&v));
	v.time_ns = 2 * NSEC_PER_SEC;
	assert_true(learn(&v));
	assert_int_equal(p.uid, geteuid());
	assert_false(learn(&v));
	free(rest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rung_of_the_ladder_holds_where_those_above_do_not),
		cmocka_unit_test(a_context_is_looked_for_when_the_program_has_started),
		cmocka_unit_test(rules_may_ask_for_what_is_known),
		cmocka_unit_test(what_a_program_was_started_with_is_read_once),
		cmocka_unit_test(an_environment_that_is_written_over_still_counts),
		cmocka_unit_test(a_fork_that_becomes_another_user_is_known_as_that),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
