/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * trace_maps - what the tracing programs keep.
 *
 * A connection's state is in socket storage: it goes with its socket. Where a hook has only the address of the socket
 * (at the end of system calls) it is in a hash, and goes when the socket closes. Of a unix socket nobody tells when that is: there are
 * so many at a time, and the one that was met first makes room for the next.
 */
#include "bpf/flight_maps.h"
#include "bpf/http1_again.h"
#include "bpf/trace.h"
#include "bpf/trace_conn.h"
#include "bpf/trace_data.h"
#include "bpf/trace_proc.h"

/* A socket, where only its address is known: another one has it later. */
struct socket_key {
	__u64 address, inode;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct conn);
} conns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, TRACE_MAX_CONNS);
	__type(key, __u64);
	__type(value, struct conn);
} conns_by_address SEC(".maps");

/* The unix sockets in it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TRACE_MAX_UNIX);
	__type(key, __u32);
	__type(value, struct socket_key);
} unix_conns SEC(".maps");

__u32 n_unix_conns; /* so far */
__u64 n_conns_by_address;

/* Another one of them is made, or has gone. */
#define conns_by_address_add(n) __sync_fetch_and_add(&n_conns_by_address, n)

static __always_inline void forget_conn(const __u64 *address)
{
	if (!bpf_map_delete_elem(&conns_by_address, address))
		conns_by_address_add(-1);
}

/* Transfers of a connection in which nothing was recognized; TRACE_TRIES: it is not looked at any more. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} tries SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TRACE_MAX_CONNS);
	__type(key, struct socket_key);
	__type(value, __u32);
} tries_by_address SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TRACE_MAX_ROUTES);
	__type(key, struct route_key);
	__type(value, __u32);
} routes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, TRACE_MAX_CELLS);
	__type(key, struct red_key);
	__type(value, struct red_cell);
} red SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TRACE_NEAR_CELLS); /* times the CPUs, before load */
	__type(key, __u32);
	__type(value, struct red_near);
} near SEC(".maps");

/* Requests whose head is kept until they end, by span id: of those on a connection all but one. */
struct kept_request {
	struct ev_request ev;
	__u8 room[TRACE_HEAD_BYTES]; /* none of it is used: the verifier does not see that */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TRACE_MAX_KEPT);
	__type(key, __u64);
	__type(value, struct kept_request);
} kept_requests SEC(".maps");

/* Of threads that worked on a request, with trace.cpu: exact (trace_clock.h). */
struct thread_clock {
	__u64 started_ns;
	__u64 in_ns;        /* came onto its CPU; 0: it left it */
	__u64 in_taken_ns;  /* and what had been taken from that CPU by then (taken_ns()) */
	__u64 cpu_ns;       /* until it last left one */
	__u64 runtime_ns;   /* by the scheduler's account at that time; 0: it never did */
	__u64 run_delay_ns; /* by the same, when it started */
	__u32 runs, reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread_clock);
} clocks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1024 * 1024); /* resized before load */
} requests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TRACE_COUNT_MAX);
	__type(key, __u32);
	__type(value, __u64);
} trace_counts SEC(".maps");

/* What a hook works on: so many bytes went over a socket. */
struct transfer {
	struct data d;
	__u64 left;      /* bytes not looked at yet */
	__u64 now;       /* when it was asked for, or 0 */
	__u64 window_at; /* the address of the window's first byte */
	__u64 part_at;   /* where the head at hand begins, or goes on, in the buffer at hand; 0: there is none of it */
	__u64 sk;        /* an address to read from */
	__u64 inode;     /* of the socket, where only its address is known */
	__u32 dir, reserved; /* REQUESTS or RESPONSES */
};

/* Each CPU has several: a softirq may close a connection while a program works on another one. Who has taken it is alone with it. */
struct trace_scratch {
	__u64 counts[TRACE_COUNT_MAX]; /* some are counted here, the others in `trace_counts`; first, for user space */
	__u32 taken, index;
	struct flight_cpu used; /* by the request that ends at once */
	__u32 cpu_flags; /* TRACE_CPU_*, of it */
	__u32 bucket;    /* for forgotten() */
	struct transfer t;
	struct http1_window window;
	__u64 who;       /* the thread that runs, as flight.h has it: the last bits are its id */
	__u64 goroutine; /* the one that runs, once it was asked for */
	__u64 head_id; /* of the head just read, when all of it is in the window, as struct http1_again has it; 0: none */
	__u64 n_heads; /* ids of heads are made of it */
	struct kept_request request;
	struct conn no_conn; /* zero, like the next: what new ones are made of */
	struct red_cell no_cell;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TRACE_SCRATCHES);
	__type(key, __u32);
	__type(value, struct trace_scratch);
} trace_scratch SEC(".maps");

/*
 * The same scratch again, as a value of its map: Linux before 6.2 puts into a map what lies on the stack or in a map, and of
 * a function's argument it does not know that.
 */
static __always_inline struct trace_scratch *scratch_in_map(const struct trace_scratch *s)
{
	__u32 i = s->index;

	return bpf_map_lookup_elem(&trace_scratch, &i);
}

/* Heads that were read, of each direction, with the first scratch. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2 * HTTP1_PLACES);
	__type(key, __u32);
	__type(value, struct http1_again);
} heads SEC(".maps");

const volatile struct trace_config config;

__u64 proc_places[TRACE_PROC_PLACES];

/* One that shares its place. */
static __noinline __u64 proc_of_crowded(__u32 tgid)
{
	const struct trace_proc *p = bpf_map_lookup_elem(&procs, &tgid);

	return p ? proc_word(tgid, p) : tgid;
}

/* A word without KNOWN: nothing was decided of it. */
static __always_inline __u64 proc_of(__u32 tgid)
{
	__u64 word = *(volatile __u64 *)&proc_places[tgid % TRACE_PROC_PLACES];

	if (proc_tgid(word) == tgid)
		return word;
	return proc_flags(word) & TRACE_PROC_CROWDED ? proc_of_crowded(tgid) : tgid;
}

/*
 * To what is this CPU's own, and in one step all the same: a softirq may close a connection meanwhile, and from Linux 7 on a
 * tracepoint's programs may be preempted, by a thread that runs one too. Either would make us lose its count, or it ours.
 */
static __always_inline void count(enum trace_count what)
{
	__u32 key = what;
	__u64 *c = bpf_map_lookup_elem(&trace_counts, &key);

	if (c)
		__sync_fetch_and_add(c, 1);
}

/* With a scratch, where who counts is alone. */
static __always_inline void count_here(struct trace_scratch *s, enum trace_count what)
{
	s->counts[what]++;
}

/* When the transfer at hand ended. */
static __always_inline __u64 now_of(struct trace_scratch *s)
{
	if (!s->t.now)
		s->t.now = bpf_ktime_get_boot_ns();
	return s->t.now;
}
