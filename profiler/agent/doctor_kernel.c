/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doctor's checks of the kernel: its version, its switches, its features. Features are asked of
 * BTF, as the sampling program itself does at load time; the version answers only without BTF.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/utsname.h>

#include "agent/doctor_checks.h"

static const char *const newer = "boot a newer kernel";

DOCTOR_CHECK(check_release)
{
	char release[64] = "unknown";
	struct utsname u = { .machine = "unknown" };

	doctor_read(d, "/proc/sys/kernel/osrelease", release, sizeof(release));
	release[strcspn(release, "\n")] = '\0';
	uname(&u);
	finding_found(f, "%s %s", release, u.machine);
	finding_judge(f, DOCTOR_OK, "5.10 and newer are tested");
	if ((d->kernel && d->kernel < KERNEL(5, 10)) || strcmp(u.machine, "x86_64")) {
		/* Not missing: distributions carry features back, and what is tried below decides. */
		finding_judge(f, DOCTOR_LIMITED,
			      "older than 5.10, or not x86-64: not tested here");
		finding_remedy(f, "%s", newer);
	}
}

DOCTOR_CHECK(check_btf)
{
	finding_found(f, "%s", d->btf_error ? strerror(-d->btf_error) : "readable");
	if (!d->btf_error) {
		finding_judge(f, DOCTOR_OK, "programs fit themselves to this kernel");
		return;
	}
	finding_judge(f, DOCTOR_MISSING,
		      "programs cannot fit themselves to this kernel without /sys/kernel/btf/vmlinux");
	finding_remedy(f, d->btf_error == -ENOENT ? "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y, and mount /sys" :
						    "make /sys/kernel/btf/vmlinux readable");
}

/* "none [integrity] confidentiality": the brackets mark what holds. */
DOCTOR_CHECK(check_lockdown)
{
	char text[128];

	if (doctor_read(d, "/sys/kernel/security/lockdown", text, sizeof(text)) < 0) {
		finding_found(f, "not told");
		finding_judge(f, DOCTOR_OK,
			      "no /sys/kernel/security/lockdown, so most likely none");
	} else if (strstr(text, "[confidentiality]")) {
		finding_found(f, "confidentiality");
		finding_judge(f, DOCTOR_MISSING,
			      "it forbids BPF programs to read the kernel's memory");
		finding_remedy(f, "boot with lockdown=integrity or without lockdown=");
	} else {
		finding_found(f, strstr(text, "[integrity]") ? "integrity" : "none");
		finding_judge(f, DOCTOR_OK, "BPF programs may read the kernel's memory");
	}
}

DOCTOR_CHECK(check_bpf_sysctl)
{
	int v = doctor_read_int(d, "/proc/sys/kernel/unprivileged_bpf_disabled", -1);

	finding_found(f, v < 0 ? "not told" : "%d", v);
	finding_judge(f, DOCTOR_OK, v == 0 ? "others may load a few kinds of programs; ours needs CAP_BPF" :
					     "only who holds CAP_BPF loads programs, as hotspan does");
}

DOCTOR_CHECK(check_paranoid)
{
	bool patched = d->paranoid > 2 && !(d->caps & (1ull << CAP_SYS_ADMIN));

	finding_found(f, "%d", d->paranoid);
	finding_judge(f, DOCTOR_OK, "does not bind who holds CAP_PERFMON");
	if (doctor_holds(d, CAP_PERFMON) && !(patched && d->probe->event < 0))
		return;
	if (doctor_holds(d, CAP_PERFMON)) {
		finding_judge(f, DOCTOR_LIMITED,
			      "above 2 this distribution's kernel asks for CAP_SYS_ADMIN instead of CAP_PERFMON");
		finding_remedy(f, "sysctl kernel.perf_event_paranoid=2, or CAP_SYS_ADMIN");
	} else if (d->paranoid > 0) {
		finding_judge(f, DOCTOR_LIMITED,
			      "who lacks CAP_PERFMON opens no event of a whole CPU");
		finding_remedy(f, "get CAP_PERFMON: a lower value alone does not help");
	} else {
		finding_judge(f, DOCTOR_OK, "anybody may open events of whole CPUs");
	}
}

/* One feature: there, or what is less without it. */
static void feature(const struct doctor *d, struct doctor_finding *f, bool there, uint32_t since, const char *with,
		    const char *without)
{
	if (d->btf_error)
		there = d->kernel >= since;
	finding_found(f, there ? "yes" : "no");
	finding_judge(f, there ? DOCTOR_OK : DOCTOR_LIMITED, "%s", there ? with : without);
	if (!there)
		finding_remedy(f, "%s: Linux %u.%u has it", newer, since / 1000, since % 1000);
}

DOCTOR_CHECK(check_build_ids)
{
	bool there = d->probe->records < 0 ? d->kernel >= KERNEL(5, 12) : d->probe->build_ids;

	finding_found(f, there ? "yes" : "no");
	finding_judge(f, DOCTOR_OK, "files are known for sure, also when replaced meanwhile");
	if (there)
		return;
	finding_judge(f, DOCTOR_LIMITED,
		      "files are told apart by inode: those of short-lived containers may have no names");
	finding_remedy(f, "%s: Linux 5.12 has it", newer);
}

DOCTOR_CHECK(check_loop)
{
	finding_found(f, (d->btf_error ? d->kernel >= KERNEL(5, 17) : d->btf.loop) ? "yes" : "no");
	finding_judge(f, DOCTOR_OK, "user stacks are walked in the kernel without it too, up to 8,192 frames");
}

DOCTOR_CHECK(check_followers)
{
	bool untried = d->probe->program < 0;
	bool there = untried ? d->btf.fork_tracepoint : !d->probe->followers;

	finding_found(f, there ? "yes" : "no");
	finding_judge(f, DOCTOR_OK, "-p and -- COMMAND follow children");
	if (there)
		return;
	finding_judge(f, DOCTOR_LIMITED,
		      "-p and -- COMMAND do not work%s%s", untried ? "" : ": ", d->probe->followers_err);
	finding_remedy(f, "record the whole host, or choose with --comm or --cgroup");
}

DOCTOR_CHECK(check_task_storage)
{
	feature(d, f, d->btf.task_storage, KERNEL(5, 11), "can join requests with samples; record does not use it",
		"record is complete without it; samples cannot be joined with requests");
}

DOCTOR_CHECK(check_iterators)
{
	feature(d, f, d->btf.task_iter && d->btf.vma_iter, KERNEL(5, 12),
		"the kernel lists processes itself; record does not use it",
		"record is complete without them: it reads /proc");
}

DOCTOR_CHECK(check_procmap)
{
	bool there = !d->probe->procmap;

	finding_found(f, there ? "yes" : "no");
	finding_judge(f, DOCTOR_OK, "mappings of running processes are read fast at the start");
	if (there)
		return;
	finding_judge(f, DOCTOR_LIMITED,
		      "a start reads /proc/PID/maps as text: slower with many processes");
	finding_remedy(f, "%s: Linux 6.11 has it", newer);
}
