/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/doctor.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "agent/doctor_checks.h"
#include "base/cleanup.h"

/* PROC_PID_INIT_INO and PROC_USER_INIT_INO of include/linux/proc_ns.h: the host's own namespaces. */
static const unsigned long HOST_PID_NS = 0xeffffffc, HOST_USER_NS = 0xeffffffd;

struct row {
	const char *id, *title; /* id NULL: title begins a group */
	void (*check)(const struct doctor *d, int arg, struct doctor_finding *f);
	int arg;
};

/* In the order of causes: the first that is missing is the verdict's reason. */
static const struct row rows[] = {
	{ NULL, "Kernel" },
	{ "release", "release", check_release },
	{ "btf", "BTF", check_btf },
	{ "lockdown", "lockdown", check_lockdown },
	{ "unprivileged_bpf", "unprivileged_bpf_disabled", check_bpf_sysctl },
	{ NULL, "Privileges" },
	{ "user_ns", "user namespace", check_user_ns },
	{ "cap_bpf", "CAP_BPF", check_cap, CAP_BPF },
	{ "cap_perfmon", "CAP_PERFMON", check_cap, CAP_PERFMON },
	{ "cap_sys_admin", "CAP_SYS_ADMIN", check_cap, CAP_SYS_ADMIN },
	{ "cap_sys_ptrace", "CAP_SYS_PTRACE", check_cap, CAP_SYS_PTRACE },
	{ "cap_dac_read_search", "CAP_DAC_READ_SEARCH", check_cap, CAP_DAC_READ_SEARCH },
	{ "cap_checkpoint_restore", "CAP_CHECKPOINT_RESTORE", check_cap, CAP_CHECKPOINT_RESTORE },
	{ "cap_syslog", "CAP_SYSLOG", check_cap, CAP_SYSLOG },
	{ "cap_sys_resource", "CAP_SYS_RESOURCE", check_cap, CAP_SYS_RESOURCE },
	{ "paranoid", "perf_event_paranoid", check_paranoid },
	{ "seccomp", "seccomp", check_seccomp },
	{ "memlock", "RLIMIT_MEMLOCK", check_memlock },
	{ "nofile", "RLIMIT_NOFILE", check_nofile },
	{ NULL, "Tried just now" },
	{ "bpf", "a BPF program", check_bpf },
	{ "ring", "a ring buffer map", check_ring },
	{ "event", "a cpu-clock event", check_event },
	{ "records", "process events", check_records },
	{ "program", "the sampling program", check_program },
	{ "start", "starting a recording", check_start },
	{ NULL, "Kernel features" },
	{ "build_ids", "build ids of mappings", check_build_ids },
	{ "bpf_loop", "bpf_loop", check_loop },
	{ "tp_btf", "tp_btf tracepoints", check_followers },
	{ "task_storage", "task storage", check_task_storage },
	{ "iterators", "task and vma iterators", check_iterators },
	{ "procmap_query", "PROCMAP_QUERY", check_procmap },
	{ NULL, "HTTP requests" },
	{ "http_hooks", "hooks", check_http_hooks },
	{ "http_programs", "the tracing programs", check_http_programs },
	{ "http_unseen", "not seen", check_http_unseen },
	{ NULL, "Processes and names" },
	{ "pid_ns", "pid namespace", check_pid_ns },
	{ "proc", "/proc", check_proc },
	{ "cgroup2", "cgroup v2", check_cgroup },
	{ "container", "container", check_container },
	{ "kallsyms", "kernel names", check_kallsyms },
	{ "debug_files", "debug files", check_debug_files },
	{ NULL, "Host" },
	{ "machine", "machine", check_machine },
	{ "pmu", "hardware counters", check_pmu },
	{ "cpus", "CPUs", check_cpus },
	{ "memory", "memory", check_memory },
};
_Static_assert(ARRAY_SIZE(rows) <= DOCTOR_MAX_CHECKS, "a report holds every row");

const char *doctor_state_name(enum doctor_state s)
{
	static const char *const names[] = { "ok", "limited", "missing" };

	return names[s];
}

/* "user:[4026531837]". A kernel without such namespaces has no link, and only the host's. */
static bool is_own_ns(const struct doctor *d, const char *name, unsigned long host)
{
	char path[PATH_MAX], link[64];
	unsigned long ino;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/proc/self/ns/%s", d->root, name);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return false;
	link[n] = '\0';
	return sscanf(link, "%*[^[][%lu]", &ino) == 1 && ino != host;
}

