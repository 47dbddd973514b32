/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * pairs - "key=value,key=value", percent-encoded: OTEL_RESOURCE_ATTRIBUTES, OTEL_EXPORTER_OTLP_HEADERS. Pure.
 *
 * Spaces around keys and values do not count. Source: the OpenTelemetry specification (resource SDK, OTLP exporter).
 */
#include <stddef.h>

/*
 * Calls on_pair for each, decoded; of one without "=", or encoded wrongly, key is NULL and value is what stands there. Goes
 * on while that returns 0; then what it returned, or 0, or -ENOMEM.
 */
int pairs_each(const char *text, size_t len, int (*on_pair)(void *ctx, const char *key, const char *value), void *ctx);
