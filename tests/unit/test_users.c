/* SPDX-License-Identifier: Apache-2.0 */
/* Names of users: those of the host's list, outside of containers. */
#include "fixture_identity.h"

#include "proc/users.h"

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void users_have_the_names_of_the_hosts_list(void **state)
{
	char folder[] = "/tmp/hotspan-users-XXXXXX", path[64];
	struct users *u;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/passwd", folder);
	assert_int_equal(users_new(path, &u), 0);
	assert_null(users_name(u, 0)); /* there is no list yet */
	write_file(path, "b:x:7:7::/:\na:x:7:7::/:\nroot:x:0:0:root:/root:/bin/"
			 "sh\n\n:x:8:\nno\n+::::::\nmad:x:9x:\nhuge:x:4294967296:\nminus:x:-1:"
			 "\nlast:x:4294967295:");
	assert_string_equal(users_name(u, 0), "root");
	assert_string_equal(users_name(u, 7), "b");
	assert_string_equal(users_name(u, UINT32_MAX), "last");
	assert_null(users_name(u, 8));
	assert_null(users_name(u, 9));
	write_file(path, "www:x:33:\n");
	assert_string_equal(users_name(u, 33), "www");
	assert_null(users_name(u, 0));
	unlink(path); /* as when it is being replaced: what was known stays */
	assert_string_equal(users_name(u, 33), "www");
	users_free(u);
	rmdir(folder);
}

static void in_a_container_users_have_numbers_only(void **state)
{
	static const char container[] =
		"/docker/4a2f0d7bb1b64a6c9e4b7d3c5a1e8f90b2c4d6e8f0a1b3c5d7e9f1a2b3c4d5e6";
	struct process p = {
		.pid = 1 << 30, .exe = "prog", .declared_known = true, .uid_known = true, .uid = 33
	};
	struct identity_view v = { .process = &p, .cgroup = "/system.slice/x.service" };
	char path[] = "/tmp/hotspan-passwd-XXXXXX";
	struct identity_lists lists = { 0 };
	struct startup start = { 0 };

	close(mkstemp(path));
	write_file(path, "www:x:33:\n");
	assert_int_equal(users_new(path, &lists.users), 0);
	assert_string_equal(label_among(&v, &lists, &start, "__meta_process_username"), "www");
	v.cgroup = container;
	assert_string_equal(label_among(&v, &lists, &start, "__meta_process_username"), "");
	assert_string_equal(label_among(&v, &lists, &start, "__meta_process_uid"), "33");
	users_free(lists.users);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_have_the_names_of_the_hosts_list),
		cmocka_unit_test(in_a_container_users_have_numbers_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
