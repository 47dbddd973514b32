/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor on kernels that lack something, or forbid it. */
#include "fixture_doctor.h"

#include <errno.h>

static void a_kernel_of_2020_works_with_less(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	put_text(&h, "/proc/sys/kernel/osrelease", "5.10.0-30-amd64\n");
	put_btf(&h, false, false, false);
	h.probe.build_ids = false;
	h.probe.procmap = -ENOTTY;
	expect(&h, "release", DOCTOR_OK, "5.10");
	expect(&h, "bpf_loop", DOCTOR_OK, "no: ");
	expect(&h, "task_storage", DOCTOR_LIMITED, "5.11");
	expect(&h, "iterators", DOCTOR_LIMITED, "5.12");
	expect(&h, "build_ids", DOCTOR_LIMITED, "5.12");
	expect(&h, "procmap_query", DOCTOR_LIMITED, "6.11");
	expect(&h, "memlock", DOCTOR_OK, "5.11");
	assert_int_equal(h.report.overall, DOCTOR_LIMITED);
	assert_non_null(strstr(h.report.verdict, "can profile this host, with limits: "));
}

static void before_511_the_memory_limit_counts(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	put_text(&h, "/proc/sys/kernel/osrelease", "5.10.0\n");
	put_status(&h, ALL_CAPS & ~BIT(CAP_SYS_RESOURCE), 0);
	expect(&h, "memlock", DOCTOR_LIMITED, "LimitMEMLOCK");
	expect(&h, "cap_sys_resource", DOCTOR_LIMITED, "5.11");
	h.probe.memlock.rlim_cur = RLIM_INFINITY;
	expect(&h, "memlock", DOCTOR_OK, "unlimited");
	put_text(&h, "/proc/sys/kernel/osrelease", "5.11.0\n");
	h.probe.memlock.rlim_cur = 65536;
	expect(&h, "memlock", DOCTOR_OK, "64.0 KiB");
	expect(&h, "cap_sys_resource", DOCTOR_OK, "5.11");
}

static void an_older_kernel_is_judged_by_what_it_can(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	put_text(&h, "/proc/sys/kernel/osrelease", "4.18.0-553.el8\n");
	expect(&h, "release", DOCTOR_LIMITED, "5.10");
	assert_int_equal(h.report.overall, DOCTOR_LIMITED);
	h.probe.ring = h.probe.program = h.probe.start = -EINVAL;
	expect(&h, "ring", DOCTOR_MISSING, "5.8");
}

static void btf_that_is_none_is_missing_and_features_follow_the_version(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	put_text(&h, "/sys/kernel/btf/vmlinux", "no BTF at all, only text");
	expect(&h, "btf", DOCTOR_MISSING, "readable");
	drop(&h, "/sys/kernel/btf/vmlinux");
	expect(&h, "btf", DOCTOR_MISSING, "No such file");
	expect(&h, "bpf_loop", DOCTOR_OK, "yes: ");
	assert_non_null(strstr(h.report.verdict, "cannot profile this host, because of BTF (No such file"));
	put_text(&h, "/proc/sys/kernel/osrelease", "5.16.0\n");
	expect(&h, "bpf_loop", DOCTOR_OK, "no: ");
}

static void lockdown_forbids_only_as_confidentiality(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	put_text(&h, "/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	expect(&h, "lockdown", DOCTOR_OK, "integrity");
	put_text(&h, "/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	expect(&h, "lockdown", DOCTOR_MISSING, "boot with");
	assert_non_null(strstr(h.report.verdict, "because of lockdown (confidentiality)"));
}

static void hidden_kernel_addresses_cost_kernel_names(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	put_status(&h, ALL_CAPS & ~BIT(CAP_SYSLOG), 0);
	expect(&h, "cap_syslog", DOCTOR_OK, "without it");
	put_text(&h,
		 "/proc/kallsyms", "0000000000000000 A fixed_percpu_data\n0000000000000000 T _text\n");
	expect(&h, "cap_syslog", DOCTOR_LIMITED, "CAP_SYSLOG");
	expect(&h, "kallsyms", DOCTOR_LIMITED, "CAP_SYSLOG");
	put_text(&h, "/proc/sys/kernel/kptr_restrict", "2\n");
	expect(&h, "kallsyms", DOCTOR_LIMITED, "kptr_restrict=1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_of_2020_works_with_less),
		cmocka_unit_test(before_511_the_memory_limit_counts),
		cmocka_unit_test(an_older_kernel_is_judged_by_what_it_can),
		cmocka_unit_test(btf_that_is_none_is_missing_and_features_follow_the_version),
		cmocka_unit_test(lockdown_forbids_only_as_confidentiality),
		cmocka_unit_test(hidden_kernel_addresses_cost_kernel_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
