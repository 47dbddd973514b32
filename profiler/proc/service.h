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
 *	4  its pod's annotation pyroscope.io/service_name, then resource.opentelemetry.io/service.name
 *	5  "NAMESPACE/CONTAINER" of its pod                               (4 and 5: pods.h; the names of pyroscope.ebpf)
 *	6  the innermost systemd unit or container in its cgroup's path   (placement.h)
 *	7  the name of its executable
 *	8  its own name, or "unknown"
 */
#include <stddef.h>

struct process;
struct strmap;

#define SERVICE_KERNEL "kernel" /* that of kernel threads */
#define SERVICE_NAME_MAX 256

/* The ladder. p: NULL for an unknown process; declared: what it says of itself; pod: the labels of its pod, empty
 * when it has none; cgroup: its path, "" when unknown. out is never empty. */
void service_name(const struct process *p, const struct strmap *declared, const struct strmap *pod, const char *cgroup, char *out,
		  size_t len);

/*
 * The unit or container a cgroup path names, into out: "nginx" for "/system.slice/nginx.service",
 * the first 12 digits of a container's id. 0, or -ENOENT: it names neither.
 */
int service_of_cgroup(const char *path, char *out, size_t len);
