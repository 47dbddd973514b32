/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * fixture_doctor - a host drawn by hand for the doctor: files below a root of our own, and answers of a kernel we do not run on.
 *
 *	good_host() -> the test takes something away -> expect() -> host_fini()
 */
#include "unit.h"

#include <bpf/btf.h>
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

static inline void drop(const struct host *h, const char *path)
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
	*h = (struct host){ .probe = { .build_ids = true, .memlock = { 8 << 20, 8 << 20 }, .nofile = { 1024, 4096 } }, .trace = { .way = TRACER_BY_EVENTS } };
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
