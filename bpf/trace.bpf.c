// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * trace - requests of HTTP/1 as they cross the sockets of this host: counted here, told to user space when wanted.
 *
 *	a transfer ended -> whose? -> connection -> its bytes (trace_data.h) -> parser (http1.h)
 *	                                      head of a request complete: in flight, and whoever read it works on it
 *	                                      response complete: red cell, span
 *
 * Cheapest hook first: sock_send_length and sock_recv_length (from 6.3), else the exit of the functions by which sockets send and
 * receive (trace_exits.h), else that of syscalls.
 */
#include <linux/bpf.h>
#include <asm/ptrace.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/kernel.h"
#include "bpf/trace_meet.h"
#include "bpf/trace_stream.h"

#define FLAGS_ASIDE (MSG_PEEK | MSG_ERRQUEUE) /* such a call takes nothing out of the stream */

static __always_inline struct trace_scratch *try_scratch(__u32 i, const struct task_struct *task)
{
	struct trace_scratch *s = bpf_map_lookup_elem(&trace_scratch, &i);

	if (!s || __sync_lock_test_and_set(&s->taken, 1))
		return 0;
	s->index = i;
	s->who = flight_who(task->tgid, task->pid);
	s->goroutine = 0;
	return s;
}

/* This CPU's, until let_go(). A softirq that interrupts us has another; NULL: all are taken. */
static __always_inline struct trace_scratch *take_scratch(const struct task_struct *task)
{
	struct trace_scratch *s = try_scratch(0, task);

	if (!s)
		s = try_scratch(1, task);
	return s ? s : try_scratch(2, task);
}

static __always_inline void let_go(struct trace_scratch *s)
{
	s->taken = 0;
}

/* Errors after which nothing moves any more; the others say "not now". */
static __always_inline int is_broken(int bytes)
{
	return bytes == -EPIPE || bytes == -ECONNRESET;
}

/* What follows is not seen, nor what is in flight. */
static __always_inline void lose_conn(struct conn *c)
{
	count(TRACE_COUNT_LOST_SYNC);
	abandon_flight(c);
	c->state = CONN_OVER;
}

static __always_inline void end_conn(struct conn *c)
{
	struct trace_scratch *s = take_scratch(bpf_get_current_task_btf());

	if (!s) {
		lose_conn(c);
		return;
	}
	end_connection(c, s, bpf_ktime_get_boot_ns());
	let_go(s);
}

static __always_inline void finish_conn(struct conn *c, struct sock *sk, int by_address)
{
	__u64 address = (__u64)sk;

	if (c->state == CONN_HTTP1)
		end_conn(c);
	if (by_address)
		forget_conn(&address);
}

/* The socket at the other end, of a unix socket that is connected. It lives as long as this one. */
static __always_inline struct sock *peer_of(struct sock *sk, int by_address)
{
	struct unix_sock *u;

	if (BPF_CORE_READ(sk, __sk_common.skc_family) != AF_UNIX)
		return 0;
	if (by_address)
		return BPF_CORE_READ((struct unix_sock *)sk, peer);
	u = bpf_skc_to_unix_sock(sk);
	return u ? u->peer : 0;
}

/*
 * Nothing more comes from the other end, or nothing moves at all. A client waits for no answer any more; a server may still give
 * its own. Nobody tells of a unix socket's close but this, at its other end.
 */
static __always_inline void end_of_stream(struct conn *c, struct sock *sk, int broken, int by_address)
{
	struct sock *peer = peer_of(sk, by_address);
	struct conn *other = peer ? find_conn(peer, by_address) : 0;

	if (peer && BPF_CORE_READ(peer, __sk_common.skc_state) == TCP_CLOSE)
		broken = 1;
	if (c && (broken || c->side == TRACE_CLIENT || (c->head == c->tail && !c->over)))
		finish_conn(c, sk, by_address);
	if (other && (broken || other->side == TRACE_SERVER))
		finish_conn(other, peer, by_address);
}

/* Who works on what is in flight, a thread or a goroutine, stays as it is. */
static __noinline void adopt_conn(struct conn *c, __u64 proc)
{
	int go = (proc_flags(proc) & TRACE_PROC_GO) != 0;

	c->tgid = proc_tgid(proc);
	c->service = proc_service(proc);
	c->known = (proc_flags(proc) & TRACE_PROC_KNOWN) != 0;
	if (c->flight && c->go != go)
		return;
	c->go = go;
	c->proc = proc;
}

