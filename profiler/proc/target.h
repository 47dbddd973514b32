/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * target - the labels under which a process's CPU time is filed, or that it is not wanted.
 *
 *	service_name (service.h), and for the rules what is known of it   -> relabel rules -> the labels left
 *
 * What rules may ask, under the names that discovery has in Grafana Alloy and Prometheus:
 *
 *	__process_pid__  __meta_process_exe  __meta_process_comm  __meta_process_commandline
 *	__meta_process_uid  __meta_process_username  __meta_cgroup_path  __container_id__  __meta_container_runtime
 *	__meta_kubernetes_pod_uid  __meta_systemd_unit
 *
 * Labels that begin with __ go when the rules are done; a target without service_name has its service's again.
 * Asked once per process and program it runs; a fork has its parent's. Kernel threads are service_name="kernel", and
 * known by it and __process_pid__ alone.
 * Memory: label sets live in the table, 4,096 of them; then it begins anew. Threads: one.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/strmap.h"

struct process;
struct relabel;
struct targets;

int targets_new(struct targets **ret);
struct targets *targets_free(struct targets *t);

/* From here on, for all processes. Takes the rules over; NULL: none. */
void targets_set_rules(struct targets *t, struct relabel *rules);

/* The labels of a process (NULL: unknown) as text for target_labels(); "": the rules leave it out. Borrowed until the next call. */
const char *targets_find(struct targets *t, struct process *p, const char *cgroup, bool kernel_thread);

/* 0 or -ENOMEM. Adds to what is there. */
int target_labels(const char *text, struct strmap *to);
