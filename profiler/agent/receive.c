/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/receive.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/listener.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/thread.h"
#include "base/units.h"
#include "exporter/net.h"
#include "exporter/otlp_format.h"
#include "exporter/parcel.h"
#include "exporter/pyroscope.h"
#include "base/gunzip.h"

/* A server refuses a profile of more than 4 MiB inflated; clients put several into a request. */
enum { MAX_BODY = 16 << 20, MAX_HELD = 64 << 20, MAX_CONNECTIONS = 64, TIMEOUT_S = 30 };
#define STOP_WAIT_NS NSEC_PER_SEC

static const struct {
	const char *name;
	unsigned int status;
	const char *code; /* Connect's */
	const char *message;
} results[RECEIVE_RESULTS] = {
	[RECEIVE_TAKEN] = { "taken", MHD_HTTP_OK, "", "" },
	[RECEIVE_NOT_A_PUSH] = { "not_a_push", MHD_HTTP_NOT_FOUND, "unimplemented", "" },
	[RECEIVE_MALFORMED] = { "malformed", MHD_HTTP_BAD_REQUEST, "invalid_argument", "" },
	[RECEIVE_TOO_LARGE] = { "too_large", MHD_HTTP_CONTENT_TOO_LARGE, "resource_exhausted", "a request has 16 MiB at most, inflated" },
	[RECEIVE_CIRCLE] = { "circle", MHD_HTTP_BAD_REQUEST, "failed_precondition", "this agent has had it already: agents push to one another in a circle" },
	[RECEIVE_FULL] = { "full", MHD_HTTP_TOO_MANY_REQUESTS, "resource_exhausted", "the queues of all receivers are full" },
	[RECEIVE_NO_RECEIVER] = { "no_receiver", MHD_HTTP_SERVICE_UNAVAILABLE, "unavailable", "no receiver of type pyroscope is configured" },
	[RECEIVE_BUSY] = { "busy", MHD_HTTP_SERVICE_UNAVAILABLE, "unavailable", "too much is being read at once" },
	[RECEIVE_NO_MEMORY] = { "no_memory", MHD_HTTP_SERVICE_UNAVAILABLE, "unavailable", "out of memory" },
	[RECEIVE_CUT] = { "cut", 0, "", "" },
};

struct receive {
	struct net *net;
	struct MHD_Daemon *daemon;
	int fd; /* -1: the daemon's */
	char address[LISTENER_ADDRESS], mark[17];
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t ended;
	uint32_t under_way;
	bool stopping;
	struct receive_stats stats;
	uint64_t held; /* by the daemon's thread alone: bytes of requests being read */
};

/* One request. */
struct upload {
	struct buf body;
	size_t held;                /* of rv->held */
	enum receive_result result; /* TAKEN as long as nothing speaks against it */
	unsigned int status;        /* of NOT_A_PUSH: which one */
	bool gzip, answered;
	uint64_t skipped;           /* bytes that came all the same */
	char why[128];              /* of MALFORMED and NOT_A_PUSH */
};

const char *receive_result_name(enum receive_result r)
{
	return results[r].name;
}

const char *receive_address(const struct receive *rv)
{
	return rv->address;
}

const char *receive_mark(const struct receive *rv)
{
	return rv->mark;
}

void receive_stats(struct receive *rv, struct receive_stats *ret)
{
	pthread_mutex_lock(&rv->lock);
	*ret = rv->stats;
	pthread_mutex_unlock(&rv->lock);
}

/* ---- what is wanted of a request ---- */

