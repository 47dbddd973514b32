/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * prom_metrics - a set of metrics in Prometheus' text format (prometheus.h).
 *
 *	http_server_request_duration_seconds_bucket{job="shop/web",instance="h:7",service_name="web",http_route="/",le="0.005"} 3
 *	target_info{job="shop/web",instance="h:7",host_name="h",service_name="web",...} 1
 *
 * Each series says whose it is: job is service.namespace/service.name, instance service.instance.id, and service_name and
 * service_namespace, which dashboards ask for. The rest of a resource is in its target_info, to be joined by job and
 * instance; a scrape keeps these two with honor_labels. Of attributes that become one label the first stays.
 * Numbers are as exact as they are held; bounds have their shortest text. Errors: buf_error() of the buffer, once at the end.
 * Source: prometheus.io, exposition formats; OpenTelemetry's Prometheus compatibility.
 */
struct buf;
struct metric_set;

void prom_metrics(const struct metric_set *set, struct buf *out);
