/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * trace_exits - the hooks at sockets of a kernel without sock_send_length and sock_recv_length (before 6.3): the exit of the
 * functions by which sockets send and receive.
 *
 * They stand in struct proto_ops and are called by it, so that no compiler inlines them; and whatever those trace events tell of
 * comes by one of them, once: system calls, io_uring, the kernel's own calls. Each family of streams has its own. A page of
 * sendfile or splice is a message from 6.5 on, which nobody sees into either.
 *
 * Included by trace.bpf.c, behind what all hooks do with a transfer.
 */

/* Of each the one program that others go on to. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} to_inet_sent SEC(".maps"), to_inet_received SEC(".maps");

/* args, of all: the function's own, the first of which is the socket, and behind them what it returned. */
static __always_inline struct sock *sock_of_exit(const __u64 *args)
{
	return ((struct socket *)args[0])->sk;
}

/* Of socket, message, size. */
static __always_inline int exit_of_send(const __u64 *args)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 proc = proc_of(task->tgid);
	struct sock *sk = is_looked_at(args[3], proc) ? sock_of_exit(args) : 0;

	return sk ? send_wanted(sk, args[3], task, proc) : 0;
}

/* Of socket, message, size, flags. */
static __always_inline int exit_of_receive(const __u64 *args)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 proc = proc_of(task->tgid);
	struct sock *sk = is_looked_at(args[4], proc) ? sock_of_exit(args) : 0;

	return sk ? receive_wanted(sk, args[4], args[3], task, proc) : 0;
}

static __noinline int page_wanted(struct sock *sk, int bytes, struct task_struct *task, __u64 proc)
{
	if (bytes < 0 && !is_broken(bytes))
		return 0;
	return transfer(sk, 0, DATA_UNSEEN, task, proc, 0, bytes, 0, 0);
}

/* Of socket, page, offset, size, flags. Whatever the call was, its bytes are in no buffer of the caller's. */
static __always_inline int exit_of_page(const __u64 *args)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 proc = proc_of(task->tgid);
	struct sock *sk = is_looked_at(args[5], proc) ? sock_of_exit(args) : 0;

	return sk ? page_wanted(sk, args[5], task, proc) : 0;
}

SEC("fexit/inet_sendmsg")
int inet_sent(const __u64 *args)
{
	return exit_of_send(args);
}

SEC("fexit/unix_stream_sendmsg")
int unix_sent(const __u64 *args)
{
	return exit_of_send(args);
}

SEC("fexit/inet_recvmsg")
int inet_received(const __u64 *args)
{
	return exit_of_receive(args);
}

SEC("fexit/inet_sendpage")
int inet_page_sent(const __u64 *args)
{
	return exit_of_page(args);
}

SEC("fexit/unix_stream_sendpage")
int unix_page_sent(const __u64 *args)
{
	return exit_of_page(args);
}

/*
 * Verifying such a program takes the kernel 0.1 s and more, each by itself. Of functions of one prototype one program will do, to
 * which the others go on; of another prototype, be it the name of an argument (unix_stream_sendmsg's), the kernel takes none.
 */
SEC("fexit/inet6_sendmsg")
int inet6_sent(const __u64 *args)
{
	bpf_tail_call((void *)args, &to_inet_sent, 0);
	return 0;
}

SEC("fexit/inet6_recvmsg")
int inet6_received(const __u64 *args)
{
	bpf_tail_call((void *)args, &to_inet_received, 0);
	return 0;
}

SEC("fexit/unix_stream_recvmsg")
int unix_received(const __u64 *args)
{
	bpf_tail_call((void *)args, &to_inet_received, 0);
	return 0;
}
