/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * declared - what a process says of itself, as OpenTelemetry's resource attributes: service.name, service.version... Pure.
 *
 *	OTEL_RESOURCE_ATTRIBUTES   "key=value,key=value" in its environment, percent-encoded
 *	process context            a message that its SDK keeps in memory (process_context.h)
 *	OTEL_SERVICE_NAME          in its environment: service.name
 *
 * Each overrides those above it; whoever asks adds them in this order.
 * The process owns every byte: of all sources together so many attributes and service.name, so long names; longer values
 * are cut at a character. A pair that is no key=value, or is encoded wrongly, is left out and the others stay.
 * Source: the OpenTelemetry specification (resource SDK, environment variables), OTEP 4719.
 */
#include <stddef.h>

#include "base/strmap.h"

enum { DECLARED_MAX = 64, DECLARED_NAME_MAX = 128, DECLARED_VALUE_MAX = 1024 };

/* env: "NAME=value\0" each, as in /proc/PID/environ; the last one may lack its NUL. Of a name that is there twice the first
 * counts, as for getenv(). All: 0 or -ENOMEM; that of the name 1 where it names one. */
int declared_add_attributes(struct strmap *to, const char *env, size_t len);
int declared_add_service_name(struct strmap *to, const char *env, size_t len);

/* message: ProcessContext. Texts, whole numbers and truths; what is damaged ends it. */
int declared_add_context(struct strmap *to, const void *message, size_t len);

/* What no label may hold becomes '?': control characters, what is not UTF-8. */
void declared_make_printable(char *s);
