/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/describe.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "exporter/request.h"
#include "exporter/retry.h"

/* The text of {"code":...,"message":"..."}; NULL when the answer is nothing of the kind. */
static const char *connect_message(const char *answer)
{
	static const char key[] = "\"message\":\"";
	const char *at = *answer == '{' ? strstr(answer, key) : NULL;

	return at ? at + strlen(key) : NULL;
}

/* The character of a JSON escape, *s behind its backslash and left on its last character. */
static char unescape(const char **s)
{
	unsigned code;

	if (**s == 'n' || **s == 't' || **s == 'r')
		return ' ';
	if (**s != 'u' || sscanf(*s + 1, "%4x", &code) != 1 || strlen(*s) < 5)
		return **s;
	*s += 4;
	return code < 0x7f ? (char)code : '?';
}

/* One line of what a stranger said, fit for a terminal: JSON's escapes undone, control characters taken out. */
static void quote(const char *s, bool json, char *out, size_t len)
{
	size_t n = 0;

	for (; *s && *s != '\r' && *s != '\n' && n + 1 < len && !(json && *s == '"'); s++) {
		char c = *s;

		if (json && c == '\\' && s[1]) {
			s++;
			c = unescape(&s);
		}
		out[n++] = (unsigned char)c < 0x20 || c == 0x7f ? '?' : c;
	}
	out[n] = '\0';
}

/* What the server or libcurl says, in one line. */
void request_describe(const struct request *rq, const struct retry_result *result, char *out,
		      size_t len)
{
	const char *said = rq->error[0] ? rq->error : curl_easy_strerror(result->curl_code),
		   *message;
	char text[300], answer[256];

	if (result->grpc && result->grpc_status >= 0) {
		snprintf(out, len, "gRPC %s%s%s", grpc_status_name(result->grpc_status),
			 *rq->said.message ? ": " : "", rq->said.message);
		return;
	}
	if (result->http_status && *rq->said.message) {
		snprintf(out, len, "HTTP %ld: %s", result->http_status, rq->said.message);
		return;
	}
	if (result->http_status) {
		snprintf(answer, sizeof(answer), "%.*s", (int)rq->answer.len,
			 rq->answer.len ? (const char *)rq->answer.data : "");
		message = connect_message(answer);
		quote(message ? message : answer, message, text, sizeof(text));
		snprintf(out, len, "HTTP %ld%s%s", result->http_status, *text ? ": " : "", text);
		return;
	}
	if (rq->starts > 1)
		said = "the connection was closed without an answer";
	quote(said, false, out, len);
}
