/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * events - what crosses from the kernel to the agent, one file for both sides.
 *
 * A sample travels through the `samples` ring buffer, only its used prefix. Counters live in the
 * per-CPU array `counters`, indexed by enum ev_counter.
 */
#include <linux/types.h>

enum ev_drop {
#define DROP(id, name, help) EV_DROP_##id,
#include "bpf/drops.def"
#undef DROP
	EV_DROP_MAX,
};

enum ev_cut {
#define CUT(id, name, is_complete, help) EV_CUT_##id,
#include "bpf/drops.def"
#undef CUT
	EV_CUT_MAX,
};

enum ev_join {
#define JOIN(id, name, help) EV_JOIN_##id,
#include "bpf/drops.def"
#undef JOIN
	EV_JOIN_MAX,
};

/* The per-CPU counters: first the drops, then these. */
enum ev_counter {
	EV_COUNT_TICKS = EV_DROP_MAX, /* ticks the clock owed: those that came and those it skipped */
	EV_COUNT_IDLE,                /* of these: the CPU was idle */
	EV_COUNT_FILTERED,            /* of these: outside the targets */
	EV_COUNT_LEFT_OUT,            /* of these: of a process that is not wanted (struct sample_share) */
	EV_COUNT_THINNED,             /* of these: another sample, which was sent, stands for it too */
	EV_COUNT_SENT,                /* of these: handed to the ring buffer */
	EV_COUNT_RUN_NS,              /* time spent in the program: its own cost, always measured */
	EV_COUNT_MAX,
};

enum {
	EV_COMM_LEN = 16,
	EV_KERNEL_FRAMES = 127,       /* the kernel's own default bound, kernel.perf_event_max_stack */
	EV_USER_FRAMES = 1024,        /* that a sample holds */
	EV_ROOT_FRAMES = 256,         /* of these, on the root's side when there are more */
	EV_WALK_FRAMES = 8192,        /* that a walk takes: compilers' garbage collectors recurse by thousands */
	EV_REGS = 16,                 /* general registers, by DWARF's numbers */
	EV_RED_ZONE = 128,            /* bytes below sp that belong to the leaf: an epilogue's rows still point there */
	EV_REST_STACK = 32 * 1024,    /* bytes of stack kept aside at most */
	EV_REST_START = 8 * 1024,     /* and of arguments and environment */
	EV_REST_OTHER = 8 * 1024,     /* and of the stack that this one was switched to from */
	EV_REST_CHAIN = 12,           /* frames by frame pointer until that one */
	EV_RECORD_WORDS = 2048,       /* a sample without its rest */
};

/*
 * A user frame is an address below 2^56 with its kind in the top byte: an interpreter's frame will
 * be no address at all. Kernel frames are plain addresses.
 */
#define EV_FRAME_KIND_SHIFT 56
#define EV_FRAME_ADDR_MASK  ((1ull << EV_FRAME_KIND_SHIFT) - 1)
enum {
	EV_FRAME_NATIVE = 0,
	EV_FRAME_EXACT = 1, /* a pc that a signal interrupted: no return address, as a leaf */
};

/*
 * ev_sample.flags
 *
 * IN_KERNEL   the tick interrupted kernel mode: the user leaf is a syscall or fault site
 * KERNEL_CUT  the kernel stack filled its buffer
 * KTHREAD     a thread of the kernel's own: it has no user side at all
 * REST        a struct ev_rest follows the frames: the walk is to be finished
 * NO_STACK    of that only who the process is: there was no room for its stack, which ends here
 * IN_EXEC     inside execve: the user side is the old image's, or nobody's yet
 */
#define EV_SAMPLE_IN_KERNEL (1u << 0)
#define EV_SAMPLE_KERNEL_CUT (1u << 1)
#define EV_SAMPLE_KTHREAD    (1u << 2)
#define EV_SAMPLE_REST       (1u << 3)
#define EV_SAMPLE_IN_EXEC    (1u << 4)
#define EV_SAMPLE_NO_STACK   (1u << 5)

