/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * budget - what sampling may cost, and the rate that keeps it there. Pure: told once a second what was used.
 *
 *	CPU      a bucket: max_cpu_percent of the host's CPU time flows in, what the agent and its BPF programs used
 *	         flows out; it holds 30 s of the inflow. The wanted rate, until less than half of it is left; from then on
 *	         the rate that costs as much as flows in while half of it is left, less when less is; empty: 1 Hz.
 *	memory   above max_memory_bytes the rate halves each second, down to 1 Hz, and now and then the caller lets go of
 *	         what it can; below nine tenths it doubles.
 *
 * So over any time T at most the share of T + 30 s is used, as long as 1 Hz costs less than that; a burst (a window
 * being named) costs no samples; and where the load costs more than allowed the rate settles. Every sample carries the
 * period it was taken with: a lower rate makes totals coarser, never smaller.
 */
#include <stdbool.h>
#include <stdint.h>

struct budget_limits {
	double cpu_percent;    /* of all CPUs; 0: no limit */
	uint64_t memory_bytes; /* 0: no limit */
	uint32_t frequency_hz; /* the wanted rate */
};

/* Since the agent began to sample. */
struct budget_used {
	uint64_t wall_ns, cpu_ns; /* cpu: user, system and BPF */
	uint64_t memory_bytes;    /* now: resident, and BPF maps and rings */
	uint32_t cpus;
};

enum budget_limit { BUDGET_FREE, BUDGET_CPU, BUDGET_MEMORY, BUDGET_LIMITS };

struct budget {
	struct budget_limits limits;
	struct budget_used last;
	double level;          /* of the bucket, seconds of inflow: 30 is full; negative: in debt */
	double recent_cpu, recent_hz; /* over the last seconds: CPU seconds used in one, and the rate they were used for */
	double slowdown;       /* the memory's part: 1, 2, 4 ... */
	double used_percent;   /* of the host, over the last seconds */
	uint32_t frequency_hz; /* what to sample at */
	enum budget_limit limit; /* what holds it down */
	uint64_t limited_ns[BUDGET_LIMITS]; /* how long each did */
	uint64_t saved_ns;     /* wall time when memory was last to be saved; 0: it is not short */
};

void budget_init(struct budget *b, const struct budget_limits *limits);
/* Other limits from here on: a bucket keeps its level. */
void budget_set(struct budget *b, const struct budget_limits *limits);
/* About once a second. frequency_hz and limit say what follows. True, at first and then every 10 s: memory is short, let go of what can go. */
bool budget_step(struct budget *b, const struct budget_used *used);

/* The option that limits: "max_cpu_percent", ...; NULL for BUDGET_FREE. */
const char *budget_limit_name(enum budget_limit l);