static __always_inline void transfer_bytes(struct conn *c, struct sock *sk, struct trace_scratch *s, __u64 proc,
					   int is_seen, int is_receive, int by_address)
{
	if (!c && !is_seen)
		count(TRACE_COUNT_UNSEEN);
	else if (!c)
		c = meet(sk, s, proc, is_receive, by_address);
	if (!c)
		return;
	if (by_address)
		c->inode = s->t.inode;
	if (c->proc != proc)
		adopt_conn(c, proc);
	s->t.dir = (c->side == TRACE_SERVER) == is_receive ? REQUESTS : RESPONSES;
	if (is_seen)
		look_at_transfer(c, s);
	else
		pass_unseen(c, s);
}

static __always_inline int is_wanted(__u64 proc)
{
	__u32 flags = proc_flags(proc) & (TRACE_PROC_KNOWN | TRACE_PROC_UNWANTED);

	return flags == TRACE_PROC_KNOWN || (!flags && !config.only_known);
}

#if defined(__TARGET_ARCH_x86)
/* bytes: 0 when nothing more comes, or when nothing was asked for; below: is_broken(). inode: with by_address. */
static __always_inline int transfer(struct sock *sk, const struct pt_regs *regs, __u32 call, const struct task_struct *task, __u64 proc, __u64 inode,
				    int bytes, int is_receive, int by_address)
{
	struct conn *c = find_own_conn(sk, inode, by_address);
	/* A file may lie behind a socket of the kernel's: a read from it sends there. */
	enum data_shape shape = data_is_receive(call) == is_receive ? data_shape(call) : DATA_UNSEEN;
	struct trace_scratch *s;

	if (bytes <= 0) {
		if (bytes < 0 || (is_receive && (shape != DATA_BUFFER || SYSCALL_ARG3(regs))))
			end_of_stream(c, sk, bytes < 0, by_address);
		return 0;
	}
	if (c ? c->state == CONN_OVER : is_given_up(sk, inode, is_receive, by_address))
		return 0;
	s = take_scratch(task);
	if (!s) {
		if (c)
			lose_conn(c);
		else
			count(TRACE_COUNT_LOST_SYNC);
		return 0;
	}
	s->t.sk = (__u64)sk;
	if (by_address)
		s->t.inode = inode;
	s->t.left = bytes;
	s->t.now = s->t.part_at = 0;
	count_here(s, TRACE_COUNT_TRANSFERS);
	transfer_bytes(c, sk, s, proc, !data_begin(&s->t.d, shape, regs, bytes), is_receive, by_address);
	let_go(s);
	return 0;
}

/* Of a hook at sockets. */
static __always_inline int transfer_of_socket(struct sock *sk, int bytes, int flags, struct task_struct *task, __u64 proc, int is_receive)
{
	const struct pt_regs *regs;

	if ((flags & FLAGS_ASIDE) || (bytes < 0 && !is_broken(bytes)))
		return 0;
	regs = (const void *)bpf_task_pt_regs(task);
	return transfer(sk, regs, data_call_under_way(task, regs), task, proc, 0, bytes, is_receive, 0);
}
#endif

/*
 * What most calls on a host come to, that nobody wants to see, is a function of its own: for it no registers need be saved.
 * The end of a stream may be that of its other end, whose process is wanted.
 */
static __always_inline int is_looked_at(int bytes, __u64 proc)
{
	return bytes <= 0 || is_wanted(proc);
}

static __noinline int send_wanted(struct sock *sk, int bytes, struct task_struct *task, __u64 proc)
{
	return transfer_of_socket(sk, bytes, 0, task, proc, 0);
}

static __noinline int receive_wanted(struct sock *sk, int bytes, int flags, struct task_struct *task, __u64 proc)
{
	return transfer_of_socket(sk, bytes, flags, task, proc, 1);
}

/* args of this and the next: sk, bytes, flags. */
SEC("tp_btf/sock_send_length")
int sent(const __u64 *args)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 proc = proc_of(task->tgid);

	return is_looked_at(args[1], proc) ? send_wanted((void *)args[0], args[1], task, proc) : 0;
}