static const char *header(struct MHD_Connection *c, const char *name)
{
	return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

static void refuse(struct upload *u, unsigned int status, const char *why)
{
	u->result = RECEIVE_NOT_A_PUSH;
	u->status = status;
	snprintf(u->why, sizeof(u->why), "%s", why);
}

static void check_head(struct MHD_Connection *c, struct upload *u, const char *path, const char *method)
{
	const char *type = header(c, MHD_HTTP_HEADER_CONTENT_TYPE), *encoding = header(c, MHD_HTTP_HEADER_CONTENT_ENCODING);
	const char *length = header(c, MHD_HTTP_HEADER_CONTENT_LENGTH), *version = header(c, "Connect-Protocol-Version");

	u->gzip = encoding && !strcasecmp(encoding, "gzip");
	if (strcmp(path, PYROSCOPE_PUSH_PATH))
		refuse(u, MHD_HTTP_NOT_FOUND, "what is taken here is POST " PYROSCOPE_PUSH_PATH);
	else if (strcmp(method, MHD_HTTP_METHOD_POST))
		refuse(u, MHD_HTTP_METHOD_NOT_ALLOWED, "a push is a POST");
	else if (!type || strcmp(type, PYROSCOPE_CONTENT_TYPE))
		refuse(u, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "the Content-Type taken here is " PYROSCOPE_CONTENT_TYPE);
	else if (version && strcmp(version, "1"))
		refuse(u, MHD_HTTP_BAD_REQUEST, "the Connect-Protocol-Version taken here is 1");
	else if (encoding && !u->gzip && strcasecmp(encoding, "identity"))
		refuse(u, MHD_HTTP_NOT_IMPLEMENTED, "the Content-Encoding taken here is gzip");
	else if (length && strtoull(length, NULL, 10) > MAX_BODY)
		u->result = RECEIVE_TOO_LARGE;
}

/* ---- its body ---- */

static void let_go(struct receive *rv, struct upload *u)
{
	rv->held -= u->held;
	u->held = 0;
	buf_fini(&u->body);
}

/* What is refused already is read to its end, else the answer might not be: but not for ever. */
static bool append(struct receive *rv, struct upload *u, const char *data, size_t len)
{
	if (u->result != RECEIVE_TAKEN) {
		u->skipped += len;
		return u->skipped <= 2 * MAX_BODY;
	}
	if (u->body.len + len > MAX_BODY)
		u->result = RECEIVE_TOO_LARGE;
	else if (rv->held + len > MAX_HELD)
		u->result = RECEIVE_BUSY;
	else
		buf_append(&u->body, data, len);
	rv->held += u->body.cap - u->held;
	u->held = u->body.cap;
	if (buf_error(&u->body))
		u->result = RECEIVE_NO_MEMORY;
	if (u->result != RECEIVE_TAKEN)
		let_go(rv, u);
	return true;
}

static enum receive_result inflate_body(const struct buf *body, struct buf *out, struct upload *u)
{
	int r = gunzip(body->data ? body->data : (const uint8_t *)"", body->len, MAX_BODY, out, u->why, sizeof(u->why));

	return r == -EFBIG ? RECEIVE_TOO_LARGE : r == -ENOMEM ? RECEIVE_NO_MEMORY : r < 0 ? RECEIVE_MALFORMED : RECEIVE_TAKEN;
}

/* Takes request over. */
static enum receive_result hand_on(struct receive *rv, struct buf *request, const char *service)
{
	int r = net_has_room(rv->net, PARCEL_FORMAT_PYROSCOPE, request->len);
	struct parcel *p;

	if (r < 0)
		return r == -ENOENT ? RECEIVE_NO_RECEIVER : RECEIVE_FULL;
	p = parcel_new(request, PARCEL_FORMAT_PYROSCOPE);
	if (!p)
		return RECEIVE_NO_MEMORY;
	p->time_ns = time_utc_ns();
	snprintf(p->what, sizeof(p->what), "%s", service);
	r = net_send(rv->net, p);
	parcel_unref(p);
	return r < 0 ? RECEIVE_NO_MEMORY : RECEIVE_TAKEN;
}

static enum receive_result take(struct receive *rv, struct upload *u, uint64_t *ret_bytes)
{
	_cleanup_(buf_fini) struct buf inflated = BUF_INIT;
	struct buf *request = u->gzip ? &inflated : &u->body;
	struct pyroscope_push push;
	enum receive_result r = u->gzip ? inflate_body(&u->body, &inflated, u) : RECEIVE_TAKEN;

	if (r != RECEIVE_TAKEN)
		return r;
	if (pyroscope_push_read(request->data, request->len, rv->mark, &push, u->why, sizeof(u->why)) < 0)
		return RECEIVE_MALFORMED;
	if (push.had)
		return RECEIVE_CIRCLE;
	*ret_bytes = request->len;
	if (pyroscope_push_mark(request, rv->mark) < 0)
		return RECEIVE_NO_MEMORY;
	return hand_on(rv, request, push.service);
}

/* ---- its answer ---- */

static void print_error(const struct upload *u, struct buf *out)
{
	const char *message = *results[u->result].message ? results[u->result].message : u->why;

	buf_printf(out, "{\"code\":\"%s\",\"message\":", results[u->result].code);
	buf_json_string(out, message, strlen(message));
	buf_puts(out, "}\n");
}

static enum MHD_Result answer(struct MHD_Connection *c, struct upload *u)
{
	_cleanup_(buf_fini) struct buf body = BUF_INIT;
	unsigned int status = u->result == RECEIVE_NOT_A_PUSH ? u->status : results[u->result].status;
	bool taken = u->result == RECEIVE_TAKEN, later = status == MHD_HTTP_TOO_MANY_REQUESTS || status == MHD_HTTP_SERVICE_UNAVAILABLE;
	struct MHD_Response *r;
	enum MHD_Result ok = MHD_NO;

	if (!taken)
		print_error(u, &body);
	r = MHD_create_response_from_buffer(buf_error(&body) ? 0 : body.len, body.data ? (void *)body.data : "", MHD_RESPMEM_MUST_COPY);
	if (r && MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, taken ? PYROSCOPE_CONTENT_TYPE : "application/json") == MHD_YES &&
	    (!later || MHD_add_response_header(r, MHD_HTTP_HEADER_RETRY_AFTER, "5") == MHD_YES) &&
	    (status != MHD_HTTP_METHOD_NOT_ALLOWED || MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "POST") == MHD_YES) &&
	    (status != MHD_HTTP_UNSUPPORTED_MEDIA_TYPE || MHD_add_response_header(r, "Accept-Post", PYROSCOPE_CONTENT_TYPE) == MHD_YES))
		ok = MHD_queue_response(c, status, r);
	if (r)
		MHD_destroy_response(r);
	return ok;
}

