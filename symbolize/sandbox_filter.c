/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "symbolize/sandbox.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "name this architecture's AUDIT_ARCH_*"
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOW_WORD(arg) (offsetof(struct seccomp_data, args) + 8 * (arg))
#else
#define LOW_WORD(arg) (offsetof(struct seccomp_data, args) + 8 * (arg) + 4)
#endif

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define ANSWER(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define KILL         ANSWER(SECCOMP_RET_KILL_PROCESS)
#define PERMIT       ANSWER(SECCOMP_RET_ALLOW)

#define ALLOW(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), PERMIT
/* Allowed when the argument is this value; dies otherwise. */
#define ALLOW_WHEN(nr, arg, value)                                                                   \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 4), LOAD(LOW_WORD(arg)),                        \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1), PERMIT, KILL
/* Allowed when the argument has none of these bits. */
#define ALLOW_WITHOUT(nr, arg, bits)                                                                 \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 4), LOAD(LOW_WORD(arg)),                        \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (bits), 1, 0), PERMIT, KILL

static const struct sock_filter program[] = {
	LOAD(offsetof(struct seccomp_data, arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
	KILL,
	LOAD(offsetof(struct seccomp_data, nr)), /* of x32 they are above all that follow, so none is allowed */
	ALLOW(__NR_pread64),
	ALLOW(__NR_pwrite64),
	ALLOW(__NR_read),
	ALLOW(__NR_write),
	ALLOW_WITHOUT(__NR_mmap, 2, PROT_EXEC),
	ALLOW_WITHOUT(__NR_mprotect, 2, PROT_EXEC),
	ALLOW(__NR_munmap),
	ALLOW(__NR_mremap),
	ALLOW(__NR_madvise),
	ALLOW(__NR_brk),
	ALLOW(__NR_lseek),
	ALLOW(__NR_ftruncate),
	ALLOW(__NR_fstat),
	ALLOW_WHEN(__NR_newfstatat, 3, AT_EMPTY_PATH), /* fstat() of glibc 2.33 to 2.38 */
	ALLOW(__NR_close),
	ALLOW_WHEN(__NR_fcntl, 1, F_GETFD), /* libelf asks whether a descriptor is one */
	ALLOW(__NR_recvmsg),                /* more files, from the socket it has */
	ALLOW(__NR_sysinfo),                /* qsort() */
	ALLOW(__NR_getrandom),              /* malloc() */
	ALLOW(__NR_clock_gettime),          /* where the vDSO has no clock */
	ALLOW(__NR_exit),
	ALLOW(__NR_exit_group),
	KILL,
};

int sandbox_filter(void)
{
	const struct sock_fprog prog = { .len = ARRAY_SIZE(program), .filter = (struct sock_filter *)program };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) < 0)
		return -errno;
	return 0;
}