/*
 * Where the i-th user frame of a walk lies: the leaf's side in a row, then a ring that in the end holds the
 * root's side. What is between them is left out (EV_CUT_MIDDLE).
 */
static inline __u32 ev_user_slot(__u32 i)
{
	const __u32 leaf = EV_USER_FRAMES - EV_ROOT_FRAMES;

	return i < EV_USER_FRAMES ? i : leaf + (i - leaf) % EV_ROOT_FRAMES;
}

struct ev_sample {
	__u64 time_ns;   /* CLOCK_BOOTTIME, the clock of the side-band too */
	__u64 span_id;   /* 0: no request in flight on this thread */
	__u64 cgroup_id; /* cgroup v2 id, 0 where there is none */
	__u64 start_ns, exec_id; /* which program it is: task_struct's start_boottime of the leader, self_exec_id */
	__u32 tgid, tid; /* in the initial pid namespace */
	__u32 period_ns; /* of the timer at this tick: the rate may change while we run */
	__u16 weight;    /* periods this sample stands for: > 1 when only some are sent */
	__u16 flags;
	__u16 kframes;
	__u16 uframes; /* walked; at most EV_USER_FRAMES of them are here (ev_user_slot) */
	__u16 status; /* enum ev_cut: why the user stack ends where it ends */
	__u16 cpu;
	char comm[EV_COMM_LEN];
	__u32 route;    /* of the request in flight (trace.h); 0 when span_id is, or not known yet */
	__u8 method;    /* of it, enum http1_method */
	__u8 join;      /* enum ev_join */
	__u8 request;   /* of it, FLIGHT_* (flight.h) */
	__u8 reserved;
	__u64 trace_id[2]; /* of it, as bytes in the order of traceparent, where it is sampled */
	__u64 pc[]; /* kernel leaf first, then user leaf first; only the used part is sent */
};
_Static_assert(sizeof(struct ev_sample) == 104, "layout is an ABI between BPF and the agent");

static inline __u32 ev_user_words(const struct ev_sample *ev)
{
	return ev->uframes < EV_USER_FRAMES ? ev->uframes : EV_USER_FRAMES;
}

/*
 * The state of a walk that the program could not finish: the process or an image was new to it. Behind the
 * frames, with the stack from sp - EV_RED_ZONE on as far as it could be read; regs holds where flags says so (walk.h).
 * Behind that what the program was started with, arguments and environment in one: user space knows what a process said
 * of itself although it has ended since.
 * Behind that the other stack from a frame on, where the chain of frame pointers leads off this one: Go's runtime works
 * on a stack of its thread's, below a goroutine that has its own.
 */
struct ev_rest {
	__u64 pc, sp, fp;     /* of the next frame, not pushed yet */
	__u64 mm, exec_pages; /* the address space as it was (space.h) */
	__u64 args, args_end, env, env_end; /* addresses, as in /proc/PID/stat */
	__u32 uid;         /* the effective user, in the initial namespace */
	__u32 start_bytes; /* from args on; 0: larger, or not readable */
	__u32 flags;          /* WALK_* */
	__u32 stack_bytes;
	__u64 other; /* address */
	__u32 other_bytes, reserved;
	__u64 regs[EV_REGS];
	__u8 stack[]; /* and from stack + stack_bytes on the start, then the other stack */
};
_Static_assert(sizeof(struct ev_rest) == 232, "layout is an ABI between BPF and the agent");

/* NULL: the program finished the walk. */
static inline const struct ev_rest *ev_rest_of(const struct ev_sample *ev)
{
	return ev->flags & EV_SAMPLE_REST ? (const void *)(ev->pc + ev->kframes + ev_user_words(ev)) : (const void *)0;
}
_Static_assert((EV_KERNEL_FRAMES + EV_USER_FRAMES) * 8 + sizeof(struct ev_sample) <= EV_RECORD_WORDS * 8,
	       "a record fits its scratch space");
