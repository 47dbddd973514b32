/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor for those who may not do everything. */
#include "fixture_doctor.h"

#include <errno.h>

static void each_capability_costs_its_own(void **state)
{
	static const struct {
		const char *id;
		int cap;
		enum doctor_state without;
		const char *words;
	} rows[] = {
		{ "cap_bpf", CAP_BPF, DOCTOR_MISSING, "CAP_BPF" },
		{ "cap_perfmon", CAP_PERFMON, DOCTOR_MISSING, "CAP_PERFMON" },
		{ "cap_sys_admin", CAP_SYS_ADMIN, DOCTOR_OK, "not needed" },
		{ "cap_sys_ptrace", CAP_SYS_PTRACE, DOCTOR_LIMITED, "other users" },
		{ "cap_dac_read_search", CAP_DAC_READ_SEARCH, DOCTOR_LIMITED, "cgroup" },
		{ "cap_checkpoint_restore", CAP_CHECKPOINT_RESTORE, DOCTOR_LIMITED, "deleted" },
		{ "cap_sys_resource", CAP_SYS_RESOURCE, DOCTOR_OK, "5.11" },
	};
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		put_status(&h, ALL_CAPS & ~(BIT(rows[i].cap) | BIT(CAP_SYS_ADMIN)), 0);
		expect(&h, rows[i].id, rows[i].without, rows[i].words);
	}
}

static void sys_admin_stands_for_the_newer_ones(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	put_status(&h, BIT(CAP_SYS_ADMIN), 0);
	expect(&h, "cap_bpf", DOCTOR_OK, "CAP_SYS_ADMIN");
	expect(&h, "cap_perfmon", DOCTOR_OK, "CAP_SYS_ADMIN");
	expect(&h, "cap_checkpoint_restore", DOCTOR_OK, "CAP_SYS_ADMIN");
	expect(&h, "cap_sys_ptrace", DOCTOR_LIMITED, "CAP_SYS_PTRACE");
}

static void the_remedy_fits_who_asks(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	put_status(&h, NO_CAPS, 0);
	h.probe.bpf = h.probe.ring = h.probe.program = h.probe.start = -EPERM;
	h.probe.event = h.probe.records = -EACCES;
	expect(&h, "cap_bpf", DOCTOR_MISSING, "leave root CAP_BPF CAP_PERFMON");
	h.probe.euid = 1000;
	expect(&h,
	       "cap_bpf", DOCTOR_MISSING, "use sudo, in systemd AmbientCapabilities=CAP_BPF CAP_PERFMON");
	expect(&h, "event", DOCTOR_MISSING, "CAP_PERFMON");
	assert_non_null(strstr(h.report.verdict, "because of CAP_BPF, CAP_PERFMON (not held): use sudo"));
	put_text(&h,
		 "/proc/self/mounts", "overlay / overlay rw 0 0\nproc /proc proc rw 0 0\nnone /sys/fs/cgroup cgroup2 rw 0 0\n");
	expect(&h, "cap_bpf", DOCTOR_MISSING, "--cap-add=BPF --cap-add=PERFMON");
	put_link(&h, "/proc/self/ns/user", "user:[4026532999]");
	expect(&h, "cap_bpf", DOCTOR_MISSING, "outside this user namespace");
}

static void capabilities_of_another_user_namespace_do_not_count(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	put_link(&h, "/proc/self/ns/user", "user:[4026532999]");
	expect(&h, "user_ns", DOCTOR_MISSING, "its own");
	expect(&h, "cap_bpf", DOCTOR_MISSING, "does not count");
	drop(&h, "/proc/self/ns/user"); /* a kernel without CONFIG_USER_NS */
	expect(&h, "user_ns", DOCTOR_OK, "the host's");
}

static void paranoid_binds_only_who_lacks_perfmon(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	put_text(&h, "/proc/sys/kernel/perf_event_paranoid", "4\n");
	put_status(&h, BIT(CAP_BPF) | BIT(CAP_PERFMON), 0);
	expect(&h, "paranoid", DOCTOR_OK, "does not bind");
	h.probe.event = -EACCES; /* a patched kernel */
	expect(&h, "paranoid", DOCTOR_LIMITED, "kernel.perf_event_paranoid=2");
	expect(&h, "event", DOCTOR_MISSING, "kernel.perf_event_paranoid=2");
	put_status(&h, NO_CAPS, 0);
	expect(&h, "paranoid", DOCTOR_LIMITED, "CAP_PERFMON");
	put_text(&h, "/proc/sys/kernel/perf_event_paranoid", "-1\n");
	expect(&h, "paranoid", DOCTOR_OK, "-1: anybody");
}

static void a_seccomp_filter_is_named_when_calls_are_refused(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	put_status(&h, ALL_CAPS, 2);
	expect(&h, "seccomp", DOCTOR_OK, "lets bpf() and perf_event_open() pass");
	h.probe.bpf = -EPERM;
	expect(&h, "seccomp", DOCTOR_LIMITED, "Docker");
	expect(&h, "bpf", DOCTOR_MISSING, "seccomp");
	put_status(&h, ALL_CAPS, 0);
	expect(&h, "bpf", DOCTOR_MISSING, "security module");
	h.probe.bpf = -ENOSYS;
	expect(&h, "bpf", DOCTOR_MISSING, "CONFIG_BPF_SYSCALL");
}

static void hidden_processes_matter_without_ptrace(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	put_text(&h, "/proc/self/mounts", "proc /proc proc rw,hidepid=invisible,gid=4 0 0\n");
	expect(&h, "proc", DOCTOR_OK, "hidepid=invisible:");
	expect(&h, "cgroup2", DOCTOR_LIMITED, "mount -t cgroup2");
	put_status(&h, ALL_CAPS & ~BIT(CAP_SYS_PTRACE), 0);
	expect(&h, "proc", DOCTOR_LIMITED, "CAP_SYS_PTRACE");
	put_text(&h, "/proc/self/mounts", "proc /proc proc rw,hidepid=off 0 0\n");
	expect(&h, "proc", DOCTOR_OK, "mounted");
	put_text(&h, "/proc/self/mounts", "/dev/sda1 / ext4 rw 0 0\n");
	expect(&h, "proc", DOCTOR_MISSING, "mount -t proc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_capability_costs_its_own),
		cmocka_unit_test(sys_admin_stands_for_the_newer_ones),
		cmocka_unit_test(the_remedy_fits_who_asks),
		cmocka_unit_test(capabilities_of_another_user_namespace_do_not_count),
		cmocka_unit_test(paranoid_binds_only_who_lacks_perfmon),
		cmocka_unit_test(a_seccomp_filter_is_named_when_calls_are_refused),
		cmocka_unit_test(hidden_processes_matter_without_ptrace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
