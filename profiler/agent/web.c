/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/web.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/listener.h"
#include "base/buf.h"
#include "base/cleanup.h"

enum { MAX_CONNECTIONS = 32, TIMEOUT_S = 10 };

struct web {
	struct MHD_Daemon *daemon;
	web_page_fn *page;
	void *ctx;
	char address[LISTENER_ADDRESS];
};

static enum MHD_Result answer(struct MHD_Connection *c, int status, struct buf *body, const char *type)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(body->len, body->data ? (void *)body->data : "", MHD_RESPMEM_MUST_COPY);
	enum MHD_Result ok = MHD_NO;

	if (r && MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES)
		ok = MHD_queue_response(c, (unsigned int)status, r);
	if (r)
		MHD_destroy_response(r);
	return ok;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *path, const char *method, const char *version,
				  const char *upload, size_t *upload_len, void **state)
{
	_cleanup_(buf_fini) struct buf body = BUF_INIT;
	const char *type = "text/plain; charset=utf-8";
	struct web *w = ctx;
	int status;

	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD)) {
		buf_puts(&body, "only GET is answered here\n");
		return answer(c, MHD_HTTP_METHOD_NOT_ALLOWED, &body, type);
	}
	status = w->page(w->ctx, path, &body, &type);
	if (buf_error(&body)) {
		buf_reset(&body);
		status = MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
	return answer(c, status, &body, type);
}

int web_new(const char *key, const char *listen, web_page_fn *page, void *ctx, struct web **ret, char *err, size_t err_len)
{
	struct web *w = calloc(1, sizeof(*w));
	int fd;

	if (!w)
		return -ENOMEM;
	w->page = page;
	w->ctx = ctx;
	fd = listener_open(key, listen, w->address, err, err_len);
	if (fd < 0) {
		free(w);
		return fd;
	}
	w->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, w, MHD_OPTION_LISTEN_SOCKET, fd,
				     MHD_OPTION_CONNECTION_LIMIT, (unsigned int)MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
				     (unsigned int)TIMEOUT_S, MHD_OPTION_END);
	if (!w->daemon) {
		close(fd);
		free(w);
		snprintf(err, err_len, "%s: the HTTP server does not start on %s", key, listen);
		return -ENOMEM;
	}
	*ret = w;
	return 0;
}

struct web *web_free(struct web *w)
{
	if (!w)
		return NULL;
	MHD_stop_daemon(w->daemon); /* closes the socket */
	free(w);
	return NULL;
}

const char *web_address(const struct web *w)
{
	return w->address;
}

int web_fd(const struct web *w)
{
	return MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

void web_run(struct web *w)
{
	MHD_run(w->daemon);
}
