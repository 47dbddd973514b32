/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * telemetry - what the agent says of itself, as Prometheus metrics: samples and losses by reason, how
 * complete stacks and names are, queues and sends by result, its own cost.
 */
#include <stddef.h>
#include <stdint.h>

struct budget;
struct buf;
struct kube_stats;
struct net_receiver_stats;
struct push_spans_stats;
struct push_stats;
struct receive_stats;
struct session_stats;

struct telemetry {
	const struct session_stats *session;
	const struct push_stats *push;
	const struct net_receiver_stats *receivers;
	size_t n_receivers;
	const struct receive_stats *receive; /* NULL: nothing is taken from others */
	const struct kube_stats *kube; /* NULL: nobody is asked */
	const struct push_spans_stats *spans; /* NULL: none are made */
	uint64_t reloads_ok, reloads_failed, windows_failed;
	uint64_t start_utc_ns;
	const struct budget *budget;
};

void telemetry_print(const struct telemetry *t, struct buf *out);
