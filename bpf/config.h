/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * config - what the agent tells the program before it is loaded; constant from then on, so the
 * verifier drops what is switched off.
 */
#include <linux/types.h>

/* sample_config.filter: a task must match one row of each kind that is switched on. */
#define SAMPLE_FILTER_PID    (1u << 0) /* tgid is a key of `pids`; children join their parent */
#define SAMPLE_FILTER_COMM   (1u << 1) /* comm is a key of `comms` */
#define SAMPLE_FILTER_CGROUP (1u << 2) /* below one of `cgroups` */

enum {
	SAMPLE_MAX_PIDS = 16384,
	SAMPLE_MAX_SPACES = 16384, /* processes whose stacks are walked here; the others' are finished in user space */
	SAMPLE_MAX_COMMS = 64,
	SAMPLE_MAX_CGROUPS = 16,
	SAMPLE_MAX_SHARES = 8192, /* the ones used longest ago go: user space judges their samples, and tells again */
};

/*
 * What user space found out about a program that a process runs, by tgid: how many of its samples are wanted.
 * It is of that program alone: another process of this tgid has another start, another program another exec_id.
 */
struct sample_share {
	__u64 start_ns, exec_id; /* of struct ev_sample */
	__u32 round;             /* of shares: those of an earlier one are void (share_round) */
	__u32 one_in;            /* of so many samples one is sent, and stands for all; 0: none is */
	__u32 seen;              /* samples so far, from a random number on */
	__u32 reserved;
};
_Static_assert(sizeof(struct sample_share) == 32, "layout is an ABI between BPF and the agent");

struct sample_config {
	__u32 filter;
	__u32 n_cgroups;
	__u32 ring_wakeup_bytes; /* wake user space early when this much waits */
	__u32 rest_wakeup_ns; /* and for a walk to be finished, when the last such was this long ago */
	__u8 kernel_stacks, user_stacks;
	__u8 shares;  /* look for them */
	__u8 flights; /* look for the request a thread works on */
};
_Static_assert(sizeof(struct sample_config) == 20, "layout is an ABI between BPF and the agent");
