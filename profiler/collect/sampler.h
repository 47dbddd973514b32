/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * sampler - the BPF program on a cpu-clock event per online CPU, and its ring buffer.
 *
 * Story: loaded stopped; the caller takes stock of the processes, then starts it; samples come out
 * of sampler_drain() raw, as struct ev_sample. Follows CPUs that come and go (sampler_follow_cpus).
 * Threads: one.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/events.h"

struct sampler;

struct sampler_opts {
	uint32_t frequency_hz;
	bool kernel_stacks, user_stacks;
	/* Filters; each kind with n > 0 must match. Children of the pids are followed. */
	const pid_t *pids;
	uint32_t n_pids;
	const char *const *comms;
	uint32_t n_comms;
	const int *cgroup_fds; /* folders of the cgroup2 tree; borrowed during the call */
	uint32_t n_cgroups;
	int flights_fd, procs_fd; /* the tracer's maps, of the request a thread works on; 0: there is no tracer. Borrowed in the call */
	bool shares;      /* sampler_set_share() will be called: the collector's to say */
	bool follow_pids; /* a pid filter even though n_pids is 0: pids come by sampler_add_pid() */
	bool as_before_61; /* as on a kernel before 6.1, for tests; such a kernel is seen without */
};

/*
 * On failure err (err_len > 0) says in one line what is missing and what to do.
 * -EPERM: privileges; -ENOTSUP: the kernel lacks something; other errno as they come.
 */
int sampler_new(const struct sampler_opts *opts, struct sampler **ret, char *err, size_t err_len);
struct sampler *sampler_free(struct sampler *s);

int sampler_add_pid(struct sampler *s, pid_t pid);
/* Whether the filter of pids lets this process in, or there is none. */
bool sampler_wants(const struct sampler *s, uint32_t tgid);

/*
 * Of the program that this process runs one in so many samples is sent from here on, and stands for all; 0: none.
 * start_ns and exec_id are of struct ev_sample. 0 or negative errno: they all go on to come.
 */
int sampler_set_share(struct sampler *s, uint32_t tgid, uint64_t start_ns, uint64_t exec_id, uint16_t one_in);
/* All come again, of every process. */
void sampler_reset_shares(struct sampler *s);

/* One before 6.1: sampler_new() takes the program for such. */
bool sampler_on_old_kernel(void);

/* Opens a cpu-clock event of one CPU, without a program, and lets it go. 0 or negative errno. */
int sampler_probe_event(int cpu);

/* Opens and starts the event of one CPU, or closes it. 0 or negative errno. */
int sampler_open_cpu(struct sampler *s, int cpu);
void sampler_close_cpu(struct sampler *s, int cpu);

/* From the next tick of each CPU on; every sample carries the period it was taken with. */
int sampler_set_frequency(struct sampler *s, uint32_t hz);

/* Readable when the ring is half full. */
int sampler_fd(const struct sampler *s);

/* The program's maps that the unwinder fills (unwind/unwinder.h); borrowed. */
int sampler_slabs_fd(const struct sampler *s);
int sampler_spaces_fd(const struct sampler *s);

/* Hands every waiting sample to fn; a record of an impossible size is counted, not handed on.
 * 0, or the first negative value of fn. */
int sampler_drain(struct sampler *s, int (*fn)(void *ctx, const struct ev_sample *ev, size_t len),
		  void *ctx);

/*
 * A sample with a rest, as the program sends it where the ring has no room for the stack (EV_SAMPLE_NO_STACK): the walk
 * ends, who the process is stays. Into to; its length. ev: as sampler_drain() hands it on.
 */
enum { SAMPLER_SMALL_WORDS = EV_RECORD_WORDS + (sizeof(struct ev_rest) + EV_REST_START) / 8 };
size_t sampler_without_stack(const struct ev_sample *ev, uint64_t to[SAMPLER_SMALL_WORDS]);

/* Sums over CPUs of enum ev_drop and enum ev_counter. */
int sampler_counters(const struct sampler *s, uint64_t ret[EV_COUNT_MAX]);

/* Kernel memory of maps and programs, as the kernel accounts it. */
uint64_t sampler_kernel_bytes(const struct sampler *s);
