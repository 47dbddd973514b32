/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * trace_data - where the bytes of a transfer lie: the buffers that the syscall at hand was given.
 *
 * A hook tells how many bytes went over the socket, not where they are. The registers the thread entered the kernel
 * with do: a buffer, a vector of them, or a message with a vector. They are the same before and after the transfer.
 * What io_uring, sendfile and splice move has no such buffer: DATA_UNSEEN.
 */
#include "bpf/kernel.h"

enum data_shape { DATA_OTHER, DATA_BUFFER, DATA_VECTOR, DATA_MESSAGE, DATA_UNSEEN };

enum { DATA_NOBODY_KNOWS = 0x7fffffff };

struct data {
	__u64 buffers;  /* address of the next struct iovec; 0: there is none */
	__u32 n_buffers;
	__u32 reserved;
	__u64 at, left; /* of the buffer at hand */
};

struct user_iovec {
	__u64 base, len;
};

/* struct user_msghdr */
struct user_message {
	__u64 name, name_len, buffers, n_buffers;
};

#if defined(__TARGET_ARCH_x86)
#define SYSCALL_OF(regs)    ((regs)->orig_rax)
#define SYSCALL_ARG1(regs)  ((regs)->rdi)
#define SYSCALL_ARG2(regs)  ((regs)->rsi)
#define SYSCALL_ARG3(regs)  ((regs)->rdx)
#define SYSCALL_ARG4(regs)  ((regs)->r10)
#define SYSCALL_RECVFROM    45
#define SYSCALL_RECVMSG     47
#define SYSCALL_SPLICE      275
#define SYSCALL_RECVMMSG    299
#define SYSCALL_SENDMMSG    307
#define SYSCALL_IS_32(regs) ((regs)->cs == 0x23) /* of a 32-bit program: its numbers mean something else */

static __always_inline enum data_shape data_shape(__u64 nr, __u64 arg3)
{
	switch (nr) {
	case 0:  /* read */
	case 1:  /* write */
	case 44: /* sendto */
	case 45: /* recvfrom */
		return DATA_BUFFER;
	case 19:  /* readv */
	case 20:  /* writev */
	case 327: /* preadv2 */
	case 328: /* pwritev2 */
		return DATA_VECTOR;
	case 46:  /* sendmsg */
	case 47:  /* recvmsg */
		return DATA_MESSAGE;
	case SYSCALL_RECVMMSG:
	case SYSCALL_SENDMMSG: /* which of several messages it is nobody tells */
		return arg3 == 1 ? DATA_MESSAGE : DATA_UNSEEN;
	case 40: /* sendfile */
	case SYSCALL_SPLICE:
	case 425: /* io_uring_setup, whose threads enter by it */
	case 426: /* io_uring_enter */
		return DATA_UNSEEN;
	}
	return DATA_OTHER;
}

/* DATA_OTHER, for most of those that are, in few instructions: each bit a number below 64, and the range of the others. */
static __always_inline int data_may_move(__u64 nr)
{
	const __u64 low = 1ull << 0 | 1ull << 1 | 1ull << 19 | 1ull << 20 | 1ull << 40 | 15ull << 44;

	return nr < 64 ? low >> nr & 1 : nr >= SYSCALL_SPLICE && nr <= 426;
}

static __always_inline int data_is_receive(__u64 nr)
{
	return nr == 0 || nr == 19 || nr == SYSCALL_RECVFROM || nr == SYSCALL_RECVMSG || nr == SYSCALL_RECVMMSG || nr == 327;
}

/* The flags of a call that receives. */
static __always_inline __u32 data_flags(const struct pt_regs *regs)
{
	__u64 nr = SYSCALL_OF(regs);

	if (nr == SYSCALL_RECVFROM || nr == SYSCALL_RECVMMSG)
		return SYSCALL_ARG4(regs);
	return nr == SYSCALL_RECVMSG ? SYSCALL_ARG3(regs) : 0;
}

/* struct mmsghdr's msg_len */
#define DATA_MESSAGE_LEN_AT 56

/* How many bytes a call has moved that said ret. More than there can be: nobody can tell. */
static __always_inline int data_bytes(const struct pt_regs *regs, long ret)
{
	__u64 nr = SYSCALL_OF(regs);
	__u32 len;

	if (ret <= 0 || (nr != SYSCALL_RECVMMSG && nr != SYSCALL_SENDMMSG))
		return ret;
	if (ret > 1 || bpf_probe_read_user(&len, sizeof(len), (const void *)(SYSCALL_ARG2(regs) + DATA_MESSAGE_LEN_AT)))
		return DATA_NOBODY_KNOWS;
	return len;
}
#endif

/* 0, or -1: its bytes cannot be seen. */
static __always_inline int data_begin(struct data *d, enum data_shape shape, __u64 arg2, __u64 arg3)
{
	struct user_message m;

	*d = (struct data){ 0 };
	switch (shape) {
	case DATA_BUFFER:
		d->at = arg2;
		d->left = arg3;
		return 0;
	case DATA_VECTOR:
		d->buffers = arg2;
		d->n_buffers = arg3;
		return 0;
	case DATA_MESSAGE:
		if (bpf_probe_read_user(&m, sizeof(m), (const void *)arg2))
			return -1;
		d->buffers = m.buffers;
		d->n_buffers = m.n_buffers;
		return 0;
	default:
		return -1;
	}
}

/* The buffer at hand has bytes, unless there are none any more: -1. */
static __always_inline int data_next_buffer(struct data *d)
{
	struct user_iovec v;

	if (d->left)
		return 0;
	if (!d->n_buffers || bpf_probe_read_user(&v, sizeof(v), (const void *)d->buffers))
		return -1;
	d->buffers += sizeof(v);
	d->n_buffers--;
	d->at = v.base;
	d->left = v.len;
	return 0;
}

static __always_inline void data_advance(struct data *d, __u64 n)
{
	d->at += n;
	d->left -= n;
}
