/* SPDX-License-Identifier: Apache-2.0 */
#include "pyroscope/connect.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

static const struct {
	int status;
	const char *name;
} codes[CONNECT_CODES] = {
	[CONNECT_OK] = { 200, "ok" },
	[CONNECT_CANCELED] = { 499, "canceled" },
	[CONNECT_UNKNOWN] = { 500, "unknown" },
	[CONNECT_INVALID_ARGUMENT] = { 400, "invalid_argument" },
	[CONNECT_DEADLINE_EXCEEDED] = { 504, "deadline_exceeded" },
	[CONNECT_NOT_FOUND] = { 404, "not_found" },
	[CONNECT_PERMISSION_DENIED] = { 403, "permission_denied" },
	[CONNECT_RESOURCE_EXHAUSTED] = { 429, "resource_exhausted" },
	[CONNECT_ABORTED] = { 409, "aborted" },
	[CONNECT_UNIMPLEMENTED] = { 501, "unimplemented" },
	[CONNECT_UNAVAILABLE] = { 503, "unavailable" },
	[CONNECT_UNAUTHENTICATED] = { 401, "unauthenticated" },
};

int refuse(struct refusal *r, enum connect_code code, const char *fmt, ...)
{
	va_list ap;

	r->code = code;
	r->status = codes[code].status;
	va_start(ap, fmt);
	vsnprintf(r->message, sizeof(r->message), fmt, ap);
	va_end(ap);
	return -1;
}

const char *connect_name(enum connect_code code)
{
	return codes[code].name;
}

enum connect_code connect_of_status(int status)
{
	for (int i = 0; i < CONNECT_CODES; i++)
		if (codes[i].status == status)
			return (enum connect_code)i;
	return CONNECT_UNKNOWN;
}

void connect_body(const struct refusal *r, struct buf *out)
{
	buf_printf(out, "{\"code\":\"%s\",\"message\":", codes[r->code].name);
	buf_json_string(out, r->message, strlen(r->message));
	buf_puts(out, "}");
}
