// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* empty - programs that do nothing, on the hooks of bpf/trace.bpf.c: what a hook costs whoever uses it. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

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
