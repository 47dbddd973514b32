/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * trace - requests as they cross from the kernel to the agent: what is counted, what is told, what is asked.
 *
 *	red     (per CPU hash)  a cell, or one of each scratch, for each (process, side, method, route, status): counts that miss nothing
 *	near    (array)         the same for those that came first, in places of each CPU's own: found without a call
 *	procs   (hash)          what user space decided of a process; one it does not know yet is traced meanwhile
 *	routes  (LRU hash)      the route of a path, by the path's hash (http1.h): user space teaches it
 *	flights (array)         who works on which request right now: what the sampler asks for (flight.h)
 *	requests (ring buffer)  struct ev_request: spans, and requests whose path had no route when they began
 */
#include <linux/types.h>

#include "bpf/flight.h"

enum trace_side { TRACE_SERVER, TRACE_CLIENT, TRACE_SIDES };

enum {
	TRACE_MAX_PROCS = 16384,
	TRACE_MAX_ROUTES = 65536, /* paths; those asked for longest ago go, and are taught again */
	TRACE_MAX_CELLS = 16384,
	TRACE_NEAR_CELLS = 128, /* of each CPU: 24 KiB; a power of two */
	TRACE_DURATIONS = 15, /* buckets: the conventions' 14 bounds, and above */
	TRACE_SIZES = 11,
	TRACE_HEAD_BYTES = 512, /* of a request's head, for its span */
	TRACE_ROUTE_UNKNOWN = 0,
	TRACE_ROUTE_MAX = (1 << 25) - 1,
	TRACE_SCRATCHES = 3, /* of each CPU: a value of `trace_scratch` begins with counts[TRACE_COUNT_MAX] */
	TRACE_STATUS_NONE = 0, /* the connection ended before an answer came */
};

/* What each counter of `trace_counts` counts. */
enum trace_count {
#define TRACE_COUNT(id, name, help) TRACE_COUNT_##id,
#include "bpf/trace_counts.def"
#undef TRACE_COUNT
	TRACE_COUNT_MAX,
};

/* One word: it is hashed and compared at once. */
struct red_key {
	__u64 tgid : 22,   /* up to PID_MAX_LIMIT */
		route : 25,
		status : 10,
		method : 4,  /* enum http1_method */
		side : 1,    /* enum trace_side */
		scratch : 2; /* who counts has this one, and is alone with the cell; RED_NEAR: a CPU's own, with its first */
};
#define RED_NEAR 3
_Static_assert(sizeof(struct red_key) == 8, "an ABI between BPF and the agent");

struct red_cell {
	__u64 duration_ns, request_bytes, response_bytes; /* sums; bytes of bodies */
	__u64 cpu_ns;                     /* of samples that fell on these requests, or exact */
	__u32 durations[TRACE_DURATIONS]; /* by red_duration_bucket(); user space takes differences, so that they may wrap */
	__u32 request_sizes[TRACE_SIZES], response_sizes[TRACE_SIZES];
	__u32 unfinished; /* of all these: the connection ended within the response, or before it */
};
_Static_assert(sizeof(struct red_cell) == 184, "an ABI between BPF and the agent");

/* A CPU's place for a cell, and whose it is: until user space takes it back. A word of zeros: nobody's. */
struct red_near {
	struct red_key key;
	struct red_cell cell;
};
_Static_assert(sizeof(struct red_near) == 192, "an ABI between BPF and the agent");

static inline __u64 red_key_word(struct red_key key)
{
	__u64 word;

	__builtin_memcpy(&word, &key, sizeof(word));
	return word;
}

/* On each CPU the same. */
static inline __u32 red_near_place(struct red_key key)
{
	return red_key_word(key) * 0x9e3779b97f4a7c15ull >> 57;
}
_Static_assert(TRACE_NEAR_CELLS == 1 << (64 - 57), "so many bits");

/* The semantic conventions' bounds, in us; a bucket holds what is above the bound before it and not above its own. */
#define RED_DURATION_BOUNDS_US                                                                                       \
	{ 5000, 10000, 25000, 50000, 75000, 100000, 250000, 500000, 750000, 1000000, 2500000, 5000000, 7500000, 10000000 }
#define RED_SIZE_BOUNDS { 0, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192 }

struct trace_proc {
	__u32 service; /* for routes; 0: not known yet */
	__u32 flags;   /* TRACE_PROC_* */
	__u64 join_ns[EV_JOIN_MAX]; /* its CPU time by whose request it was, by samples */
};
#define TRACE_PROC_UNWANTED (1u << 0)
#define TRACE_PROC_GO       (1u << 1) /* who works on a request is a goroutine, not a thread */
#define TRACE_PROC_LITERAL  (1u << 2) /* paths are hashed as they are: a pattern tells digits apart */

