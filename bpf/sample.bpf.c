// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sample - where is each CPU right now: kernel stack, user stack, who.
 *
 *	cpu-clock tick -> idle? filtered? wanted? -> kernel stack -> user stack (walk.h) -> ring buffer
 *
 * Every tick ends in exactly one counter: idle, filtered, left out, thinned, sent or a row of drops.def, so
 * that user space can add them up to the ticks the clock owed us.
 * Twice: `sample`, and for kernels before 6.1 `sample_old`, which does without bpf_loop (5.17). User space loads one
 * of them: a kernel refuses what it does not know even where it is never reached.
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/config.h"
#include "bpf/kernel.h"
#include "bpf/sample_filter.h"
#include "bpf/sample_flight.h"
#include "bpf/sample_record.h"

#define WALK_SOME 64 /* frames */

static __always_inline const __u8 *slab_of(const void *unused, __u32 at)
{
	__u32 i = at >> SLAB_BITS, zero = 0;
	void *slab = bpf_map_lookup_elem(&slabs, &i);

	return slab ? bpf_map_lookup_elem(slab, &zero) : NULL;
}

static __always_inline struct walk_cache *walk_cache(struct walk *w)
{
	return &((struct scratch *)w)->cache;
}

/*
 * A walk climbs the stack: a read brings what lies above along, up to the end of its page, since beyond that
 * there may be nothing. Misses of one copy overlap, those of one read after the other do not.
 */
static __noinline long walk_read(struct walk *w, void *to, __u32 len, __u64 from)
{
	struct scratch *s = (struct scratch *)w;
	__u64 skip = from - s->stack_at;

	if (len != 8 && len != 16)
		return bpf_probe_read_user(to, len, (const void *)from);
	if (skip >= s->stack_bytes || len > s->stack_bytes - skip) {
		__u32 bytes = PAGE_BYTES - (from & (PAGE_BYTES - 1));

		if (bytes > STACK_BYTES)
			bytes = STACK_BYTES;
		if (bytes < len)
			return bpf_probe_read_user(to, len, (const void *)from);
		s->stack_bytes = 0;
		if (bpf_probe_read_user(s->stack, bytes, (const void *)from))
			return -1;
		s->stack_at = from;
		s->stack_bytes = bytes;
		skip = 0;
	}
	asm volatile("%0 &= %1" : "+r"(skip) : "i"(STACK_BYTES - 1));
	__builtin_memcpy(to, s->stack + skip, 8);
	if (len == 16)
		__builtin_memcpy((__u8 *)to + 8, s->stack + skip + 8, 8);
	return 0;
}

/* Puts walk.pc behind the kernel frames. 0: the walk is long enough. */
static __always_inline int push_user(struct scratch *s)
{
	struct ev_sample *ev = (void *)s->record;
	__u32 at = ev->kframes + ev_user_slot(s->walk.n);

	if (at >= EV_KERNEL_FRAMES + EV_USER_FRAMES || s->walk.n >= EV_WALK_FRAMES)
		return 0;
	s->record[sizeof(*ev) / 8 + at] = walk_frame(&s->walk);
	s->walk.n++;
	return 1;
}

static __noinline long walk_one(__u32 i, void *ctx)
{
	struct scratch *s = *(struct scratch **)ctx;

	if (walk_locate(&s->walk) != WALK_ON)
		return 1;
	/* Before it is pushed: user space goes on with this very frame. */
	if (s->walk.here.how == SPACE_UNKNOWN) {
		walk_miss(&s->walk);
		return 1;
	}
	return !push_user(s) || walk_step(&s->walk) != WALK_ON;
}

/*
 * In place of bpf_loop: two loops of calls, one in the other. The verifier follows a loop turn by turn, but verifies a
 * global function once, by itself: a turn costs it a call. One loop of so many turns it refuses. No tail calls: 33 of
 * them, each with a loop that is as long, go no further and want a map. No pointers: functions take them from 5.12 on.
 */
__noinline int walk_next(__u32 cpu)
{
	struct scratch *s = bpf_map_lookup_elem(&scratch, &cpu);

	return s ? walk_one(0, &s) : 1;
}

