/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define PARTIAL 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define PARTIAL 1
#endif
#ifndef PARTIAL
#define PARTIAL 0
#endif

enum { NOBODY = 65534 };

int sandbox_is_partial(void)
{
	return PARTIAL;
}

/* A limit that is lower already stays. */
static int set_limit(int what, uint64_t value)
{
	struct rlimit now;

	if (getrlimit(what, &now) < 0)
		return -errno;
	if (now.rlim_max < value)
		value = now.rlim_max;
	/* A second between the two for CPU time: SIGXCPU tells more than SIGKILL. */
	if (what != RLIMIT_CPU || value < now.rlim_max)
		now.rlim_max = value + (what == RLIMIT_CPU);
	return setrlimit(what, &(struct rlimit){ .rlim_cur = value, .rlim_max = now.rlim_max }) < 0 ? -errno : 0;
}

static uint64_t or_else(uint64_t value, uint64_t otherwise)
{
	return value ? value : otherwise;
}

static int set_limits(const struct sandbox_limits *l)
{
	const struct {
		int what;
		uint64_t value;
	} limits[] = {
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_CPU, or_else(l->cpu_s, 120) },
		{ RLIMIT_FSIZE, or_else(l->file_bytes, 8 * GIB) },
		{ RLIMIT_NOFILE, or_else(l->descriptors, 16448) },
		{ RLIMIT_DATA, or_else(l->data_bytes, 256 * MIB) },
		{ RLIMIT_AS, or_else(l->address_bytes, 16 * GIB) },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(limits) - (PARTIAL ? 2 : 0) && r >= 0; i++)
		r = set_limit(limits[i].what, limits[i].value);
	signal(SIGXFSZ, SIG_IGN); /* a file too large is an error of write() */
	return r;
}

/* Asks for little of what there is: where a file is missing, or refuses, the rest holds. */
static void ask_kernel(const char *path, const char *value)
{
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, value, strlen(value)) < 0)
		return;
}

static void give_way(int nice)
{
	int ours = getpriority(PRIO_PROCESS, 0);
	char text[12];

	nice = nice > ours ? nice : ours;
	snprintf(text, sizeof(text), "%d", nice);
	setpriority(PRIO_PROCESS, 0, nice);
	ask_kernel("/proc/self/autogroup", text); /* a session of its own is a group of its own, and not as nice */
	ask_kernel("/proc/self/oom_score_adj", "1000"); /* rather us than the agent, whose memory limit we share */
}

/*
 * Root without CAP_SETUID (our service unit) and root of a namespace without nobody stay root: without capabilities,
 * and with the filter, that is no more than nobody has.
 */
static void become_nobody(void)
{
	if (geteuid() || setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0)
		return;
	if (setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return;
}

static int drop_identity(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	become_nobody();
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

int sandbox_enter(const struct sandbox_limits *limits)
{
	int r = set_limits(limits);

	give_way(limits->nice ? (int)limits->nice : 19);
	if (r >= 0)
		r = drop_identity();
	if (r < 0)
		return r;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* After the identity, whose change takes it back: when the process that waits for us ends, so do we. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return PARTIAL ? 0 : sandbox_filter();
}
