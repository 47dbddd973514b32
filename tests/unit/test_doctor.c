/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor on hosts drawn by hand: files below a root of our own, and answers of a kernel we do not run on. */
#include "unit.h"

#include <bpf/btf.h>
#include <errno.h>
#include <ftw.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/doctor.h"
#include "collect/probe.h"
#include "trace/trace_probe.h"

#define BIT(cap) (1ull << (cap))
static const unsigned long long ALL_CAPS = 0x1ffffffffffull, NO_CAPS = 0;

/* A host: a folder, and what trying gave. Tests change what they are about. */
struct host {
	char root[64];
	struct probe probe;
	struct trace_probe trace;
	struct doctor_report report;
};

static void make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
}

static void put(const struct host *h, const char *path, const void *data, size_t len)
{
	char full[256];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", h->root, path);
	make_folders(full);
	f = fopen(full, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

static void put_text(const struct host *h, const char *path, const char *text)
{
	put(h, path, text, strlen(text));
}

static void put_link(const struct host *h, const char *path, const char *target)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", h->root, path);
	make_folders(full);
	unlink(full);
	assert_int_equal(symlink(target, full), 0);
}

static void drop(const struct host *h, const char *path)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", h->root, path);
	assert_int_equal(remove(full), 0);
}

static void put_status(const struct host *h, unsigned long long caps, int seccomp)
{
	char text[256];

	snprintf(text, sizeof(text), "Name:\tx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nSeccomp:\t%d\nSeccomp_filters:\t0\n",
		 caps, caps, seccomp);
	put_text(h, "/proc/self/status", text);
}

/* A kernel's types that list no more than asked for. */
static void put_btf(const struct host *h, bool loop, bool storage, bool iterators)
{
	struct btf *btf = btf__new_empty();
	const void *data;
	__u32 len;

	btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	btf__add_enum(btf, "bpf_map_type", 4);
	btf__add_enum_value(btf, storage ? "BPF_MAP_TYPE_TASK_STORAGE" : "BPF_MAP_TYPE_HASH", 1);
	btf__add_enum(btf, "bpf_func_id", 4);
	btf__add_enum_value(btf, loop ? "BPF_FUNC_loop" : "BPF_FUNC_map_lookup_elem", 1);
	if (iterators) {
		btf__add_struct(btf, "bpf_iter__task", 8);
		btf__add_struct(btf, "bpf_iter__task_vma", 8);
	}
	btf__add_typedef(btf, "btf_trace_sched_process_fork", 1);
	data = btf__raw_data(btf, &len);
	put(h, "/sys/kernel/btf/vmlinux", data, len);
	btf__free(btf);
}

