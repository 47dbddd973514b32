// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * empty - programs that do nothing, on the hooks of bpf/trace.bpf.c: what a hook costs whoever uses it. And, as "calls", programs that
 * ask the kernel for what counting a request of nginx takes, and do nothing with it: the state of the connection, the time, and the
 * head's bytes (of an answer: where they are, before).
 */
#include <linux/bpf.h>
#include <asm/ptrace.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/kernel.h"

#define WINDOW 256

const volatile __u32 calls_of; /* the process whose transfers are looked at */

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} conns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[2 * WINDOW]);
} windows SEC(".maps");

static __always_inline void call(struct sock *sk, int bytes, int is_sent)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct pt_regs *regs;
	__u64 from[2], *conn;
	__u32 zero = 0, n;
	__u8 *window;

	if (bytes <= 0 || task->tgid != calls_of)
		return;
	conn = bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	window = bpf_map_lookup_elem(&windows, &zero);
	if (!conn || !window)
		return;
	*conn = bpf_ktime_get_boot_ns();
	regs = (const void *)bpf_task_pt_regs(task);
	from[0] = regs->rsi;
	from[1] = bytes;
	if (is_sent && bpf_probe_read_user(from, sizeof(from), (const void *)regs->rsi)) /* writev */
		return;
	n = from[1] < WINDOW ? from[1] : WINDOW;
	bpf_probe_read_user(window, n, (const void *)from[0]);
}

SEC("tp_btf/sock_send_length")
int calls_sent(__u64 *args)
{
	call((void *)args[0], args[1], 1);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int calls_received(__u64 *args)
{
	call((void *)args[0], args[1], 0);
	return 0;
}

SEC("tp_btf/sock_send_length")
int empty_sent(void *ctx)
{
	return 0;
}

SEC("tp_btf/sock_recv_length")
int empty_received(void *ctx)
{
	return 0;
}

#define AT_EXIT(function)               \
	SEC("fexit/" #function)         \
	int empty_##function(void *ctx) \
	{                               \
		return 0;               \
	}

AT_EXIT(inet_sendmsg)
AT_EXIT(inet6_sendmsg)
AT_EXIT(unix_stream_sendmsg)
AT_EXIT(inet_recvmsg)
AT_EXIT(inet6_recvmsg)
AT_EXIT(unix_stream_recvmsg)
AT_EXIT(inet_sendpage)
AT_EXIT(unix_stream_sendpage)

SEC("tp_btf/sys_exit")
int empty_ended(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