__noinline int walk_some(__u32 cpu)
{
	for (int i = 0; i < WALK_SOME; i++)
		if (walk_next(cpu))
			return 1;
	return 0;
}

/* status starts as DEPTH: whoever ends the walk earlier says why. */
static __always_inline void walk_user(struct scratch *s, __u32 cpu, int old_kernel)
{
	if (!old_kernel) {
		bpf_loop(EV_WALK_FRAMES + 1, walk_one, &s, 0);
		return;
	}
	for (int i = 0; i <= EV_WALK_FRAMES / WALK_SOME; i++)
		if (walk_some(cpu))
			return;
}

#if defined(__TARGET_ARCH_x86)
#define is_user_mode(regs) (((regs)->cs & 3) == 3)
#define is_compat(regs)    ((regs)->cs == 0x23)
/* execve and execveat: entry code leaves the syscall's number here until the return. */
#define is_exec(regs) ((regs)->orig_rax == 59 || (regs)->orig_rax == 322)

static __always_inline void walk_from(struct walk *w, const struct pt_regs *regs)
{
	w->pc = regs->rip;
	w->sp = regs->rsp;
	w->fp = regs->rbp;
	w->flags = WALK_REGS;
	w->regs[0] = regs->rax;
	w->regs[1] = regs->rdx;
	w->regs[2] = regs->rcx;
	w->regs[3] = regs->rbx;
	w->regs[4] = regs->rsi;
	w->regs[5] = regs->rdi;
	w->regs[6] = regs->rbp;
	w->regs[7] = regs->rsp;
	w->regs[8] = regs->r8;
	w->regs[9] = regs->r9;
	w->regs[10] = regs->r10;
	w->regs[11] = regs->r11;
	w->regs[12] = regs->r12;
	w->regs[13] = regs->r13;
	w->regs[14] = regs->r14;
	w->regs[15] = regs->r15;
}
#endif

