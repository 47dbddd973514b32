/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's checks of the host: whose processes are seen, what gives names, what the machine is. */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/doctor_checks.h"
#include "base/units.h"
#include "collect/cpus.h"

DOCTOR_CHECK(check_pid_ns)
{
	finding_found(f, d->own_pid_ns ? "its own" : "the host's");
	finding_judge(f, DOCTOR_OK, "every process can be named");
	if (!d->own_pid_ns)
		return;
	finding_judge(f, DOCTOR_LIMITED,
		      "samples bear the host's pids, /proc lists others: frames have no names");
	finding_remedy(f, "docker run --pid=host, in Kubernetes hostPID: true; or run it on the host");
}

DOCTOR_CHECK(check_proc)
{
	char type[32], options[256] = "", *hide;

	if (doctor_mount(d, "/proc", "proc", type, options) < 0) {
		finding_found(f, "not mounted");
		finding_judge(f, DOCTOR_MISSING,
			      "processes, their mappings and files are unknown without it");
		finding_remedy(f, "mount -t proc proc /proc");
		return;
	}
	hide = strstr(options, "hidepid=");
	if (hide)
		hide[strcspn(hide, ",")] = '\0';
	finding_found(f, "mounted%s%s", hide ? ", " : "", hide ? hide : "");
	finding_judge(f, DOCTOR_OK, "processes and their mappings can be listed");
	if (!hide || !strcmp(hide, "hidepid=0") || !strcmp(hide, "hidepid=off") || doctor_holds(d, CAP_SYS_PTRACE))
		return;
	finding_judge(f, DOCTOR_LIMITED,
		      "other users' processes are hidden: their frames have no names");
	finding_remedy_cap(f, d, CAP_SYS_PTRACE);
}

DOCTOR_CHECK(check_cgroup)
{
	char type[32], options[256];
	bool there = !doctor_mount(d, NULL, "cgroup2", type, options);

	finding_found(f, there ? "mounted" : "not mounted");
	finding_judge(f, DOCTOR_OK, "samples bear their cgroup's name; --cgroup works");
	if (there)
		return;
	finding_judge(f, DOCTOR_LIMITED,
		      "samples have no cgroup names, and --cgroup does not work");
	finding_remedy(f, "mount -t cgroup2 none /sys/fs/cgroup, in a container -v /sys/fs/cgroup:/sys/fs/cgroup:ro");
}

DOCTOR_CHECK(check_container)
{
	bool docker = doctor_exists(d, "/.dockerenv"), podman = doctor_exists(d, "/run/.containerenv");

	finding_found(f, !d->container ? "no" : docker ? "Docker" : podman ? "Podman" : "yes");
	if (d->container)
		finding_judge(f, DOCTOR_OK,
			      "debug files are the container's; else as on the host, given its pids");
	else if (docker || podman)
		finding_judge(f, DOCTOR_OK, "only %s says so: no overlay as root, no cgroup",
			      docker ? "/.dockerenv" : "/run/.containerenv");
	else
		finding_judge(f, DOCTOR_OK, "hotspan runs on the host itself");
}

/* Are there addresses other than 0? The first symbols of a per-CPU section may truly lie there. */
bool doctor_kernel_names(const struct doctor *d)
{
	char text[64 * 1024];
	char *line, *rest = text;

	if (doctor_read(d, "/proc/kallsyms", text, sizeof(text)) <= 0)
		return false;
	while ((line = strsep(&rest, "\n")))
		if (strtoull(line, NULL, 16))
			return true;
	return false;
}

DOCTOR_CHECK(check_kallsyms)
{
	int restrict_value = doctor_read_int(d, "/proc/sys/kernel/kptr_restrict", -1);

	finding_found(f, restrict_value < 0 ? "kptr_restrict not told" : "kptr_restrict %d", restrict_value);
	finding_judge(f, DOCTOR_OK, "kernel functions have names");
	if (doctor_kernel_names(d))
		return;
	finding_judge(f, DOCTOR_LIMITED,
		      "/proc/kallsyms gives no addresses: kernel functions show as numbers");
	if (restrict_value > 1)
		finding_remedy(f, "sysctl kernel.kptr_restrict=1: 2 hides them from everybody");
	else if (!doctor_exists(d, "/proc/kallsyms"))
		finding_remedy(f, "boot a kernel built with CONFIG_KALLSYMS=y");
	else
		finding_remedy_cap(f, d, CAP_SYSLOG);
}

DOCTOR_CHECK(check_debug_files)
{
	bool there = doctor_exists(d, "/usr/lib/debug/.build-id");

	finding_found(f, there ? "/usr/lib/debug" : "none");
	finding_judge(f, DOCTOR_OK, "give names to stripped files");
	if (there)
		return;
	finding_judge(f, DOCTOR_LIMITED,
		      "of stripped libraries only exported functions have names, the rest shows as [lib.so+0x1234]");
	finding_remedy(f, "install debug packages of what you profile, e.g. apt-get install libc6-dbg");
}

DOCTOR_CHECK(check_machine)
{
	char text[16 * 1024];
	bool vm = doctor_read(d, "/proc/cpuinfo", text, sizeof(text)) > 0 && strstr(text, " hypervisor");

	finding_found(f, vm ? "virtual" : "not virtual");
	finding_judge(f, DOCTOR_OK, vm ? "ticks come late while the hypervisor runs others" :
					 "ticks come on time");
}

DOCTOR_CHECK(check_pmu)
{
	bool there = doctor_exists(d, "/sys/bus/event_source/devices/cpu") ||
		     doctor_exists(d, "/sys/bus/event_source/devices/cpu_core");

	finding_found(f, there ? "there, not needed" : "none, not needed");
	finding_judge(f, DOCTOR_OK, "samples come from a software clock");
}

uint32_t doctor_cpus(const struct doctor *d, const char *which)
{
	bool on[CPUS_MAX];
	char path[64], text[1024];
	uint32_t n = 0;
	int end;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/%s", which);
	end = doctor_read(d, path, text, sizeof(text)) > 0 ? cpus_parse(text, on) : 0;
	for (int cpu = 0; cpu < end; cpu++)
		n += on[cpu];
	return n;
}

DOCTOR_CHECK(check_cpus)
{
	uint32_t online = doctor_cpus(d, "online"), possible = doctor_cpus(d, "possible");

	finding_found(f, "%u online, %u possible", online, possible);
	finding_judge(f, DOCTOR_OK, "all are sampled, also those to come");
	if (online)
		return;
	finding_judge(f, DOCTOR_MISSING, "there is no telling which CPUs to sample");
	finding_remedy(f, "mount -t sysfs sysfs /sys");
}

DOCTOR_CHECK(check_memory)
{
	char text[4096];
	bool told = doctor_read(d, "/proc/meminfo", text, sizeof(text)) > 0;
	char bytes[32], *p = told ? strstr(text, "MemAvailable:") : NULL;
	uint64_t kib = p ? strtoull(p + strlen("MemAvailable:"), NULL, 10) : 0;

	finding_found(f, p ? "%s available" : "not told", format_bytes(kib * KIB, bytes, sizeof(bytes)));
	finding_judge(f, DOCTOR_OK, "hotspan needs up to 64 MB");
	if (!p || kib * KIB >= 64 * MIB)
		return;
	finding_judge(f, DOCTOR_LIMITED,
		      "hotspan needs up to 64 MB: the host may begin to swap or to kill");
	finding_remedy(f, "free some, or sample fewer processes (-p, --comm, --cgroup)");
}