/* Everything is there: whatever a test then sees beside ok comes from what it changed. */
static void good_host(struct host *h)
{
	*h = (struct host){ .probe = { .build_ids = true, .memlock = { 8 << 20, 8 << 20 }, .nofile = { 1024, 4096 } }, .trace = { .sockets = true } };
	strcpy(h->root, "/tmp/hotspan-doctor-XXXXXX");
	assert_non_null(mkdtemp(h->root));
	put_status(h, ALL_CAPS, 0);
	put_btf(h, true, true, true);
	put_link(h, "/proc/self/ns/pid", "pid:[4026531836]");
	put_link(h, "/proc/self/ns/user", "user:[4026531837]");
	put_text(h,
		 "/proc/self/mounts", "/dev/sda1 / ext4 rw 0 0\nproc /proc proc rw,nosuid 0 0\nnone /sys/fs/cgroup cgroup2 rw 0 0\n");
	put_text(h, "/proc/self/cgroup", "0::/user.slice\n");
	put_text(h, "/proc/sys/kernel/osrelease", "6.12.1-amd64\n");
	put_text(h, "/proc/sys/kernel/perf_event_paranoid", "2\n");
	put_text(h, "/proc/sys/kernel/unprivileged_bpf_disabled", "2\n");
	put_text(h, "/proc/sys/kernel/kptr_restrict", "1\n");
	put_text(h,
		 "/proc/kallsyms", "0000000000000000 A fixed_percpu_data\nffffffff81000000 T _text\n");
	put_text(h, "/proc/cpuinfo", "processor: 0\nflags\t\t: fpu vme\n");
	put_text(h, "/proc/meminfo", "MemTotal: 9000000 kB\nMemAvailable:    8000000 kB\n");
	put_text(h, "/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	put_text(h, "/sys/devices/system/cpu/online", "0-2\n");
	put_text(h, "/sys/devices/system/cpu/possible", "0-3\n");
	put_text(h, "/usr/lib/debug/.build-id/x", "");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static void host_fini(struct host *h)
{
	nftw(h->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const struct doctor_finding *find(const struct host *h, const char *id)
{
	for (size_t i = 0; i < h->report.n; i++)
		if (!strcmp(h->report.v[i].id, id))
			return &h->report.v[i];
	fail_msg("there is no check %s", id);
	return NULL;
}

/* Examines, and expects this state; words must stand in what it found, means or advises. */
static void expect(struct host *h, const char *id, enum doctor_state state, const char *words)
{
	const struct doctor_finding *f;
	char all[1024];

	doctor_examine(h->root, &h->probe, &h->trace, &h->report);
	f = find(h, id);
	snprintf(all, sizeof(all), "%s: %s -> %s", f->found, f->means, f->remedy);
	if (f->state != state)
		fail_msg("%s is %s: %s", id, doctor_state_name(f->state), all);
	if (!strstr(all, words))
		fail_msg("%s does not say '%s': %s", id, words, all);
	assert_int_equal(!*f->remedy, state == DOCTOR_OK);
}

static void a_host_that_has_it_all_is_ok_in_every_line(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	expect(&h, "release", DOCTOR_OK, "6.12.1-amd64");
	for (size_t i = 0; i < h.report.n; i++) {
		assert_int_equal(h.report.v[i].state, DOCTOR_OK);
		assert_true(*h.report.v[i].found && *h.report.v[i].means);
	}
	assert_int_equal(h.report.overall, DOCTOR_OK);
	assert_string_equal(h.report.verdict, "hotspan can profile this host");
}

static void ids_are_unique(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	doctor_examine(h.root, &h.probe, &h.trace, &h.report);
	for (size_t i = 0; i < h.report.n; i++)
		assert_ptr_equal(find(&h, h.report.v[i].id), &h.report.v[i]);
}

static void an_empty_root_is_survived(void **state)
{
	_cleanup_(host_fini) struct host h = { .root = "/tmp/hotspan-doctor-XXXXXX" };

	assert_non_null(mkdtemp(h.root));
	expect(&h, "proc", DOCTOR_MISSING, "mount");
	expect(&h, "btf", DOCTOR_MISSING, "CONFIG_DEBUG_INFO_BTF");
	expect(&h, "cap_bpf", DOCTOR_MISSING, "not held");
	expect(&h, "cpus", DOCTOR_MISSING, "sysfs");
	expect(&h, "memory", DOCTOR_OK, "not told");
	expect(&h, "lockdown", DOCTOR_OK, "not told");
	expect(&h, "kallsyms", DOCTOR_LIMITED, "CONFIG_KALLSYMS");
	assert_int_equal(h.report.overall, DOCTOR_MISSING);
}

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

static void a_refused_program_says_why_in_its_own_words(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	h.probe.program = h.probe.start = -ENOTSUP;
	strcpy(h.probe.program_err, "the kernel refused the BPF program (Invalid argument): the verifier is in a mood");
	strcpy(h.probe.start_err, h.probe.program_err);
	expect(&h, "program", DOCTOR_MISSING, "in a mood");
	expect(&h, "start", DOCTOR_MISSING, "in a mood");
	expect(&h, "tp_btf", DOCTOR_OK, "yes");
	h.probe.program = 0;
	h.probe.followers = -ENOTSUP;
	expect(&h, "tp_btf", DOCTOR_LIMITED, "--cgroup");
	h.probe.start = -EMFILE;
	expect(&h, "start", DOCTOR_MISSING, "ulimit");
	h.probe.records = -EINVAL;
	expect(&h, "records", DOCTOR_MISSING, "Invalid argument");
}

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

static void requests_are_seen_at_sockets_or_at_system_calls_or_not_at_all(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	expect(&h, "http_hooks", DOCTOR_OK, "at sockets");
	expect(&h, "http_programs", DOCTOR_OK, "can be counted");
	expect(&h, "http_unseen", DOCTOR_OK, "TLS, HTTP/2, io_uring");
	put_text(&h, "/sys/module/tls", "");
	put_text(&h, "/proc/sys/kernel/io_uring_disabled", "2\n");
	expect(&h, "http_unseen", DOCTOR_OK, "TLS (in the kernel, too), HTTP/2: such");
	put_text(&h, "/proc/sys/kernel/io_uring_disabled", "1\n");
	h.trace.sockets = false;
	expect(&h, "http_hooks", DOCTOR_LIMITED, "Linux 6.3");
	expect(&h, "http_unseen", DOCTOR_OK, "io_uring moves is not even counted");
	h.trace.programs = -ENOTSUP;
	strcpy(h.trace.programs_err, "the verifier is in a mood");
	expect(&h, "http_programs", DOCTOR_LIMITED, "no requests are seen: the verifier is in a mood -> boot a newer kernel");
	h.trace.programs = -EPERM;
	expect(&h, "http_programs", DOCTOR_LIMITED, "the sampling program above");
	put_status(&h, ALL_CAPS & ~(1ull << CAP_BPF | 1ull << CAP_SYS_ADMIN), 0);
	expect(&h, "http_programs", DOCTOR_LIMITED, "BPF");
	assert_int_equal(find(&h, "program")->state, DOCTOR_OK); /* profiles need none of it */
}

/* What this kernel answers agrees with itself: the whole works only when its parts do. */
static void trying_here_is_consistent(void **state)
{
	struct probe p;

	probe_run(&p);
	if (!p.start)
		assert_true(!p.bpf && !p.ring && !p.event && !p.records && !p.program);
	else
		assert_true(*p.start_err || p.start == -EPERM);
	assert_true(p.nofile.rlim_cur > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_that_has_it_all_is_ok_in_every_line),
		cmocka_unit_test(ids_are_unique),
		cmocka_unit_test(an_empty_root_is_survived),
		cmocka_unit_test(a_kernel_of_2020_works_with_less),
		cmocka_unit_test(before_511_the_memory_limit_counts),
		cmocka_unit_test(an_older_kernel_is_judged_by_what_it_can),
		cmocka_unit_test(btf_that_is_none_is_missing_and_features_follow_the_version),
		cmocka_unit_test(lockdown_forbids_only_as_confidentiality),
		cmocka_unit_test(each_capability_costs_its_own),
		cmocka_unit_test(sys_admin_stands_for_the_newer_ones),
		cmocka_unit_test(the_remedy_fits_who_asks),
		cmocka_unit_test(capabilities_of_another_user_namespace_do_not_count),
		cmocka_unit_test(paranoid_binds_only_who_lacks_perfmon),
		cmocka_unit_test(a_seccomp_filter_is_named_when_calls_are_refused),
		cmocka_unit_test(a_refused_program_says_why_in_its_own_words),
		cmocka_unit_test(few_descriptors_are_too_few_for_many_cpus),
		cmocka_unit_test(namespaces_and_containers_are_told_apart),
		cmocka_unit_test(hidden_processes_matter_without_ptrace),
		cmocka_unit_test(hidden_kernel_addresses_cost_kernel_names),
		cmocka_unit_test(the_host_is_described),
		cmocka_unit_test(requests_are_seen_at_sockets_or_at_system_calls_or_not_at_all),
		cmocka_unit_test(trying_here_is_consistent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