static void read_status(struct doctor *d)
{
	char text[8192], *p;

	if (doctor_read(d, "/proc/self/status", text, sizeof(text)) < 0)
		return;
	p = strstr(text, "\nCapEff:");
	if (p && !d->own_user_ns)
		d->caps = strtoull(p + strlen("\nCapEff:"), NULL, 16);
	p = strstr(text, "\nSeccomp:");
	if (p)
		d->seccomp = atoi(p + strlen("\nSeccomp:"));
}

/* An overlay as root, or a cgroup named by a container engine. /.dockerenv alone is no proof: images
 * are booted as machines too. */
static bool is_container(const struct doctor *d)
{
	char type[32], options[256], cgroup[4096] = "";

	if (d->own_pid_ns || (!doctor_mount(d, "/", NULL, type, options) && !strcmp(type, "overlay")))
		return true;
	doctor_read(d, "/proc/self/cgroup", cgroup, sizeof(cgroup));
	return strstr(cgroup, "docker") || strstr(cgroup, "kubepods") ||
	       strstr(cgroup, "libpod") || strstr(cgroup, "/lxc");
}

static void look_around(struct doctor *d)
{
	char text[256], path[PATH_MAX];
	unsigned int major, minor;

	d->own_user_ns = is_own_ns(d, "user", HOST_USER_NS);
	d->own_pid_ns = is_own_ns(d, "pid", HOST_PID_NS);
	d->container = is_container(d);
	d->paranoid = doctor_read_int(d, "/proc/sys/kernel/perf_event_paranoid", 2);
	read_status(d);
	if (doctor_read(d, "/proc/sys/kernel/osrelease", text, sizeof(text)) > 0 &&
	    sscanf(text, "%u.%u", &major, &minor) == 2)
		d->kernel = KERNEL(major, minor);
	snprintf(path, sizeof(path), "%s/sys/kernel/btf/vmlinux", d->root);
	d->btf_error = probe_btf_read(path, &d->btf);
}

static bool is_worst(const struct doctor_report *r, const struct doctor_finding *f)
{
	return f->state == r->overall;
}

/* "CAP_BPF, CAP_PERFMON": a finding and those behind it that are as bad; same: and for the same reason. */
static void list_titles(const struct doctor_report *r, const struct doctor_finding *first, bool same,
			char *out, size_t len)
{
	size_t at = (size_t)snprintf(out, len, "%s", first->title);

	for (const struct doctor_finding *f = first + 1; f < r->v + r->n && at < len; f++)
		if (is_worst(r, f) && (!same || (f->group == first->group && !strcmp(f->found, first->found))))
			at += (size_t)snprintf(out + at, len - at, ", %s", f->title);
}

static void give_verdict(struct doctor_report *r)
{
	const struct doctor_finding *f = r->v;
	char titles[256];

	while (!is_worst(r, f))
		f++;
	list_titles(r, f, r->overall == DOCTOR_MISSING, titles, sizeof(titles));
	if (r->overall == DOCTOR_OK)
		snprintf(r->verdict, sizeof(r->verdict), "hotspan can profile this host");
	else if (r->overall == DOCTOR_LIMITED)
		snprintf(r->verdict, sizeof(r->verdict), "hotspan can profile this host, with limits: %s", titles);
	else
		snprintf(r->verdict, sizeof(r->verdict),
			 "hotspan cannot profile this host, because of %s (%s): %s", titles, f->found, f->remedy);
}

void doctor_examine(const char *root, const struct probe *probe, const struct trace_probe *trace, struct doctor_report *ret)
{
	struct doctor d = { .root = root, .probe = probe, .trace = trace };
	const char *group = "";

	look_around(&d);
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct doctor_finding *f = &ret->v[ret->n];

		if (!rows[i].id) {
			group = rows[i].title;
			continue;
		}
		*f = (struct doctor_finding){ .group = group, .id = rows[i].id, .title = rows[i].title };
		rows[i].check(&d, rows[i].arg, f);
		ret->n++;
		if (f->state > ret->overall)
			ret->overall = f->state;
	}
	give_verdict(ret);
}
