/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * doctor_checks - what the rows of doctor.c share: the facts every check may look at, and how it
 * writes down what it found. Only doctor*.c include it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/doctor.h"
#include "collect/probe.h"

#define KERNEL(major, minor) ((major) * 1000u + (minor))

struct doctor {
	const char *root;
	const struct probe *probe;
	const struct trace_probe *trace;
	struct probe_btf btf;
	int btf_error;
	uint32_t kernel;   /* KERNEL(6, 1); 0: unknown */
	uint64_t caps;     /* effective, as the host counts them: 0 in a user namespace of its own */
	int seccomp;       /* 0 none, 1 strict, 2 filter */
	int paranoid;
	bool own_user_ns, own_pid_ns; /* not the host's */
	bool container;
};

/* The file below root as text, cut at len - 1. Its length or negative errno. */
int doctor_read(const struct doctor *d, const char *path, char *ret, size_t len);
/* The first number in a file, or otherwise. */
int doctor_read_int(const struct doctor *d, const char *path, int otherwise);
bool doctor_exists(const struct doctor *d, const char *path);

/* Numbers of include/uapi/linux/capability.h; CAP_SYS_ADMIN stands for CAP_BPF, CAP_PERFMON and
 * CAP_CHECKPOINT_RESTORE too. */
bool doctor_holds(const struct doctor *d, int cap);

/* Options and type of a mount point in root's /proc/self/mounts. 0, or -ENOENT. */
int doctor_mount(const struct doctor *d, const char *point, const char *type, char ret_type[32],
		 char ret_options[256]);

/* CPUs of a list in sysfs: "online", "possible"; 0 when it cannot be read. */
uint32_t doctor_cpus(const struct doctor *d, const char *which);
/* Does /proc/kallsyms show addresses to us? */
bool doctor_kernel_names(const struct doctor *d);

void finding_found(struct doctor_finding *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void finding_judge(struct doctor_finding *f, enum doctor_state s, const char *means, ...)
	__attribute__((format(printf, 3, 4)));
void finding_remedy(struct doctor_finding *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* How somebody here gets a capability: it depends on the user and the container. */
void finding_remedy_cap(struct doctor_finding *f, const struct doctor *d, int cap);

/* The checks, by file. arg is the row's. */
#define DOCTOR_CHECK(name) void name(const struct doctor *d, int arg, struct doctor_finding *f)

/* doctor_kernel.c */
DOCTOR_CHECK(check_release);
DOCTOR_CHECK(check_btf);
DOCTOR_CHECK(check_lockdown);
DOCTOR_CHECK(check_bpf_sysctl);
DOCTOR_CHECK(check_paranoid);
DOCTOR_CHECK(check_build_ids);
DOCTOR_CHECK(check_loop);
DOCTOR_CHECK(check_followers);
DOCTOR_CHECK(check_task_storage);
DOCTOR_CHECK(check_iterators);
DOCTOR_CHECK(check_procmap);

/* doctor_rights.c */
DOCTOR_CHECK(check_user_ns);
DOCTOR_CHECK(check_cap); /* arg: the capability */
DOCTOR_CHECK(check_seccomp);
DOCTOR_CHECK(check_memlock);
DOCTOR_CHECK(check_nofile);

/* doctor_tried.c */
DOCTOR_CHECK(check_bpf);
DOCTOR_CHECK(check_ring);
DOCTOR_CHECK(check_event);
DOCTOR_CHECK(check_records);
DOCTOR_CHECK(check_program);
DOCTOR_CHECK(check_start);

/* doctor_requests.c */
DOCTOR_CHECK(check_http_hooks);
DOCTOR_CHECK(check_http_programs);
DOCTOR_CHECK(check_http_unseen);

/* doctor_host.c */
DOCTOR_CHECK(check_pid_ns);
DOCTOR_CHECK(check_proc);
DOCTOR_CHECK(check_cgroup);
DOCTOR_CHECK(check_container);
DOCTOR_CHECK(check_kallsyms);
DOCTOR_CHECK(check_debug_files);
DOCTOR_CHECK(check_machine);
DOCTOR_CHECK(check_pmu);
DOCTOR_CHECK(check_cpus);
DOCTOR_CHECK(check_memory);
