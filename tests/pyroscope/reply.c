/* SPDX-License-Identifier: Apache-2.0 */
#include "pyroscope/reply.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

int reply_socket(struct MHD_Connection *c)
{
	return MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

enum MHD_Result reply_bytes(struct MHD_Connection *c, int status, const char *type, const struct buf *body)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	MHD_add_response_header(r, "Content-Type", type);
	result = MHD_queue_response(c, (unsigned)status, r);
	MHD_destroy_response(r);
	return result;
}

enum MHD_Result reply_text(struct MHD_Connection *c, int status, const char *text)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	buf_puts(&b, text);
	return reply_bytes(c, status, "text/plain; charset=utf-8", &b);
}

enum MHD_Result reply_raw(struct MHD_Connection *c, const char *text)
{
	if (send(reply_socket(c), text, strlen(text), MSG_NOSIGNAL) < 0)
		return MHD_NO;
	shutdown(reply_socket(c), SHUT_WR);
	return MHD_NO;
}

static ssize_t half_an_answer(void *cls, uint64_t pos, char *out, size_t max)
{
	if (pos)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	memset(out, ' ', max < 10 ? max : 10);
	return (ssize_t)(max < 10 ? max : 10);
}

enum MHD_Result reply_half(struct MHD_Connection *c)
{
	struct MHD_Response *r = MHD_create_response_from_callback(100, 64, half_an_answer, NULL, NULL);
	enum MHD_Result result;

	MHD_add_response_header(r, "Content-Type", "application/proto");
	result = MHD_queue_response(c, 200, r);
	MHD_destroy_response(r);
	return result;
}

enum MHD_Result reply_stored(struct MHD_Connection *c, bool gzip)
{
	static const uint8_t empty[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	struct MHD_Response *r = MHD_create_response_from_buffer(gzip ? sizeof(empty) : 0, (void *)empty, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	MHD_add_response_header(r, "Content-Type", "application/proto");
	if (gzip)
		MHD_add_response_header(r, "Content-Encoding", "gzip");
	result = MHD_queue_response(c, 200, r);
	MHD_destroy_response(r);
	return result;
}

enum MHD_Result reply_refusal(struct MHD_Connection *c, const struct refusal *why, const struct fault *f)
{
	_cleanup_(buf_fini) struct buf body = BUF_INIT;
	struct MHD_Response *r;
	enum MHD_Result result;
	char seconds[16];

	connect_body(why, &body);
	if (why->status == 405 || why->status == 415)
		buf_reset(&body);
	r = MHD_create_response_from_buffer(body.len, body.data, MHD_RESPMEM_MUST_COPY);
	if (why->status == 405)
		MHD_add_response_header(r, "Allow", "POST");
	else if (why->status == 415)
		MHD_add_response_header(r, "Accept-Post", "application/json, application/proto");
	else
		MHD_add_response_header(r, "Content-Type", "application/json");
	snprintf(seconds, sizeof(seconds), "%u", f->retry_after);
	if (f->retry_after)
		MHD_add_response_header(r, "Retry-After", seconds);
	if (why->status >= 300 && why->status < 400)
		MHD_add_response_header(r, "Location", *f->location ? f->location : "/elsewhere");
	result = MHD_queue_response(c, (unsigned)why->status, r);
	MHD_destroy_response(r);
	return result;
}
