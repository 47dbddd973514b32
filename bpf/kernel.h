/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * kernel - the few kernel types our programs look into, by hand instead of a dump of the build
 * host's BTF. Fields are found by name at load time (CO-RE): only those we read are listed, and
 * their order here means nothing.
 */
#include <linux/types.h>

#define __core __attribute__((preserve_access_index))

struct mm_struct {
	unsigned long exec_vm;
	unsigned long arg_start, arg_end, env_start, env_end;
} __core;

struct cred {
	struct {
		unsigned int val;
	} euid;
} __core;

struct thread_struct {
	unsigned long fsbase;
} __core;

/* A CPU's. */
struct rq {
	unsigned long long prev_irq_time, prev_steal_time_rq;
} __core;

struct cfs_rq {
	struct rq *rq;
} __core;

struct sched_entity {
	struct cfs_rq *cfs_rq; /* of the CPU it is on, whatever its policy */
	unsigned long long sum_exec_runtime;
} __core;

struct sched_info {
	unsigned long long run_delay;
} __core;

struct files_struct;

struct task_struct {
	unsigned int flags;
	struct mm_struct *mm;
	const struct cred *cred;
	struct task_struct *group_leader;
	struct files_struct *files;
	unsigned long long start_boottime, self_exec_id;
	struct thread_struct thread;
	struct sched_entity se;
	struct sched_info sched_info;
	void *io_uring;    /* NULL: it never used it */
	void *bpf_storage; /* of task storage maps; NULL: it has nothing in any */
	void *stack;
	int pid;
	int tgid;
} __core;

#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD   0x00200000

#if defined(__TARGET_ARCH_x86)
/* Bottom of the kernel stack, where entry code saved the user registers; for kernels without
 * bpf_task_pt_regs (before 5.15). CONFIG_KASAN doubles it: such kernels are not for production. */
#define KERNEL_STACK_SIZE (16 * 1024)
#endif

/* ---- sockets, for the tracing programs ---- */

struct in6_addr_words {
	__u8 bytes[16];
};

struct sock_common {
	__u32 skc_daddr, skc_rcv_saddr;
	__u16 skc_dport; /* in network order */
	__u16 skc_num;
	__u16 skc_family;
	unsigned char skc_state;
	struct in6_addr_words skc_v6_daddr, skc_v6_rcv_saddr;
} __core;

struct inode {
	__u16 i_mode;
	unsigned long i_ino;
} __core;

struct file {
	struct inode *f_inode;
	void *private_data;
	unsigned int f_flags;
} __core;

#define O_NONBLOCK 04000

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
} __core;

struct files_struct {
	struct fdtable *fdt;
} __core;

struct socket {
	struct file *file;
	struct sock *sk;
} __core;

struct sk_buff_head {
	__u32 qlen;
} __core;

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_receive_queue;
	struct socket *sk_socket;
	__u16 sk_type;
} __core;

struct unix_sock {
	struct sock *peer;
} __core;

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define MSG_PEEK 2
#define MSG_ERRQUEUE 0x2000
#define EPIPE 32
#define ENOSYS 38
#define ECONNRESET 104
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define TCP_FIN_WAIT1 4
#define TCP_CLOSE 7
#define TCP_LAST_ACK 9
#define bpf_ntohs(x) __builtin_bswap16(x)
