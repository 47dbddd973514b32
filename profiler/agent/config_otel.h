/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * config_otel - what OpenTelemetry's own variables say, into a configuration that was read.
 *
 *	OTEL_EXPORTER_OTLP_ENDPOINT   a receiver "otlp" of type otlp that takes every signal
 *	OTEL_EXPORTER_OTLP_*          of it: PROTOCOL, HEADERS, COMPRESSION, TIMEOUT (ms), CERTIFICATE, CLIENT_CERTIFICATE,
 *	                              CLIENT_KEY, INSECURE (of gRPC endpoints without a scheme)
 *	OTEL_EXPORTER_OTLP_TRACES_*   the same, ENDPOINT included, for traces alone: a receiver "otlp-traces", where any of
 *	                              them is set; what is not is as for the other signals. Its endpoint over HTTP is taken as
 *	                              it is, path and all
 *	OTEL_EXPORTER_OTLP_METRICS_*  "otlp-metrics"
 *	OTEL_TRACES_EXPORTER          without "otlp" in it: no traces; OTEL_METRICS_EXPORTER likewise
 *	(a file with a receiver of type otlp has the say: then these make none)
 *	OTEL_METRIC_EXPORT_INTERVAL   trace.metrics_interval, in ms, where the file says none
 *	OTEL_RESOURCE_ATTRIBUTES      labels, those of the file before them; "." and the like in names become "_".
 *	                              service.name is not one: services are the profiled ones'
 *	OTEL_TRACES_SAMPLER           trace.sample_percent, before the file: always_on, always_off, or traceidratio with
 *	                              OTEL_TRACES_SAMPLER_ARG, 0 to 1; the same behind parentbased_, which all are here: a
 *	                              request that says whether it is sampled is taken at its word. With always_off no
 *	                              errors are kept either, unless the file wants them
 *
 * An empty variable is none. Source: the OpenTelemetry specification (OTLP exporter, environment variables).
 */
#include <stddef.h>

struct config;

/* 0, -EINVAL (err names the variable), -ENOMEM. The sampler and the interval go before the file that is read, the rest behind it. */
int config_add_otel_interval(struct config *c, char *const *environment, char *err, size_t err_len);
int config_add_otel_sampler(struct config *c, char *const *environment, char *err, size_t err_len);
int config_add_otel(struct config *c, char *const *environment, char *err, size_t err_len);
