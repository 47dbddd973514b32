/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * trace_clock - what a thread used since it began with a request: CPU time, and time in which it waited for a CPU.
 *
 * The scheduler's own accounts are exact when a thread leaves its CPU, and up to a tick old while it runs: then the clock
 * goes on from where the thread came onto the CPU. So each switch of a thread with a request in flight is noted, and what
 * is measured is what the thread's own clock (CLOCK_THREAD_CPUTIME_ID) says; the wait for a CPU is as in
 * /proc/PID/schedstat. Of threads that never worked on a request a switch costs little more than the call.
 */
#include "bpf/trace_maps.h"

/*
 * Time that its CPU gave to nobody, of which the scheduler takes account: what a hypervisor stole, and interrupts where the
 * kernel measures them. As of the last tick, which comes at once after a theft that hid it.
 */
static __always_inline __u64 taken_ns(struct task_struct *task)
{
	struct cfs_rq *cfs_rq = task->se.cfs_rq;
	__u64 ns = 0;

	if (!bpf_core_field_exists(cfs_rq->rq) || !cfs_rq)
		return 0;
	if (bpf_core_field_exists(cfs_rq->rq->prev_steal_time_rq))
		ns += cfs_rq->rq->prev_steal_time_rq;
	if (bpf_core_field_exists(cfs_rq->rq->prev_irq_time))
		ns += cfs_rq->rq->prev_irq_time;
	return ns;
}

/*
 * What it used since it came onto its CPU. Now and then a switch is not told: some in a hundred thousand, several in a row.
 * Of a thread that has left its CPU, as far as is known, and runs, the account as of the last tick has to do.
 */
static __always_inline __u64 stretch_ns(const struct thread_clock *t, struct task_struct *task, __u64 now)
{
	__u64 taken = taken_ns(task) - t->in_taken_ns, wall = now > t->in_ns ? now - t->in_ns : 0;

	if (!t->in_ns)
		return task->se.sum_exec_runtime - t->runtime_ns;
	return wall > taken ? wall - taken : 0;
}

static __always_inline __u64 run_delay_of(struct task_struct *task)
{
	return bpf_core_field_exists(task->sched_info.run_delay) ? BPF_CORE_READ(task, sched_info.run_delay) : 0;
}

/* Of the thread at hand, from now on. 0: no memory for one. */
static __always_inline int start_clock(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread_clock *t = bpf_task_storage_get(&clocks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!t)
		return 0;
	t->cpu_ns = t->runtime_ns = 0;
	t->run_delay_ns = run_delay_of(task);
	t->started_ns = t->in_ns = bpf_ktime_get_ns();
	t->in_taken_ns = taken_ns(task);
	t->runs = 1;
	return 1;
}

/* Ends it, and says what it measured. */
static __always_inline void stop_clock(struct flight_cpu *ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread_clock *t = bpf_task_storage_get(&clocks, task, 0, 0);
	__u64 now, all, stretch;

	if (!t || !t->runs)
		return;
	now = bpf_ktime_get_ns();
	stretch = stretch_ns(t, task, now);
	t->runs = 0;
	all = now - t->started_ns;
	ret->cpu_ns = t->cpu_ns + stretch;
	ret->queue_ns = run_delay_of(task) - t->run_delay_ns;
	ret->blocked_ns = all > ret->cpu_ns + ret->queue_ns ? all - ret->cpu_ns - ret->queue_ns : 0;
}

/* Its clock, or NULL, which is what most threads have. */
static __always_inline struct thread_clock *clock_of(struct task_struct *task)
{
	return task->bpf_storage ? bpf_task_storage_get(&clocks, task, 0, 0) : 0;
}

static __always_inline void clock_out(struct task_struct *task)
{
	struct thread_clock *t = clock_of(task);
	__u64 runtime;

	if (!t || !t->runs)
		return;
	runtime = task->se.sum_exec_runtime;
	t->cpu_ns += t->runtime_ns ? runtime - t->runtime_ns : stretch_ns(t, task, bpf_ktime_get_ns());
	t->runtime_ns = runtime;
	t->in_ns = 0;
}

static __always_inline void clock_in(struct task_struct *task)
{
	struct thread_clock *t = clock_of(task);

	if (!t)
		return;
	t->in_ns = bpf_ktime_get_ns();
	t->in_taken_ns = taken_ns(task);
}
