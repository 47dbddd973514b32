/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * flight - which request a thread, or a goroutine, works on right now.
 *
 *	head read          -> open: it works on this one
 *	another head read  -> shared: from here on nobody can tell, of either, until each has ended
 *	response's last byte written by itself -> closed
 *	written by another -> handed over: what it did meanwhile is not known to be this request's
 *
 * Nothing is guessed: time that may be another's is no request's, and counted as such (JOIN of drops.def). An event loop's
 * own work between two requests is none's; while one only is open, and waits, it is that one's.
 * Not task storage: the thread that writes the response may be another one, and ends what is not its own. Only its owner
 * opens a flight and fills it; others end what is open, which atomic counts allow them, and take over what is not.
 */
#include <linux/types.h>

#include "bpf/events.h"

/*
 * Whoever works on a request has a place in one of the sets: found without a call, which a look-up in a hash is. One more than a set
 * has places for works on no request that is known: so many are counted (TRACE_COUNT_FLIGHTS_FULL).
 */
enum { FLIGHT_SETS = 4096, FLIGHT_WAYS = 4 };

/*
 * Who that is: a process, and in it a thread, by its id, or a goroutine, by the address of its g: no small number. 0: nobody. An
 * address takes a bit more than there is room for: it needs flight.start_ns too to tell two processes from each other.
 */
enum { FLIGHT_TGID_SHIFT = 42 };

static __always_inline __u64 flight_who(__u32 tgid, __u64 it)
{
	return (__u64)tgid << FLIGHT_TGID_SHIFT ^ it;
}

static __always_inline __u32 flight_set_of(__u64 who)
{
	return who * 0x9e3779b97f4a7c15ull >> 52;
}
_Static_assert(FLIGHT_SETS == 1 << (64 - 52), "so many bits");

/* Measured at switches between threads (trace.cpu: exact). */
struct flight_cpu {
	__u64 cpu_ns;
	__u64 queue_ns;   /* it could have run, and had no CPU */
	__u64 blocked_ns; /* it waited for something else */
};

struct flight {
	__u64 who;      /* 0: this place is free */
	__u64 used_ns;  /* it was last opened; who was not here for longest makes room */
	__u64 start_ns; /* the thread's start: a thread's number comes again; of a goroutine: its process */
	__u64 span_id;  /* 0: what is open is not known */
	__u64 trace_id[2];
	__u64 sk;         /* the socket's address */
	__u64 sampled_ns; /* CPU time, by the samples so far */
	struct flight_cpu exact; /* of FLIGHT_EXACT that is shared: until then */
	__u32 open;       /* requests; more than that in span_id may be */
	__u32 route;
	__u8 method, flags, trace_flags; /* FLIGHT_*, of traceparent: of the request */
	__u8 hands_over;  /* of the thread: another one answered the last that it read */
	__u8 mixes;       /* of the thread: it had requests of several connections at once */
	__u8 reserved[3];
};

struct flight_set {
	struct flight f[FLIGHT_WAYS];
};
#define FLIGHT_SAMPLED (1u << 0) /* it will be a span, unless the ring is full */
#define FLIGHT_OURS    (1u << 1) /* TRACE_OURS */
#define FLIGHT_SHARED  (1u << 2) /* another request was open beside it */
#define FLIGHT_EXACT   (1u << 3) /* its thread's clock runs (struct thread_clock) */

#if defined(__bpf__)
struct task_struct;

/*
 * The g that runs on this thread: its address by 16, at multiples of which whatever is that large lies. 0: none can be read. Go
 * keeps it below the thread pointer on amd64.
 */
static __always_inline __u64 flight_goroutine(struct task_struct *task)
{
	__u64 g = 0;

	bpf_probe_read_user(&g, sizeof(g), (const void *)(BPF_CORE_READ(task, thread.fsbase) - 8));
	return g >> 4;
}

/* Its socket was closed without anybody telling us: a unix socket's, for one. */
static __always_inline int flight_is_stale(const struct flight *f)
{
	struct sock *sk = (void *)f->sk;

	return !BPF_CORE_READ(sk, sk_socket);
}

/* A sample may come between any two of these: what it sees must be all of one request, or none. */
#define flight_order() asm volatile("" ::: "memory")
#endif

/* REQUEST: it works on the one in span_id, and on no other. f: NULL when there is none. */
static __always_inline enum ev_join flight_join(const struct flight *f)
{
	if (!f || !f->open)
		return EV_JOIN_NONE;
	if (f->hands_over)
		return EV_JOIN_HANDED_OVER;
	return f->open == 1 && f->span_id && !(f->flags & FLIGHT_SHARED) ? EV_JOIN_REQUEST : EV_JOIN_SEVERAL;
}

static __always_inline int flight_is_sure(const struct flight *f)
{
	return flight_join(f) == EV_JOIN_REQUEST;
}
