/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * describe - what a server answered, or libcurl says of its silence, as one line for people.
 *
 * Both are foreign text: control characters go, and of a JSON error body only its message stays.
 */
#include <stddef.h>

struct request;
struct retry_result;

/* "HTTP 503: shutting down", "Failed to connect to ...". The request has not been ended yet. */
void request_describe(const struct request *rq, const struct retry_result *result, char *out,
		      size_t len);
