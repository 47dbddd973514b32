/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * identity - who is pid 4711: its service, and what is known of it, under the names that discovery has in Grafana Alloy
 * and Prometheus. Relabelling rules ask for these labels:
 *
 *	service_name                                     service.h
 *	__process_pid__  __meta_process_exe  __meta_process_comm  __meta_process_commandline
 *	__meta_process_uid  __meta_process_username      the effective user; its name on the host (users.h), of none in a container
 *	__meta_cgroup_path  __container_id__  __meta_container_runtime
 *	__meta_kubernetes_pod_uid  __meta_systemd_unit   placement.h
 *	__meta_kubernetes_...                            pods.h
 *	__meta_otel_NAME                                 what it declares (declared.h): __meta_otel_service_version
 *
 * True for the moment of the sample: see startup.h and executable.h. What is not known is not there; of a process that has
 * ended before its rules changed that is the command line.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/strmap.h"

struct ev_rest;
struct pods;
struct process;
struct startup;
struct users;

/* A sample's view of its process. */
struct identity_view {
	struct process *process;    /* NULL: unknown */
	const struct ev_rest *rest; /* NULL: the sample has none */
	const char *cgroup;         /* its path, "" when unknown */
	uint64_t time_ns;
	bool kernel_thread;
};

/*
 * Learns what the process says of itself and keeps that with it, so that it stays known when it has ended. True: it may
 * say something else than before. Asked before identity_labels(), with each sample: it is cheap when there is nothing to
 * learn. start: empty before the first question about a sample; what was read for it is not read twice. The caller's.
 */
bool identity_learn(const struct identity_view *v, struct startup *start);

/* Is that all there will ever be to know? False: it was read too late, a later sample may have it with it. */
bool identity_is_settled(const struct identity_view *v);

/* What others know of it; NULL: nobody does. */
struct identity_lists {
	const struct pods *pods;
	struct users *users;
};

/*
 * service_name alone, or with all that rules may ask. What memory does not suffice for is missing. False: it runs in a pod
 * that is not listed, yet.
 */
bool identity_labels(const struct identity_view *v, const struct identity_lists *lists, bool all,
		     struct startup *start, struct strmap *to);
