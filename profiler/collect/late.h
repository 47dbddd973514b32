/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * late - which of the ticks that the timer skipped were lost. Pure.
 *
 * A parked virtual CPU wakes for other reasons than our timer, so that a gap between two busy ticks may have been idle
 * all the same. The kernel's own idle time says how many ticks idling can explain; only the others were lost. Counted
 * since the rate last changed, and before that.
 */
#include <stdint.h>

#include "bpf/events.h"

struct late {
	uint64_t period_ns;
	uint64_t since_idle_ns;          /* of all CPUs, when the rate last changed */
	uint64_t since_idle, since_late; /* ticks of the counters, then */
	uint64_t before;                 /* late ticks that idling explained until then */
	uint64_t told;                   /* what was called lost once stays lost: counters only grow */
};

/* idle_ns: the kernel's, of all CPUs (cpus.h); 0: not known. counters: of enum ev_counter. */
void late_begin(struct late *t, uint64_t period_ns, uint64_t idle_ns);
void late_change_rate(struct late *t, const uint64_t counters[EV_COUNT_MAX], uint64_t period_ns, uint64_t idle_ns);
uint64_t late_lost(struct late *t, const uint64_t counters[EV_COUNT_MAX], uint64_t idle_ns);
