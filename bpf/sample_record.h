/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * sample_record - a sample's way into the ring buffer, with what user space needs where the walk could not be finished here.
 */
#include "bpf/sample_maps.h"

/* The frames' end in the record, in bytes. */
static __always_inline __u32 record_bytes(const struct ev_sample *ev)
{
	return sizeof(*ev) + (ev->kframes + ev_user_words(ev)) * 8;
}

/* Copies what can be read of up to max bytes; how many. */
static __always_inline __u32 copy_pages(struct scratch *s, __u64 at, __u64 from, __u32 max)
{
	__u32 len = PAGE_BYTES - (from & (PAGE_BYTES - 1)), bytes = 0;

	for (__u32 i = 0; i < max / PAGE_BYTES; i++) {
		__u64 to = at + bytes;

		asm volatile("" : "+r"(to));
		if (to > sizeof(s->record) + sizeof(s->room) - PAGE_BYTES || len > PAGE_BYTES)
			break;
		if (bpf_probe_read_user((__u8 *)s->record + to, len, (const void *)(from + bytes)))
			break;
		bytes += len;
		len = PAGE_BYTES;
	}
	return bytes;
}

/* Behind a call, or where a goroutine's first function returns to: goexit() begins with a nop for that. */
static __always_inline int is_return(__u64 ra)
{
	__u8 b[8];

	return ra >= WALK_MIN_CODE && ra < WALK_MAX_CODE && !bpf_probe_read_user(b, sizeof(b), (const void *)(ra - sizeof(b))) &&
	       (walk_ends_in_call(b) || b[7] == 0x90);
}

/*
 * Where frame pointers lead off this stack: to a frame of another one. 0: nowhere. Most code keeps anything in that
 * register: what is no address at all is not read.
 */
static __always_inline __u64 other_stack(const struct ev_rest *rest)
{
	__u64 from = rest->sp - EV_RED_ZONE, frame[2] = { rest->fp, 0 }, fp = 0;

	for (int i = 0; i < EV_REST_CHAIN; i++) {
		fp = frame[0];
		if (fp & 7 || fp < WALK_MIN_CODE || bpf_probe_read_user(frame, sizeof(frame), (const void *)fp))
			return 0;
		if (fp - from >= EV_REST_STACK)
			break;
	}
	return fp - from >= EV_REST_STACK && is_return(frame[1]) ? fp : 0;
}

static __always_inline void copy_start(struct scratch *s, struct ev_rest *rest, __u64 at)
{
	__u64 to = at, len = rest->env_end - rest->args;

	rest->start_bytes = 0;
	asm volatile("" : "+r"(to), "+r"(len));
	if (to > sizeof(s->record) + sizeof(*rest) + EV_REST_STACK || len > EV_REST_START)
		return;
	if (!bpf_probe_read_user((__u8 *)s->record + to, len, (const void *)rest->args))
		rest->start_bytes = len;
}

/* Wakes user space when the ring fills up, and for a process it does not know yet: it may be short-lived. */
static __always_inline __u64 wakeup(struct scratch *s, const struct ev_sample *ev)
{
	if (bpf_ringbuf_query(&samples, BPF_RB_AVAIL_DATA) > config.ring_wakeup_bytes)
		return BPF_RB_FORCE_WAKEUP;
	if (!(ev->flags & EV_SAMPLE_REST) || ev->time_ns - s->rest_sent_ns < config.rest_wakeup_ns)
		return BPF_RB_NO_WAKEUP;
	s->rest_sent_ns = ev->time_ns;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline int output(struct scratch *s, __u64 len)
{
	asm volatile("" : "+r"(len));
	if (len > sizeof(s->record) + sizeof(s->room))
		return -1;
	return bpf_ringbuf_output(&samples, s->record, len, wakeup(s, (void *)s->record));
}

/* at: of the stack's bytes. */
static __always_inline int output_rest(struct scratch *s, struct ev_rest *rest, __u64 at)
{
	/* Read again: to the verifier each way out of the copies would be a program of its own. */
	at += *(volatile __u32 *)&rest->stack_bytes;
	copy_start(s, rest, at);
	at += *(volatile __u32 *)&rest->start_bytes;
	rest->other_bytes = rest->other ? copy_pages(s, at, rest->other, EV_REST_OTHER) : 0;
	return output(s, at + rest->other_bytes);
}

/*
 * With what user space needs to finish the walk, behind the frames. Should there be no room for that, without the stack:
 * who the process is cannot be asked later of one that lives for a millisecond.
 */
static __always_inline int send_rest(struct scratch *s, struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct ev_sample *ev = (void *)s->record;
	__u64 at = record_bytes(ev);
	struct ev_rest *rest;

	asm volatile("" : "+r"(at));
	if (at > sizeof(s->record))
		return -1;
	ev->flags |= EV_SAMPLE_REST;
	rest = (void *)((__u8 *)s->record + at);
	rest->pc = s->walk.pc;
	rest->sp = s->walk.sp;
	rest->fp = s->walk.fp;
	rest->mm = (__u64)mm;
	rest->exec_pages = BPF_CORE_READ(mm, exec_vm);
	rest->args = BPF_CORE_READ(mm, arg_start);
	rest->args_end = BPF_CORE_READ(mm, arg_end);
	rest->env = BPF_CORE_READ(mm, env_start);
	rest->env_end = BPF_CORE_READ(mm, env_end);
	rest->uid = BPF_CORE_READ(task, cred, euid.val);
	rest->flags = s->walk.flags;
	__builtin_memcpy(rest->regs, s->walk.regs, sizeof(rest->regs));
	rest->other = other_stack(rest);
	at += sizeof(*rest);
	rest->stack_bytes = copy_pages(s, at, rest->sp - EV_RED_ZONE, EV_REST_STACK);
	if (!output_rest(s, rest, at))
		return 0;
	ev->flags |= EV_SAMPLE_NO_STACK;
	rest->stack_bytes = 0;
	rest->other = 0;
	return output_rest(s, rest, at);
}

static __always_inline void send(struct scratch *s, struct task_struct *task)
{
	const struct ev_sample *ev = (void *)s->record;
	int r;

	if (s->walk.status == EV_CUT_NO_TABLES && config.user_stacks)
		r = send_rest(s, task);
	else
		r = output(s, record_bytes(ev));
	if (!r) {
		count(EV_COUNT_SENT, 1);
		return;
	}
	count(EV_DROP_RING_FULL, ev->weight); /* those it stood for are lost with it */
	if (ev->weight > 1)
		count(EV_COUNT_THINNED, 1 - (__u64)ev->weight);
}
