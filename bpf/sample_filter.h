/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * sample_filter - which ticks become samples, and how many each stands for.
 */
#include "bpf/sample_maps.h"

/*
 * Counts this tick, and those the timer skipped before it. A gap with an idle CPU at either end is
 * taken for idle: hypervisors park idle CPUs and their timers with them. Between busy ends it is a
 * loss.
 */
static __always_inline void count_ticks(struct scratch *s, __u64 now, __u64 period_ns, int idle)
{
	__u64 gap = now - s->last_tick_ns, skipped = 0;

	if (s->last_tick_ns && gap > period_ns + period_ns / 2)
		skipped = (gap + period_ns / 2) / period_ns - 1;
	s->last_tick_ns = now;
	count(EV_COUNT_TICKS, 1 + skipped);
	count(EV_COUNT_IDLE, idle + (idle || s->last_idle ? skipped : 0));
	count(EV_DROP_TIMER_LATE, idle || s->last_idle ? 0 : skipped);
	s->last_idle = idle;
}

static __always_inline int under_wanted_cgroup(void)
{
	for (__u32 i = 0; i < SAMPLE_MAX_CGROUPS; i++) {
		if (i >= config.n_cgroups)
			break;
		if (bpf_current_task_under_cgroup(&cgroups, i) == 1)
			return 1;
	}
	return 0;
}

static __always_inline int wanted(const struct ev_sample *ev)
{
	__u32 tgid = ev->tgid;

	if ((config.filter & SAMPLE_FILTER_PID) && !bpf_map_lookup_elem(&pids, &tgid))
		return 0;
	if ((config.filter & SAMPLE_FILTER_COMM) && !bpf_map_lookup_elem(&comms, ev->comm))
		return 0;
	return !(config.filter & SAMPLE_FILTER_CGROUP) || under_wanted_cgroup();
}

/* Before 5.12 no instruction counts and says how far: then one in so many by chance. */
static __always_inline __u32 share_turn(struct sample_share *v, int old_kernel)
{
	return old_kernel ? bpf_get_prandom_u32() : __sync_fetch_and_add(&v->seen, 1);
}

/* How many samples this one stands for. 0: it is not to be sent. */
static __always_inline __u16 weigh(const struct ev_sample *ev, int old_kernel)
{
	__u32 tgid = ev->tgid;
	struct sample_share *v = config.shares ? bpf_map_lookup_elem(&shares, &tgid) : NULL;

	if (!v || v->round != share_round || v->exec_id != ev->exec_id || v->start_ns != ev->start_ns)
		return 1;
	if (v->one_in && share_turn(v, old_kernel) % v->one_in == 0)
		return v->one_in;
	count(v->one_in ? EV_COUNT_THINNED : EV_COUNT_LEFT_OUT, 1);
	return 0;
}