struct trace_config {
	__u64 slow_ns;         /* a request that takes longer becomes a span */
	__u64 span_threshold;  /* one without a parent, whose trace id's last 56 bits are not below, becomes a span: th of tracestate */
	__u16 error_status[2]; /* by side: from here on it becomes a span, */
	__u8 spans;            /* 0: none are made */
	__u8 by_address;       /* hooks have addresses of sockets only */
	__u8 only_known;       /* processes that are not in procs are not wanted */
	__u8 exact;            /* CPU time of requests by switches between threads; goroutines' by samples all the same */
	__u32 ring_wakeup_bytes; /* so much waits: user space is woken; 0: at each request, unless it is awake */
	__u8 unfinished;       /* those that get no answer, or a part of one, become spans */
	__u8 reserved[3];
};
_Static_assert(sizeof(struct trace_config) == 32, "an ABI between BPF and the agent");

/* Of a trace id that is random: the same numbers wherever it is sampled (OpenTelemetry's consistent probability sampling). */
#define TRACE_RANDOM_BITS 56
#define TRACE_RANDOM_MASK ((1ull << TRACE_RANDOM_BITS) - 1)

struct route_key {
	__u64 path_hash;
	__u32 service;
	__u32 reserved;
};

/*
 * ev_request.flags
 *
 * SPAN        it is to become a span
 * UNKNOWN     its path had no route when it began: its samples say none. With TRACE_ROUTE_UNKNOWN it was counted under
 *             that: its path is to be taught, and its count moved; else the path was taught meanwhile
 * UNFINISHED  the connection ended within the response, or before it
 * PARENT      trace and parent are from a traceparent of the request, or from the request it was made for (LOCAL)
 * LOCAL       a client's request, made by a thread, not an event loop, while it worked on one and only one request
 * HEAD_CUT    the head is longer than what is here
 * BY_OUTCOME  it becomes a span because of how it ended: all such do
 * IPV6, UNIX  the family of the addresses; none of them: IPv4
 * OURS        its trace began on this host: whether it is sampled span_threshold has decided
 * CPU_KNOWN   cpu_ns is all that its thread used for it; else a part, because requests overlapped there, or nothing
 * CPU_EXACT   cpu_ns, queue_ns and blocked_ns are measured; else cpu_ns is that of samples, and the others are not known
 */
#define TRACE_SPAN       (1u << 0)
#define TRACE_UNKNOWN    (1u << 1)
#define TRACE_UNFINISHED (1u << 2)
#define TRACE_PARENT     (1u << 3)
#define TRACE_LOCAL      (1u << 4)
#define TRACE_HEAD_CUT   (1u << 5)
#define TRACE_IPV6       (1u << 6)
#define TRACE_UNIX       (1u << 7)
#define TRACE_BY_OUTCOME (1u << 8)
#define TRACE_OURS       (1u << 9)
#define TRACE_CPU_KNOWN  (1u << 10)
#define TRACE_CPU_EXACT  (1u << 11)

struct ev_request {
	__u64 start_ns, end_ns; /* CLOCK_BOOTTIME: first byte of the request read or written, last of the response */
	__u64 span_id, parent_id;
	__u64 trace_id[2]; /* as bytes in the order of the header */
	__u64 request_bytes, response_bytes;
	struct flight_cpu used; /* from its head read to its last byte written, by the thread that did both */
	__u64 cgroup_id;
	__u32 tgid, tid; /* tid: who read or wrote the request's head */
	__u32 service, route;
	__u32 flags;
	__u16 status, head_len;
	__u16 local_port, peer_port;
	__u8 method, side, trace_flags, reserved; /* enum http1_method, enum trace_side, of traceparent */
	__u8 local_address[16], peer_address[16];
	__u8 head[TRACE_HEAD_BYTES]; /* only the used part is sent */
};
_Static_assert(sizeof(struct ev_request) == 160 + TRACE_HEAD_BYTES, "an ABI between BPF and the agent");

/* The first bound that is not below. */
static inline __u32 red_duration_bucket(__u64 ns)
{
	const __u32 bounds[] = RED_DURATION_BOUNDS_US;
	__u32 i = 0;

	while (i < TRACE_DURATIONS - 1 && ns > bounds[i] * 1000ull)
		i++;
	return i;
}

static inline __u32 red_size_bucket(__u64 bytes)
{
	const __u32 bounds[] = RED_SIZE_BOUNDS;
	__u32 i = 0;

	while (i < TRACE_SIZES - 1 && bytes > bounds[i])
		i++;
	return i;
}
