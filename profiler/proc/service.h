/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * service - which service a process belongs to: the name its CPU time is filed under.
 *
 * A ladder, the first rung that holds: OTEL_SERVICE_NAME in the process's environment; the innermost
 * systemd unit or container in its cgroup path; the name of its executable. Kernel threads are all
 * SERVICE_KERNEL. Asked once per process and program it runs; a fork has its parent's service.
 * Memory: names live in the table, 4,096 of them; then it begins anew.
 */
#include <stddef.h>
#include <stdint.h>

struct process;
struct services;

#define SERVICE_KERNEL "kernel"

int services_new(struct services **ret);
struct services *services_free(struct services *t);

/* The service of a process; p may be NULL (unknown process). cgroup: its path, "" when unknown.
 * Never NULL or empty. Borrowed until the next call. */
const char *services_name(struct services *t, struct process *p, const char *cgroup);

/*
 * The unit or container a cgroup path names, into out: "nginx" for "/system.slice/nginx.service",
 * the first 12 digits of a container's id. 0, or -ENOENT: it names neither.
 */
int service_of_cgroup(const char *path, char *out, size_t len);