SEC("tp_btf/sock_recv_length")
int received(const __u64 *args)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 proc = proc_of(task->tgid);

	return is_looked_at(args[1], proc) ? receive_wanted((void *)args[0], args[1], args[2], task, proc) : 0;
}

#include "bpf/trace_exits.h"

#if defined(__TARGET_ARCH_x86)
/* NULL: it is no socket. */
static __always_inline struct sock *sock_of(__u32 fd, __u64 *ret_inode)
{
	/* Up to the table the verifier knows what it is, and lets us load from it; each of the reads behind it is a call. */
	struct fdtable *table = bpf_get_current_task_btf()->files->fdt;
	struct file *file = 0;
	struct socket *socket;
	struct inode *inode;

	if (fd >= table->max_fds)
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), table->fd + fd);
	inode = BPF_CORE_READ(file, f_inode);
	if (!inode || (BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	*ret_inode = BPF_CORE_READ(inode, i_ino);
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

/* Of splice either end may be the socket. */
static __always_inline struct sock *sock_of_syscall(const struct pt_regs *regs, __u64 *ret_inode, int *ret_is_receive)
{
	__u64 nr = SYSCALL_OF(regs);
	struct sock *sk = 0;

	*ret_is_receive = data_is_receive(data_call(nr));
	if (nr == SYSCALL_SPLICE) {
		sk = sock_of(SYSCALL_ARG3(regs), ret_inode);
		*ret_is_receive = !sk;
	}
	return sk ? sk : sock_of(SYSCALL_ARG1(regs), ret_inode);
}

static __noinline int end_syscall(const __u64 *args, const struct pt_regs *regs)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 inode = 0, proc = proc_of(task->tgid);
	__u32 call = data_call(SYSCALL_OF(regs));
	long ret = args[1];
	struct sock *sk;
	int is_receive;

	if (!is_wanted(proc) || (ret < 0 && !is_broken(ret)))
		return 0;
	if (SYSCALL_IS_32(regs) || (data_flags(regs) & FLAGS_ASIDE))
		return 0;
	if (data_is_ring(call)) {
		if (ret > 0) /* a descriptor, or how much was submitted */
			count(TRACE_COUNT_IO_URING);
		return 0;
	}
	sk = sock_of_syscall(regs, &inode, &is_receive);
	return sk ? transfer(sk, regs, call, task, proc, inode, data_bytes(regs, ret), is_receive, 1) : 0;
}

/* First of all what ends most calls of a host: they move no data. */
SEC("tp_btf/sys_exit")
int syscall_ended(const __u64 *args)
{
	const struct pt_regs *regs = (void *)args[0];

	return data_call(SYSCALL_OF(regs)) ? end_syscall(args, regs) : 0;
}
#endif

static __always_inline void close_conn(struct conn *c, int to)
{
	if (c && c->state == CONN_HTTP1 && (to == TCP_CLOSE || c->side == TRACE_SERVER))
		end_conn(c);
}

/* A TCP connection of which nothing more can come, or to which the server has said all. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state_changed, struct sock *sk, int from, int to)
{
	__u64 address = (__u64)sk;

	if (to != TCP_CLOSE && to != TCP_FIN_WAIT1 && to != TCP_LAST_ACK)
		return 0;
	/* What has come can still be read, up to the end or the error behind it, unless nobody has the socket any more. */
	if (to == TCP_CLOSE && BPF_CORE_READ(sk, sk_receive_queue.qlen) && BPF_CORE_READ(sk, sk_socket))
		return 0;
	if (!config.by_address) {
		close_conn(bpf_sk_storage_get(&conns, sk, 0, 0), to);
		return 0;
	}
	close_conn(bpf_map_lookup_elem(&conns_by_address, &address), to);
	if (to == TCP_CLOSE)
		forget_conn(&address);
	return 0;
}

/* With config.exact only: nothing else hooks into every switch. */
SEC("tp_btf/sched_switch")
int BPF_PROG(switched, int preempt, struct task_struct *prev, struct task_struct *next)
{
	clock_out(prev);
	clock_in(next);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
