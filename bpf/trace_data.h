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

/* MESSAGES: of several at once which it is nobody tells. */
enum data_shape { DATA_OTHER, DATA_BUFFER, DATA_VECTOR, DATA_MESSAGE, DATA_MESSAGES, DATA_UNSEEN };

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
#define SYSCALL_IO_URING_SETUP 425
#define SYSCALL_IO_URING_ENTER 426
#define SYSCALL_IS_32(regs) ((regs)->cs == 0x23) /* of a 32-bit program: its numbers mean something else */

/* In `data_calls`, beside enum data_shape. */
#define DATA_RECEIVES 8
#define DATA_RING     16 /* of which sockets, and how much, it does not say at its end */

/* By their numbers: the calls that move data over a socket, or may. io_uring_setup is what io_uring's threads have entered by. */
const __u8 data_calls[] = {
	[0] /* read */ = DATA_BUFFER | DATA_RECEIVES,
	[1] /* write */ = DATA_BUFFER,
	[19] /* readv */ = DATA_VECTOR | DATA_RECEIVES,
	[20] /* writev */ = DATA_VECTOR,
	[40] /* sendfile */ = DATA_UNSEEN,
	[44] /* sendto */ = DATA_BUFFER,
	[SYSCALL_RECVFROM] = DATA_BUFFER | DATA_RECEIVES,
	[46] /* sendmsg */ = DATA_MESSAGE,
	[SYSCALL_RECVMSG] = DATA_MESSAGE | DATA_RECEIVES,
	[SYSCALL_SPLICE] = DATA_UNSEEN,
	[SYSCALL_RECVMMSG] = DATA_MESSAGES | DATA_RECEIVES,
	[SYSCALL_SENDMMSG] = DATA_MESSAGES,
	[327] /* preadv2 */ = DATA_VECTOR | DATA_RECEIVES,
	[328] /* pwritev2 */ = DATA_VECTOR,
	[SYSCALL_IO_URING_SETUP] = DATA_UNSEEN | DATA_RING,
	[SYSCALL_IO_URING_ENTER] = DATA_UNSEEN | DATA_RING,
};

static __always_inline __u32 data_call(__u64 nr)
{
	return nr < sizeof(data_calls) ? data_calls[nr] : DATA_OTHER;
}

static __always_inline enum data_shape data_shape(__u32 call)
{
	return call & (DATA_RECEIVES - 1);
}

static __always_inline int data_is_receive(__u32 call)
{
	return (call & DATA_RECEIVES) != 0;
}

static __always_inline int data_is_ring(__u32 call)
{
	return (call & DATA_RING) != 0;
}

/*
 * The call by which a socket is worked on right now. A call has no result before its end: where a thread that uses io_uring has
 * one, it is on its way out, and io_uring does what waited for it. The registers tell nothing of such a transfer.
 */
static __always_inline __u32 data_call_under_way(const struct task_struct *task, const struct pt_regs *regs)
{
	if (bpf_core_field_exists(task->io_uring) && task->io_uring && (long)regs->rax != -ENOSYS)
		return DATA_UNSEEN | DATA_RING;
	return data_call(SYSCALL_OF(regs));
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
/* 0, or -1: its bytes cannot be seen. */
static __always_inline int data_begin(struct data *d, enum data_shape shape, const struct pt_regs *regs, __u64 bytes)
{
	struct user_message m;

	d->left = d->n_buffers = 0;
	switch (shape) {
	case DATA_BUFFER:
		d->at = SYSCALL_ARG2(regs);
		d->left = bytes;
		return 0;
	case DATA_VECTOR:
		d->buffers = SYSCALL_ARG2(regs);
		d->n_buffers = SYSCALL_ARG3(regs);
		return 0;
	case DATA_MESSAGES:
		if (SYSCALL_ARG3(regs) != 1)
			return -1;
		/* fall through */
	case DATA_MESSAGE:
		if (bpf_probe_read_user(&m, sizeof(m), (const void *)SYSCALL_ARG2(regs)))
			return -1;
		d->buffers = m.buffers;
		d->n_buffers = m.n_buffers;
		return 0;
	default:
		return -1;
	}
}
#endif

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
