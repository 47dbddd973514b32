/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * otlp_metrics - a set of metrics as ExportMetricsServiceRequests of OpenTelemetry, cumulative.
 *
 * Requests go to opts.send as they fill up (otlp_envelope.h), in the middle of a family if need be: what follows says
 * again whose points and of which name they are.
 * Memory: one request, and four bytes a family. Threads: one.
 * Source: opentelemetry-proto v1.11.0, metrics/v1/metrics.proto.
 */
#include "exporter/otlp_envelope.h"

struct metric_set;
struct otlp_metrics;

/* 0 or -ENOMEM. */
int otlp_metrics_new(const struct otlp_opts *opts, struct otlp_metrics **ret);
struct otlp_metrics *otlp_metrics_free(struct otlp_metrics *m);

/* All of a set. 0, -ENOMEM, -EINVAL: points are not in order (metric.h), or what send answers: what was not sent is gone. */
int otlp_metrics_send(struct otlp_metrics *m, const struct metric_set *set);
