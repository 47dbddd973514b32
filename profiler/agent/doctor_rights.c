/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's checks of what this process may do: capabilities, seccomp, limits. */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "agent/doctor_checks.h"
#include "base/cleanup.h"
#include "base/units.h"

DOCTOR_CHECK(check_user_ns)
{
	finding_found(f, d->own_user_ns ? "its own" : "the host's");
	finding_judge(f, DOCTOR_OK, "capabilities count");
	if (!d->own_user_ns)
		return;
	finding_judge(f, DOCTOR_MISSING,
		      "capabilities held here count inside only: BPF and events of CPUs ask the host's");
	finding_remedy_cap(f, d, CAP_BPF);
}

struct cap_row {
	int cap;
	enum doctor_state without;
	const char *gives, *costs;
};

static const struct cap_row caps[] = {
	{ CAP_BPF, DOCTOR_MISSING, "loads BPF programs", "no BPF program can be loaded" },
	{ CAP_PERFMON, DOCTOR_MISSING, "opens events of whole CPUs; BPF may read memory",
	  "no event of a whole CPU opens, no BPF program may read memory" },
	{ CAP_SYS_ADMIN, DOCTOR_OK, "includes CAP_BPF, CAP_PERFMON, CAP_CHECKPOINT_RESTORE",
	  "not needed beside CAP_BPF and CAP_PERFMON" },
	{ CAP_SYS_PTRACE, DOCTOR_LIMITED, "reads other users' processes",
	  "frames of other users' processes have no names: their mappings cannot be read" },
	{ CAP_DAC_READ_SEARCH, DOCTOR_LIMITED, "reads programs whatever their mode; names cgroups",
	  "programs that only their owner may read have no names, and no sample has its cgroup's" },
	{ CAP_CHECKPOINT_RESTORE, DOCTOR_LIMITED, "opens deleted and replaced files (map_files)",
	  "files that were deleted or replaced while they run have no names (/proc/PID/map_files is closed)" },
	{ CAP_SYSLOG, DOCTOR_LIMITED, "names kernel functions", "kernel functions show as addresses" },
	{ CAP_SYS_RESOURCE, DOCTOR_LIMITED, "raises limits",
	  "RLIMIT_MEMLOCK cannot be raised, and before Linux 5.11 it bounds BPF memory" },
};

/* Some a process may do without here, whatever the row says. */
static const char *needless(const struct doctor *d, int cap)
{
	if (cap == CAP_SYS_RESOURCE && (!d->kernel || d->kernel >= KERNEL(5, 11)))
		return "needed only before Linux 5.11";
	if (cap == CAP_SYSLOG && doctor_kernel_names(d))
		return "kernel names can be read without it here";
	return NULL;
}

DOCTOR_CHECK(check_cap)
{
	const struct cap_row *c = caps;
	const char *why;

	while (c->cap != arg)
		c++;
	if (doctor_holds(d, arg)) {
		finding_found(f, d->caps & (1ull << arg) ? "held" : "in CAP_SYS_ADMIN");
		finding_judge(f, DOCTOR_OK, "%s", c->gives);
		return;
	}
	finding_found(f, d->own_user_ns ? "does not count" : "not held");
	why = needless(d, arg);
	finding_judge(f, why ? DOCTOR_OK : c->without, "%s", why ? why : c->costs);
	if (f->state != DOCTOR_OK)
		finding_remedy_cap(f, d, c->cap);
}

static bool refused(int r)
{
	return r == -EPERM || r == -EACCES || r == -ENOSYS;
}

DOCTOR_CHECK(check_seccomp)
{
	finding_found(f, d->seccomp ? "a filter" : "no filter");
	finding_judge(f, DOCTOR_OK, d->seccomp ? "it lets bpf() and perf_event_open() pass" : "no system call is refused by one");
	if (!d->seccomp || (!refused(d->probe->bpf) && !refused(d->probe->event)))
		return;
	finding_judge(f, DOCTOR_LIMITED, "it may be what refuses bpf() or perf_event_open()");
	finding_remedy(f, "use a profile that allows both (Docker's own does for CAP_BPF and CAP_PERFMON)");
}

static const char *limit_text(rlim_t v, char *out, size_t len)
{
	return v == RLIM_INFINITY ? "unlimited" : format_bytes(v, out, len);
}

DOCTOR_CHECK(check_memlock)
{
	rlim_t soft = d->probe->memlock.rlim_cur;
	char text[32];

	finding_found(f, "%s", limit_text(soft, text, sizeof(text)));
	finding_judge(f, DOCTOR_OK, "bounds BPF memory only before Linux 5.11");
	if (!d->kernel || d->kernel >= KERNEL(5, 11))
		return;
	finding_judge(f, DOCTOR_OK,
		      "before Linux 5.11 it bounds BPF memory; enough, or to be raised");
	if (soft >= 64 * MIB || doctor_holds(d, CAP_SYS_RESOURCE))
		return;
	finding_judge(f, DOCTOR_LIMITED,
		      "before Linux 5.11 it bounds BPF memory, and it cannot be raised here");
	finding_remedy(f, "ulimit -l unlimited as root, LimitMEMLOCK=infinity in the service, or CAP_SYS_RESOURCE");
}

/* Two descriptors of the sampler and one of the side-band per CPU, and files while they are named. */
DOCTOR_CHECK(check_nofile)
{
	rlim_t soft = d->probe->nofile.rlim_cur, need = 3ull * doctor_cpus(d, "online") + 128;

	finding_found(f, "%llu", (unsigned long long)soft);
	finding_judge(f, DOCTOR_OK,
		      "%llu will do: three per CPU, and files being named", (unsigned long long)need);
	if (soft >= need)
		return;
	finding_judge(f, DOCTOR_LIMITED,
		      "%llu are needed: three per CPU, and files being named", (unsigned long long)need);
	finding_remedy(f, "ulimit -n %llu, or LimitNOFILE= in the service", (unsigned long long)need);
}
