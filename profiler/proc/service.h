/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * service - which service a process belongs to: the name its CPU time is filed under.
 *
 * A ladder, the first rung that holds: OTEL_SERVICE_NAME in the process's environment; the innermost
 * systemd unit or container in its cgroup path; the name of its executable; its own name.
 */
#include <stdbool.h>
#include <stddef.h>

struct process;

#define SERVICE_KERNEL "kernel" /* that of kernel threads */
#define SERVICE_NAME_MAX 256

/* The ladder. p: NULL for an unknown process; cgroup: its path, "" when unknown. out is never empty. */
void service_name(const struct process *p, const char *cgroup, char *out, size_t len);

/*
 * The unit or container a cgroup path names, into out: "nginx" for "/system.slice/nginx.service",
 * the first 12 digits of a container's id. 0, or -ENOENT: it names neither.
 */
int service_of_cgroup(const char *path, char *out, size_t len);

/* What a process runs: a path, as its own root has it; of one that is gone the last part, cut. False: nobody knows. */
bool process_executable(const struct process *p, char *out, size_t len);

/* Label values must be UTF-8; what is no printable ASCII becomes '?'. */
void service_make_printable(char *s);
