/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/doctor_checks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/privileges.h"
#include "base/cleanup.h"
#include "base/file.h"

int doctor_read(const struct doctor *d, const char *path, char *ret, size_t len)
{
	_cleanup_(closep) int fd = -1;
	char full[PATH_MAX];
	size_t at = 0;
	ssize_t n = 1;

	snprintf(full, sizeof(full), "%s%s", d->root, path);
	fd = file_open_regular(AT_FDCWD, full, 0, NULL);
	if (fd < 0)
		return fd;
	while (at < len - 1 && n > 0) {
		n = read(fd, ret + at, len - 1 - at);
		if (n < 0)
			return -errno;
		at += (size_t)n;
	}
	ret[at] = '\0';
	return (int)at;
}

int doctor_read_int(const struct doctor *d, const char *path, int otherwise)
{
	char text[64];
	int n;

	return doctor_read(d, path, text, sizeof(text)) > 0 && sscanf(text, "%d", &n) == 1 ? n : otherwise;
}

bool doctor_exists(const struct doctor *d, const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", d->root, path);
	return !access(full, F_OK);
}

bool doctor_holds(const struct doctor *d, int cap)
{
	bool admin = cap == CAP_BPF || cap == CAP_PERFMON || cap == CAP_CHECKPOINT_RESTORE;

	return d->caps & (1ull << cap) || (admin && d->caps & (1ull << CAP_SYS_ADMIN));
}

/* The last one counts: it lies on top. point or type may be NULL: any. */
int doctor_mount(const struct doctor *d, const char *point, const char *type, char ret_type[32],
		 char ret_options[256])
{
	_cleanup_(fclosep) FILE *f = NULL;
	char full[PATH_MAX], line[3 * PATH_MAX], at[PATH_MAX], t[32], o[256];
	int r = -ENOENT;

	snprintf(full, sizeof(full), "%s/proc/self/mounts", d->root);
	f = fopen(full, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %4095s %31s %255s", at, t, o) != 3)
			continue;
		if ((point && strcmp(at, point)) || (type && strcmp(t, type)))
			continue;
		strcpy(ret_type, t);
		strcpy(ret_options, o);
		r = 0;
	}
	return r;
}

#define FORMAT_INTO(field, fmt)                                                                    \
	do {                                                                                       \
		va_list ap_;                                                                       \
                                                                                                   \
		va_start(ap_, fmt);                                                                \
		vsnprintf(field, sizeof(field), fmt, ap_);                                         \
		va_end(ap_);                                                                       \
	} while (0)

void finding_found(struct doctor_finding *f, const char *fmt, ...)
{
	FORMAT_INTO(f->found, fmt);
}

void finding_judge(struct doctor_finding *f, enum doctor_state s, const char *means, ...)
{
	f->state = s;
	FORMAT_INTO(f->means, means);
}

void finding_remedy(struct doctor_finding *f, const char *fmt, ...)
{
	FORMAT_INTO(f->remedy, fmt);
}

/* " --cap-add=BPF --cap-add=PERFMON": of the two that only help together all that lack. */
static void list_caps(const struct doctor *d, int cap, const char *before, char *out, size_t len)
{
	bool pair = cap == CAP_BPF || cap == CAP_PERFMON;
	const int both[] = { CAP_BPF, CAP_PERFMON };
	size_t at = 0;

	*out = '\0';
	if (!pair)
		snprintf(out, len, "%s%s", before, capability_name(cap));
	for (size_t i = 0; pair && i < ARRAY_SIZE(both) && at < len; i++)
		if (!doctor_holds(d, both[i]))
			at += (size_t)snprintf(out + at, len - at, "%s%s", before, capability_name(both[i]));
}

void finding_remedy_cap(struct doctor_finding *f, const struct doctor *d, int cap)
{
	char caps[128];

	list_caps(d, cap, d->container ? " --cap-add=" : " CAP_", caps, sizeof(caps));
	if (d->own_user_ns)
		finding_remedy(f, "run it outside this user namespace, as the host's root");
	else if (d->container)
		finding_remedy(f, "docker run%s, in Kubernetes securityContext.capabilities.add", caps);
	else if (d->probe->euid)
		finding_remedy(f, "use sudo, in systemd AmbientCapabilities=%s", caps + 1);
	else
		finding_remedy(f, "leave root %s (CapabilityBoundingSet=)", caps + 1);
}