/* The registers user space had when it entered the kernel. 0, or -1 when they cannot be read. */
static __always_inline int saved_user_regs(struct task_struct *task, struct pt_regs *ret)
{
	const void *regs;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		regs = (const void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	else
		regs = (const char *)BPF_CORE_READ(task, stack) + KERNEL_STACK_SIZE - sizeof(*ret);
	return bpf_probe_read_kernel(ret, sizeof(*ret), regs);
}

static __always_inline void kernel_stack(struct bpf_perf_event_data *ctx, struct ev_sample *ev)
{
	long bytes = bpf_get_stack(ctx, ev->pc, EV_KERNEL_FRAMES * 8, 0);

	if (bytes <= 0)
		return;
	ev->kframes = bytes / 8;
	if (ev->kframes >= EV_KERNEL_FRAMES)
		ev->flags |= EV_SAMPLE_KERNEL_CUT;
}

/* Has user space told us of this address space as it is now? */
static __always_inline int know_space(struct scratch *s, __u32 tgid, struct mm_struct *mm)
{
	const struct space *space = bpf_map_lookup_elem(&spaces, &tgid);

	s->walk.here.start = s->walk.here.end = 0;
	if (!space || space->mm != (__u64)mm || space->exec_pages != BPF_CORE_READ(mm, exec_vm))
		return 0;
	s->walk.space = *space;
	s->stack_bytes = 0;
	return 1;
}

static __always_inline void user_stack(struct bpf_perf_event_data *ctx, struct scratch *s,
				       struct ev_sample *ev, struct task_struct *task,
				       int old_kernel)
{
	struct pt_regs *regs = &s->regs;
	struct mm_struct *mm;

	s->walk.n = 0;
	if (BPF_CORE_READ(task, flags) & (PF_KTHREAD | PF_IO_WORKER)) {
		s->walk.status = EV_CUT_NO_USER;
		return;
	}
	if (ev->flags & EV_SAMPLE_IN_KERNEL) {
		if (saved_user_regs(task, regs) || !is_user_mode(regs)) {
			s->walk.status = EV_CUT_NO_REGS;
			return;
		}
		ev->flags |= is_exec(regs) ? EV_SAMPLE_IN_EXEC : 0;
	} else {
		__builtin_memcpy(regs, &ctx->regs, sizeof(*regs));
	}
	walk_from(&s->walk, regs);
	mm = BPF_CORE_READ(task, mm);
	if (is_compat(regs) || !mm) {
		push_user(s);
		s->walk.status = is_compat(regs) ? EV_CUT_COMPAT : EV_CUT_EXITING;
		return;
	}
	if (!know_space(s, ev->tgid, mm)) {
		s->walk.status = EV_CUT_NO_TABLES;
		return;
	}
	s->walk.status = EV_CUT_DEPTH;
	walk_user(s, ev->cpu, old_kernel);
}

static __always_inline __u16 flags_of(struct bpf_perf_event_data *ctx, struct task_struct *task)
{
	return (is_user_mode(&ctx->regs) ? 0 : EV_SAMPLE_IN_KERNEL) |
	       (BPF_CORE_READ(task, flags) & PF_KTHREAD ? EV_SAMPLE_KTHREAD : 0);
}

static __always_inline void take_sample(struct bpf_perf_event_data *ctx, struct scratch *s,
					__u64 now, int old_kernel)
{
	__u64 ids = bpf_get_current_pid_tgid();
	struct ev_sample *ev = (void *)s->record;
	struct task_struct *task = (void *)bpf_get_current_task();
	int idle = (__u32)ids == 0;

	count_ticks(s, now, ctx->sample_period, idle);
	if (idle)
		return;
	*ev = (struct ev_sample){
		.time_ns = now,
		.cgroup_id = bpf_get_current_cgroup_id(),
		.start_ns = BPF_CORE_READ(task, group_leader, start_boottime),
		.exec_id = BPF_CORE_READ(task, self_exec_id),
		.tgid = ids >> 32,
		.tid = (__u32)ids,
		.period_ns = ctx->sample_period,
		.cpu = bpf_get_smp_processor_id(),
		.flags = flags_of(ctx, task),
		.status = EV_CUT_NOT_ASKED,
	};
	bpf_get_current_comm(ev->comm, sizeof(ev->comm));
	if (!wanted(ev)) {
		count(EV_COUNT_FILTERED, 1);
		return;
	}
	ev->weight = weigh(ev, old_kernel);
	if (!ev->weight)
		return;
	if (config.flights)
		note_flight(ev, task);
	if (config.kernel_stacks && (ev->flags & EV_SAMPLE_IN_KERNEL))
		kernel_stack(ctx, ev);
	if (config.user_stacks) {
		user_stack(ctx, s, ev, task, old_kernel);
		ev->uframes = s->walk.n;
		ev->status = s->walk.status;
	}
	send(s, task);
}

static __always_inline int tick(struct bpf_perf_event_data *ctx, int old_kernel)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct scratch *s = bpf_map_lookup_elem(&scratch, &cpu);
	__u64 now = bpf_ktime_get_boot_ns();

	if (!s)
		return 0;
	take_sample(ctx, s, now, old_kernel);
	count(EV_COUNT_RUN_NS, bpf_ktime_get_boot_ns() - now);
	return 0;
}

SEC("perf_event")
int sample(struct bpf_perf_event_data *ctx)
{
	return tick(ctx, 0);
}

SEC("perf_event")
int sample_old(struct bpf_perf_event_data *ctx)
{
	return tick(ctx, 1);
}

/* A child of a wanted process is wanted from its first instruction on: no window in which user
 * space still has to hear of it. Loaded only with a pid filter. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(follow_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 from = BPF_CORE_READ(parent, tgid), to = BPF_CORE_READ(child, tgid);
	__u8 yes = 1;

	if (from != to && bpf_map_lookup_elem(&pids, &from))
		bpf_map_update_elem(&pids, &to, &yes, BPF_ANY);
	return 0;
}

SEC("tp_btf/sched_process_free")
int BPF_PROG(forget_process, struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);

	if (BPF_CORE_READ(task, pid) == (int)tgid)
		bpf_map_delete_elem(&pids, &tgid);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
