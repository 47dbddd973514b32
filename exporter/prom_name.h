/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * prom_name - the names Prometheus has for OpenTelemetry's. Pure.
 *
 *	http.server.request.duration, a histogram in s   http_server_request_duration_seconds
 *	process.cpu.time, a counter in s                 process_cpu_time_seconds_total
 *	process.cpu.utilization, a gauge in 1            process_cpu_utilization_ratio
 *	http.server.active_requests in {request}         http_server_active_requests
 *	http.response.status_code, an attribute          http_response_status_code
 *
 * Source: the OpenTelemetry specification (Prometheus and OpenMetrics compatibility) and the translation that Prometheus
 * itself applies to what it gets over OTLP, so that both ways make one series.
 */
#include <stdbool.h>

#include "exporter/metric.h"

struct buf;

/* Of a family. */
void prom_metric_name(struct buf *b, const struct metric_family *f);
/* Of an attribute. */
void prom_label_name(struct buf *b, struct slice key);
/* Whether two attributes have the same one. */
bool prom_labels_clash(struct slice a, struct slice b);
