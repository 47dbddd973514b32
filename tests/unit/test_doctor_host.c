/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor on hosts that are small, virtual, or containers. */
#include "fixture_doctor.h"

static void few_descriptors_are_too_few_for_many_cpus(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	expect(&h, "nofile", DOCTOR_OK, "1024");
	put_text(&h, "/sys/devices/system/cpu/online", "0-511\n");
	expect(&h, "nofile", DOCTOR_LIMITED, "ulimit -n 1664");
	expect(&h, "cpus", DOCTOR_OK, "512 online, 4 possible");
}

static void namespaces_and_containers_are_told_apart(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	put_text(&h, "/.dockerenv", "");
	expect(&h, "container", DOCTOR_OK, "only /.dockerenv says so");
	put_text(&h, "/proc/self/cgroup", "0::/docker/0123\n");
	expect(&h, "container", DOCTOR_OK, "Docker");
	drop(&h, "/.dockerenv");
	put_text(&h, "/run/.containerenv", "");
	expect(&h, "container", DOCTOR_OK, "Podman");
	put_link(&h, "/proc/self/ns/pid", "pid:[4026532444]");
	expect(&h, "pid_ns", DOCTOR_LIMITED, "hostPID");
	assert_string_equal(h.report.verdict, "hotspan can profile this host, with limits: pid namespace");
}

static void the_host_is_described(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	expect(&h, "machine", DOCTOR_OK, "not virtual");
	expect(&h, "pmu", DOCTOR_OK, "none");
	put_text(&h, "/proc/cpuinfo", "flags\t\t: fpu hypervisor vme\n");
	put_text(&h, "/sys/bus/event_source/devices/cpu_core/type", "4\n");
	expect(&h, "machine", DOCTOR_OK, "virtual: ticks");
	expect(&h, "pmu", DOCTOR_OK, "there");
	put_text(&h, "/proc/meminfo", "MemAvailable:    40000 kB\n");
	expect(&h, "memory", DOCTOR_LIMITED, "39.1 MiB");
	drop(&h, "/usr/lib/debug/.build-id/x");
	drop(&h, "/usr/lib/debug/.build-id");
	expect(&h, "debug_files", DOCTOR_LIMITED, "libc6-dbg");
	put_text(&h, "/proc/sys/kernel/unprivileged_bpf_disabled", "0\n");
	expect(&h, "unprivileged_bpf", DOCTOR_OK, "others");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_descriptors_are_too_few_for_many_cpus),
		cmocka_unit_test(namespaces_and_containers_are_told_apart),
		cmocka_unit_test(the_host_is_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