static enum MHD_Result finish(struct receive *rv, struct MHD_Connection *c, struct upload *u)
{
	uint64_t bytes = 0;

	if (u->result == RECEIVE_TAKEN)
		u->result = take(rv, u, &bytes);
	u->answered = true;
	pthread_mutex_lock(&rv->lock);
	rv->stats.pushes[u->result]++;
	rv->stats.bytes += u->result == RECEIVE_TAKEN ? bytes : 0;
	pthread_mutex_unlock(&rv->lock);
	return answer(c, u);
}

/* ---- the server ---- */

static struct upload *begin(struct receive *rv)
{
	struct upload *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	pthread_mutex_lock(&rv->lock);
	rv->under_way++;
	if (rv->stopping)
		u->result = RECEIVE_BUSY;
	pthread_mutex_unlock(&rv->lock);
	return u;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *path, const char *method, const char *version,
				  const char *data, size_t *len, void **state)
{
	struct receive *rv = ctx;
	struct upload *u = *state;

	if (!u) {
		*state = u = begin(rv);
		if (!u)
			return MHD_NO;
		if (u->result == RECEIVE_TAKEN)
			check_head(c, u, path, method);
		return u->result == RECEIVE_TOO_LARGE ? finish(rv, c, u) : MHD_YES;
	}
	if (!*len)
		return u->answered ? MHD_YES : finish(rv, c, u);
	if (!append(rv, u, data, *len))
		return MHD_NO;
	*len = 0;
	return MHD_YES;
}

static void on_end(void *ctx, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
	struct receive *rv = ctx;
	struct upload *u = *state;

	if (!u)
		return;
	let_go(rv, u);
	pthread_mutex_lock(&rv->lock);
	rv->under_way--;
	rv->stats.pushes[RECEIVE_CUT] += !u->answered;
	pthread_cond_signal(&rv->ended);
	pthread_mutex_unlock(&rv->lock);
	free(u);
	*state = NULL;
}

int receive_new(const char *where, struct receive **ret, char *err, size_t err_len)
{
	struct receive *rv = calloc(1, sizeof(*rv));
	uint64_t number = 0;

	if (!rv)
		return -ENOMEM;
	rv->fd = listener_open("receive.listen", where, rv->address, err, err_len);
	if (rv->fd < 0 || getrandom(&number, sizeof(number), 0) != sizeof(number)) {
		int r = rv->fd < 0 ? rv->fd : -EIO;

		closep(&rv->fd);
		free(rv);
		return r;
	}
	snprintf(rv->mark, sizeof(rv->mark), "%016llx", (unsigned long long)number);
	pthread_mutex_init(&rv->lock, NULL);
	cond_init(&rv->ended);
	*ret = rv;
	return 0;
}

int receive_start(struct receive *rv, struct net *net, char *err, size_t err_len)
{
	rv->net = net;
	/* Not epoll, whose edges it misses: a client that hangs up behind its last bytes would be held until TIMEOUT_S. */
	rv->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC, 0, NULL, NULL, on_request, rv,
				      MHD_OPTION_LISTEN_SOCKET, rv->fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)MAX_CONNECTIONS,
				      MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)TIMEOUT_S, MHD_OPTION_NOTIFY_COMPLETED, on_end, rv, MHD_OPTION_END);
	if (!rv->daemon) {
		snprintf(err, err_len, "receive.listen: the HTTP server does not start on %s", rv->address);
		return -ENOMEM;
	}
	rv->fd = -1;
	return 0;
}

void receive_stop(struct receive *rv)
{
	struct timespec until = cond_deadline(STOP_WAIT_NS);
	int r = 0;

	if (!rv->daemon)
		return;
	pthread_mutex_lock(&rv->lock);
	rv->stopping = true;
	pthread_mutex_unlock(&rv->lock);
	rv->fd = MHD_quiesce_daemon(rv->daemon);
	closep(&rv->fd);
	rv->fd = -1;
	pthread_mutex_lock(&rv->lock);
	while (rv->under_way && !r)
		r = pthread_cond_timedwait(&rv->ended, &rv->lock, &until);
	pthread_mutex_unlock(&rv->lock);
	MHD_stop_daemon(rv->daemon);
	rv->daemon = NULL;
}

struct receive *receive_free(struct receive *rv)
{
	if (!rv)
		return NULL;
	receive_stop(rv);
	closep(&rv->fd);
	pthread_cond_destroy(&rv->ended);
	pthread_mutex_destroy(&rv->lock);
	free(rv);
	return NULL;
}
