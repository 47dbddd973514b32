/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * flight - which request a thread, or a goroutine, works on right now.
 *
 * From the moment it has read a request's head until the last byte of the response is written, by whomever. While it
 * has several open it is not known which one a sample belongs to, and none gets it: nothing is guessed.
 * Not task storage: the thread that writes the response may be another one, and ends what is not its own.
 */
#include <linux/types.h>

enum { FLIGHT_SLOTS = 2, FLIGHT_MAX = 16384 };

struct flight_key {
	__u64 who; /* a thread's id, or the address of a Go program's g: they are no small numbers */
	__u32 tgid;
	__u32 reserved;
};

struct flight_slot {
	__u64 span_id; /* 0: the slot is free */
	__u64 trace_id[2];
	__u64 cpu_ns;  /* of samples so far */
	__u32 route;
	__u8 method, flags, trace_flags, reserved; /* flags: FLIGHT_*; trace_flags: of traceparent */
};
#define FLIGHT_SAMPLED (1u << 0) /* it will be a span, unless the ring is full */
#define FLIGHT_OURS    (1u << 1) /* TRACE_OURS */

struct flight {
	__u64 start_ns; /* the thread's start: a thread's number comes again; 0: a goroutine */
	__u32 open;     /* requests, those without a slot too */
	__u32 mixed;    /* several were open at once since there was none: what goes on now may be of one that has ended */
	struct flight_slot slots[FLIGHT_SLOTS];
};

#if defined(__bpf__)
struct task_struct;

/* The g that runs on this thread; 0: none can be read. Go keeps it below the thread pointer on amd64. */
static __always_inline __u64 flight_goroutine(struct task_struct *task)
{
	__u64 g = 0;

	bpf_probe_read_user(&g, sizeof(g), (const void *)(BPF_CORE_READ(task, thread.fsbase) - 8));
	return g;
}
#endif

/* The one request it works on, NULL: none, or nobody can tell. */
static __always_inline struct flight_slot *flight_current(struct flight *f)
{
	if (f->open != 1)
		return 0;
	return f->slots[0].span_id ? &f->slots[0] : f->slots[1].span_id ? &f->slots[1] : 0;
}

/* NULL: all slots are taken; it is open all the same. */
static __always_inline struct flight_slot *flight_open(struct flight *f)
{
	f->mixed |= f->open > 0;
	f->open++;
	return !f->slots[0].span_id ? &f->slots[0] : !f->slots[1].span_id ? &f->slots[1] : 0;
}

/* Its CPU time. A request that had no slot says 0: that nobody could tell. */
static __always_inline __u64 flight_close(struct flight *f, __u64 span_id)
{
	__u64 cpu_ns = 0;

	f->open -= f->open > 0;
	for (int i = 0; i < FLIGHT_SLOTS; i++)
		if (f->slots[i].span_id == span_id) {
			cpu_ns = f->slots[i].cpu_ns;
			f->slots[i].span_id = 0;
		}
	return cpu_ns;
}
