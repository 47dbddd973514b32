/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * probe - what this kernel lets this process do, found by doing it.
 *
 * Story: each part of a recording is tried alone, so that a refusal has a name, and then all of them
 * together as a recording does it. Judging the answers, and reading the files that explain them, is
 * agent/doctor's work: tests hand it answers of kernels we do not run on.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Each int: 0 or the negative errno of the attempt. */
struct probe {
	int bpf;           /* a program of two instructions, of the sampler's type */
	int ring;          /* a ring buffer map */
	int event;         /* a cpu-clock event on one CPU */
	int records;       /* mmap, exec, fork and exit records of one CPU */
	bool build_ids;    /* the mmap records carry build ids */
	int procmap;       /* PROCMAP_QUERY */
	int program;       /* the sampling program (sampler_new) */
	int followers;     /* the same with the tracepoints that follow forks */
	int start;         /* a whole recording, started and stopped again */
	char program_err[512], followers_err[512], start_err[512];
	struct rlimit memlock, nofile; /* as they were before */
	uid_t euid;
};

/* Takes some 50 ms; samples of that time are thrown away. */
void probe_run(struct probe *ret);

/* What the kernel's own type information lists; needs no privilege. */
struct probe_btf {
	bool ring, loop, task_storage, task_iter, vma_iter, fork_tracepoint;
};

/* path: "/sys/kernel/btf/vmlinux". 0, -ENOENT, -EACCES, or another errno for a file that is no BTF. */
int probe_btf_read(const char *path, struct probe_btf *ret);
