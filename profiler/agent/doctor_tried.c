/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's checks of what was tried (collect/probe.h): what a refusal means, and who refuses. */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "agent/doctor_checks.h"

/* Both are what the whole needs; each alone what one attempt needs. */
enum { NEEDS_BPF = 1, NEEDS_PERFMON = 2 };

/* From the likeliest cause down. */
static void remedy_refusal(const struct doctor *d, struct doctor_finding *f, int r, int needs)
{
	if (r == -ENOSYS)
		finding_remedy(f, "boot a kernel built with CONFIG_BPF_SYSCALL=y and CONFIG_PERF_EVENTS=y");
	else if (r == -EMFILE || r == -ENFILE)
		finding_remedy(f, "more descriptors: ulimit -n 1024, or LimitNOFILE= in the service");
	else if (r != -EPERM && r != -EACCES)
		finding_remedy(f, "what is missing above; else report this line and the kernel's release");
	else if (needs & NEEDS_BPF && !doctor_holds(d, CAP_BPF))
		finding_remedy_cap(f, d, CAP_BPF);
	else if (needs & NEEDS_PERFMON && !doctor_holds(d, CAP_PERFMON))
		finding_remedy_cap(f, d, CAP_PERFMON);
	else if (d->seccomp)
		finding_remedy(f, "let the seccomp profile allow bpf and perf_event_open");
	else
		finding_remedy(f, "capabilities are there, so a security module refuses: see dmesg and the audit log");
}

struct attempt {
	int needs;
	const char *works, *fails;
};

/* err: what the failing part says itself, unless it only lacks privileges; "" when it has no words. */
static void judge(const struct doctor *d, struct doctor_finding *f, int r, const struct attempt *a,
		  const char *err)
{
	bool rights = r == -EPERM || r == -EACCES;

	if (r >= 0) {
		finding_found(f, "works");
		finding_judge(f, DOCTOR_OK, "%s", a->works);
		return;
	}
	finding_found(f, "refused, %s", strerror(-r));
	finding_judge(f, DOCTOR_MISSING, "%s", *err && !rights ? err : a->fails);
	remedy_refusal(d, f, r, a->needs);
}

DOCTOR_CHECK(check_bpf)
{
	static const struct attempt a = { NEEDS_BPF | NEEDS_PERFMON, "bpf() loads programs of the sampler's kind",
					  "bpf() loads no program" };

	judge(d, f, d->probe->bpf, &a, "");
}

DOCTOR_CHECK(check_ring)
{
	static const struct attempt a = { NEEDS_BPF, "samples have a way to user space", "samples have no way out" };

	judge(d, f, d->probe->ring, &a, "");
	if (d->probe->ring == -EINVAL)
		finding_remedy(f, "boot a newer kernel: Linux 5.8 has it");
}

DOCTOR_CHECK(check_event)
{
	static const struct attempt a = { NEEDS_PERFMON, "perf_event_open() gives a clock on a CPU",
					  "no CPU has a clock" };

	judge(d, f, d->probe->event, &a, "");
	if (d->probe->event == -EACCES && doctor_holds(d, CAP_PERFMON) && d->paranoid > 2)
		finding_remedy(f, "sysctl kernel.perf_event_paranoid=2: above, this kernel asks for CAP_SYS_ADMIN");
}

DOCTOR_CHECK(check_records)
{
	static const struct attempt a = { NEEDS_PERFMON, "the kernel tells of mappings, execs and exits",
					  "mappings stay unknown" };

	judge(d, f, d->probe->records, &a, "");
}

DOCTOR_CHECK(check_program)
{
	static const struct attempt a = { NEEDS_BPF | NEEDS_PERFMON, "this kernel's verifier takes it",
					  "there are no samples" };

	judge(d, f, d->probe->program, &a, d->probe->program_err);
}

DOCTOR_CHECK(check_start)
{
	static const struct attempt a = { NEEDS_BPF | NEEDS_PERFMON, "all of it together, as hotspan record does",
					  "hotspan record fails too" };

	judge(d, f, d->probe->start, &a, d->probe->start_err);
}
