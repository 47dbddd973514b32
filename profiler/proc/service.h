/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * service - which service a process belongs to: the name its CPU time is filed under.
 *
 * A ladder, the first rung that holds:
 *
 *	1  OTEL_SERVICE_NAME in its environment
 *	2  service.name of its process context
 *	3  service.name in OTEL_RESOURCE_ATTRIBUTES of its environment    (1 to 3: declared.h)
 *	4  the innermost systemd unit or container in its cgroup's path (placement.h)
 *	5  the name of its executable
 *	6  its own name, or "unknown"
 */
#include <stddef.h>

struct process;
struct strmap;

#define SERVICE_KERNEL "kernel" /* that of kernel threads */
#define SERVICE_NAME_MAX 256

/* The ladder. p: NULL for an unknown process; declared: what it says of itself; cgroup: its path, "" when unknown.
 * out is never empty. */
void service_name(const struct process *p, const struct strmap *declared, const char *cgroup, char *out, size_t len);

/*
 * The unit or container a cgroup path names, into out: "nginx" for "/system.slice/nginx.service",
 * the first 12 digits of a container's id. 0, or -ENOENT: it names neither.
 */
int service_of_cgroup(const char *path, char *out, size_t len);
