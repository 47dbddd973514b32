/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"

#define BIT(cap) (1ull << (cap))

static const struct {
	int cap;
	bool used; /* while the agent runs */
	const char *name;
} rows[] = {
	{ CAP_BPF, true, "BPF" },
	{ CAP_PERFMON, true, "PERFMON" },
	{ CAP_SYS_PTRACE, true, "SYS_PTRACE" },
	{ CAP_DAC_READ_SEARCH, true, "DAC_READ_SEARCH" },
	{ CAP_CHECKPOINT_RESTORE, true, "CHECKPOINT_RESTORE" },
	{ CAP_SYSLOG, true, "SYSLOG" },
	{ CAP_SYS_RESOURCE, false, "SYS_RESOURCE" },
	{ CAP_SYS_ADMIN, true, "SYS_ADMIN" },
};

const char *capability_name(int cap)
{
	size_t i = 0;

	while (rows[i].cap != cap)
		i++;
	return rows[i].name;
}

typedef struct __user_cap_data_struct cap_words[_LINUX_CAPABILITY_U32S_3];

static int get_permitted(uint64_t *ret)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	cap_words w = { 0 };

	if (syscall(SYS_capget, &head, w) < 0)
		return -errno;
	*ret = (uint64_t)w[1].permitted << 32 | w[0].permitted;
	return 0;
}

static int set_all(uint64_t caps)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	uint32_t low = (uint32_t)caps, high = (uint32_t)(caps >> 32);
	cap_words w = { { .effective = low, .permitted = low }, { .effective = high, .permitted = high } };

	return syscall(SYS_capset, &head, w) < 0 ? -errno : 0;
}

/* Debian's kernels take perf_event_paranoid from 3 on for: CAP_SYS_ADMIN alone, whatever CAP_PERFMON is for. */
static bool events_take_admin(void)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	if (file_read_path(AT_FDCWD, "/proc/sys/kernel/perf_event_paranoid", 16, &b) < 0)
		return false;
	buf_putc(&b, '\0');
	return !buf_error(&b) && atoi((const char *)b.data) > 2;
}

static uint64_t needed(uint64_t permitted)
{
	uint64_t both = BIT(CAP_BPF) | BIT(CAP_PERFMON), all = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		all |= rows[i].used ? BIT(rows[i].cap) : 0;
	if ((permitted & both) == both && !events_take_admin())
		all &= ~BIT(CAP_SYS_ADMIN);
	return permitted & all;
}

/* What root gets back when it executes a program. Who may not bound it (CAP_SETPCAP) has no_new_privs all the same. */
static void bound(uint64_t caps)
{
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (!(caps & BIT(cap)))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

static void print(uint64_t caps, char *out, size_t len)
{
	size_t at = (size_t)snprintf(out, len, "%s", caps ? "" : "none");

	for (size_t i = 0; i < ARRAY_SIZE(rows) && at < len; i++)
		if (caps & BIT(rows[i].cap))
			at += (size_t)snprintf(out + at, len - at, "%sCAP_%s", at ? ", " : "", rows[i].name);
}

int privileges_drop(char *kept, size_t len)
{
	uint64_t caps = 0;
	int r = get_permitted(&caps);

	if (r < 0)
		return r;
	caps = needed(caps);
	bound(caps);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	r = set_all(caps);
	if (r >= 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	print(caps, kept, len);
	return r;
}
