/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * connect - Connect's error codes, their HTTP statuses, and a request's refusal.
 *
 * Source: Connect protocol, "Error codes"; answers of a real server as observed.
 */
#include <stddef.h>

struct buf;

enum connect_code {
	CONNECT_OK,
	CONNECT_CANCELED,
	CONNECT_UNKNOWN,
	CONNECT_INVALID_ARGUMENT,
	CONNECT_DEADLINE_EXCEEDED,
	CONNECT_NOT_FOUND,
	CONNECT_PERMISSION_DENIED,
	CONNECT_RESOURCE_EXHAUSTED,
	CONNECT_ABORTED,
	CONNECT_UNIMPLEMENTED,
	CONNECT_UNAVAILABLE,
	CONNECT_UNAUTHENTICATED,
	CONNECT_CODES,
};

struct refusal {
	enum connect_code code; /* CONNECT_OK: not refused */
	int status;             /* HTTP */
	char message[300];
};

/* Returns -1, so that a check can end with it. */
int refuse(struct refusal *r, enum connect_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

const char *connect_name(enum connect_code code);
/* The code a server would give this status; CONNECT_UNKNOWN for the odd ones. */
enum connect_code connect_of_status(int status);
/* {"code":...,"message":...} */
void connect_body(const struct refusal *r, struct buf *out);
