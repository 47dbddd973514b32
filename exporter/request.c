/* SPDX-License-Identifier: Apache-2.0 */
/* One request of a receiver: URL, headers, credentials, TLS, and what its answer says. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/units.h"
#include "exporter/receiver.h"
#include "exporter/request.h"

enum { MAX_SECRET = 64 << 10, MAX_ANSWER = 4096 };

/* The file's first line; read only when the file is another one or newer than the last time. */
static int secret_read(struct secret *s, const char *path)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	_cleanup_(closep) int fd = -1;
	struct stat st;
	int64_t mtime;
	int r;

	fd = file_open_regular(AT_FDCWD, path, 0, &st);
	if (fd < 0)
		return fd;
	mtime = (int64_t)st.st_mtim.tv_sec * (int64_t)NSEC_PER_SEC + st.st_mtim.tv_nsec;
	if (s->text && s->mtime_ns == mtime && s->size == (uint64_t)st.st_size && s->ino == st.st_ino)
		return 0;
	r = file_read_all(fd, MAX_SECRET, &b);
	if (r < 0)
		return r;
	buf_putc(&b, '\0');
	if (buf_error(&b))
		return -ENOMEM;
	b.data[strcspn((char *)b.data, "\r\n")] = '\0';
	free(s->text);
	*s = (struct secret){ .text = strdup((char *)b.data), .mtime_ns = mtime, .size = (uint64_t)st.st_size, .ino = st.st_ino };
	return s->text ? 0 : -ENOMEM;
}

/*
 * When a connection that was used before ends without an answer, libcurl sends the request once more
 * on a fresh one. Servers store what they got whole: it would be counted twice. So the second
 * beginning of a request is refused, and what was sent tells what to make of it.
 */
static int before_request(void *ctx, char *ip, char *local_ip, int port, int local_port)
{
	struct request *rq = ctx;

	return rq->starts++ ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static int note_sent(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	struct request *rq = ctx;

	if ((uint64_t)up > rq->sent)
		rq->sent = (uint64_t)up;
	return 0;
}

/*
 * libcurl counts as sent what our kernel took. Where the network is cut that is all of a small body, and none of it has
 * arrived. So a connection on which nothing is acknowledged for half of a try's time ends with an error: silence at the end of
 * that time then means a server that has it.
 */
static int limit_unacknowledged(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	const struct request *rq = ctx;
	unsigned int ms = (unsigned int)(rq->receiver->opts.timeout_ns / NSEC_PER_MSEC / 2);

	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	return CURL_SOCKOPT_OK;
}

static size_t keep_answer(char *data, size_t size, size_t n, void *ctx)
{
	struct request *rq = ctx;
	size_t room = MAX_ANSWER - rq->answer.len;

	buf_append(&rq->answer, data, n < room ? n : room);
	return n;
}

/* The value of a header of this name, NULL of another one. */
static const char *header_value(const char *line, size_t len, const char *name, size_t *ret_len)
{
	size_t n = strlen(name), end = len;

	if (len <= n || strncasecmp(line, name, n) || line[n] != ':')
		return NULL;
	for (n++; n < len && line[n] == ' ';)
		n++;
	while (end > n && (line[end - 1] == '\r' || line[end - 1] == '\n'))
		end--;
	*ret_len = end - n;
	return line + n;
}

/* gRPC's status comes behind the body, or before it where there is none; libcurl hands over both as headers. */
static size_t keep_grpc_status(char *data, size_t size, size_t n, void *ctx)
{
	struct request *rq = ctx;
	const char *value;
	size_t len;

	if ((value = header_value(data, n, "grpc-status", &len)) && len && len < 8)
		rq->grpc_status = atoi(value); /* ends at the line's */
	else if ((value = header_value(data, n, "grpc-accept-encoding", &len)))
		rq->codings = grpc_read_codings(value, len);
	else if ((value = header_value(data, n, "grpc-message", &len)))
		grpc_read_message(value, len, &rq->said);
	else if ((value = header_value(data, n, "grpc-status-details-bin", &len)))
		grpc_read_details(value, len, &rq->said);
	return n;
}

void request_read_answer(struct request *rq, long status)
{
	if (!(rq->parcel->format & PARCEL_FORMAT_OTLP))
		return;
	if (!(rq->parcel->format & PARCEL_FORMAT_GRPC))
		otlp_read_answer(rq->answer.data, rq->answer.len, status >= 200 && status < 300,
				 &rq->said);
	else if (rq->grpc_status == 0)
		grpc_read_answer(rq->answer.data, rq->answer.len, &rq->said);
}

/*
 * gRPC has a header for it, which not every server sends; its C core has a status of its own. UNIMPLEMENTED is said of a
 * service that is not there too.
 */
static bool grpc_coding_refused(const struct request *rq)
{
	const char *said = rq->said.message;

	if (rq->grpc_status == GRPC_UNIMPLEMENTED && rq->codings)
		return !(rq->codings & rq->parcel->format & PARCEL_FORMAT_CODINGS);
	if (rq->grpc_status == GRPC_UNIMPLEMENTED)
		return strstr(said, "grpc-encoding") || strcasestr(said, "compress");
	return rq->grpc_status == GRPC_INTERNAL && strstr(said, "grpc-encoding");
}

bool request_coding_refused(const struct request *rq, long status)
{
	if (!(rq->parcel->format & PARCEL_FORMAT_CODINGS))
		return false;
	return rq->parcel->format & PARCEL_FORMAT_GRPC ? grpc_coding_refused(rq) : status == 415;
}

static int add_line(struct request *rq, const char *line)
{
	struct curl_slist *more = curl_slist_append(rq->headers, line);

	if (!more)
		return -ENOMEM;
	rq->headers = more;
	return 0;
}

static int add_header(struct request *rq, const char *name, const char *value)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	/* A header without a value is written "Name;" for libcurl: "Name:" takes it out. */
	buf_printf(&b, *value ? "%s: %s" : "%s;", name, value);
	buf_putc(&b, '\0');
	return buf_error(&b) ? -ENOMEM : add_line(rq, (char *)b.data);
}

/* gRPC's: a deadline of its own, and how the message is compressed. */
static int add_grpc_headers(struct receiver *rc, struct request *rq)
{
	uint8_t f = rq->parcel->format;
	char timeout[32];
	int r = add_header(rq, "TE", "trailers");

	snprintf(timeout, sizeof(timeout), "%llum", (unsigned long long)(rc->opts.timeout_ns / NSEC_PER_MSEC));
	if (r >= 0)
		r = add_header(rq, "grpc-timeout", timeout);
	if (r >= 0 && f & (PARCEL_FORMAT_GZIP | PARCEL_FORMAT_ZSTD))
		r = add_header(rq, "grpc-encoding", f & PARCEL_FORMAT_GZIP ? "gzip" : "zstd");
	return r < 0 ? r : add_header(rq, "grpc-accept-encoding", "identity");
}

static int add_format_headers(struct receiver *rc, struct request *rq)
{
	uint8_t f = rq->parcel->format;
	int r = add_header(rq, "Content-Type", parcel_format_type(f));

	if (r < 0)
		return r;
	if (!(f & PARCEL_FORMAT_OTLP))
		return add_header(rq, "Connect-Protocol-Version", "1");
	if (f & PARCEL_FORMAT_GRPC)
		return add_grpc_headers(rc, rq);
	if (f & (PARCEL_FORMAT_GZIP | PARCEL_FORMAT_ZSTD))
		return add_header(rq, "Content-Encoding", f & PARCEL_FORMAT_GZIP ? "gzip" : "zstd");
	return 0;
}

static int add_headers(struct receiver *rc, struct request *rq)
{
	int r = add_format_headers(rc, rq);

	if (r >= 0)
		r = add_line(rq, "Expect:"); /* no "100-continue": it costs a round trip, or a second */
	if (r >= 0 && rc->opts.tenant)
		r = add_header(rq, "X-Scope-OrgID", rc->opts.tenant);
	vec_foreach(h, &rc->opts.headers.v)
		if (r >= 0)
			r = add_header(rq, h->key, h->value);
	return r;
}

static int add_credentials(struct receiver *rc, struct request *rq, char *err, size_t err_len)
{
	const struct receiver_opts *o = &rc->opts;
	const char *file = o->password_file ? o->password_file : o->bearer_token_file;
	struct secret *s = o->password_file ? &rc->password : &rc->token;
	int r = file ? secret_read(s, file) : 0;

	if (r < 0) {
		snprintf(err, err_len, "cannot read %s: %s", file, strerror(-r));
		return r == -ENOMEM ? r : -EACCES;
	}
	if (o->username) {
		curl_easy_setopt(rq->easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		curl_easy_setopt(rq->easy, CURLOPT_USERNAME, o->username);
		curl_easy_setopt(rq->easy, CURLOPT_PASSWORD,
				 o->password_file ? rc->password.text : o->password ? o->password : "");
	} else if (o->bearer_token_file || o->bearer_token) {
		curl_easy_setopt(rq->easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
		curl_easy_setopt(rq->easy, CURLOPT_XOAUTH2_BEARER,
				 o->bearer_token_file ? rc->token.text : o->bearer_token);
	}
	return 0;
}

/* The certificate's name is not the URL's host: connect to the host, but speak of server_name. */
static int set_server_name(struct receiver *rc, struct request *rq, char *url, size_t url_len)
{
	const struct receiver_opts *o = &rc->opts;
	CURLU *u = curl_url();
	char *host = NULL, *port = NULL, *full = NULL, rule[1024];
	int r = -ENOMEM;
	struct curl_slist *to = NULL;

	if (u && !curl_url_set(u, CURLUPART_URL, url, 0) && !curl_url_get(u, CURLUPART_HOST, &host, 0) &&
	    !curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT)) {
		snprintf(rule, sizeof(rule), "%s:%s:%s:%s", o->server_name, port, host, port);
		to = curl_slist_append(NULL, rule);
		if (to && !curl_url_set(u, CURLUPART_HOST, o->server_name, 0) && !curl_url_get(u, CURLUPART_URL, &full, 0)) {
			snprintf(url, url_len, "%s", full);
			curl_easy_setopt(rq->easy, CURLOPT_CONNECT_TO, to);
			rq->connect_to = to;
			r = 0;
		}
	}
	curl_free(host);
	curl_free(port);
	curl_free(full);
	curl_url_cleanup(u);
	return r;
}

static int set_url(struct receiver *rc, struct request *rq)
{
	const char *path = rc->opts.path ? rc->opts.path : parcel_format_path(rq->parcel->format);
	char url[2048];
	size_t n = strlen(rc->opts.url);

	while (n && rc->opts.url[n - 1] == '/')
		n--;
	snprintf(url, sizeof(url), "%.*s%s", (int)n, rc->opts.url, path);
	if (rc->opts.server_name && set_server_name(rc, rq, url, sizeof(url)) < 0)
		return -ENOMEM;
	return curl_easy_setopt(rq->easy, CURLOPT_URL, url) ? -ENOMEM : 0;
}

static void set_tls(const struct receiver_opts *o, CURL *easy)
{
	if (o->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, o->ca_file);
	if (o->cert_file) {
		curl_easy_setopt(easy, CURLOPT_SSLCERT, o->cert_file);
		curl_easy_setopt(easy, CURLOPT_SSLKEY, o->key_file);
	}
	if (o->insecure_skip_verify) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (o->proxy_url)
		curl_easy_setopt(easy, CURLOPT_PROXY, o->proxy_url);
}

/* Where it is not gRPC, not HTTP/2: there one connection that dies leaves all requests on it unanswered. */
static void set_http_version(struct receiver *rc, struct request *rq)
{
	bool tls = !strncmp(rc->opts.url, "https:", 6);
	long version = tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;

	if (!(rq->parcel->format & PARCEL_FORMAT_GRPC)) {
		curl_easy_setopt(rq->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
		return;
	}
	curl_easy_setopt(rq->easy, CURLOPT_HTTP_VERSION, version);
	/* libcurl 7.88 forgets on a connection without TLS that it speaks HTTP/2, once it is used again. */
	curl_easy_setopt(rq->easy, CURLOPT_FRESH_CONNECT, tls ? 0L : 1L);
	curl_easy_setopt(rq->easy, CURLOPT_FORBID_REUSE, tls ? 0L : 1L);
	curl_easy_setopt(rq->easy, CURLOPT_HEADERFUNCTION, keep_grpc_status);
	curl_easy_setopt(rq->easy, CURLOPT_HEADERDATA, rq);
}

static void set_callbacks(struct request *rq)
{
	curl_easy_setopt(rq->easy, CURLOPT_PRIVATE, rq);
	curl_easy_setopt(rq->easy, CURLOPT_WRITEFUNCTION, keep_answer);
	curl_easy_setopt(rq->easy, CURLOPT_WRITEDATA, rq);
	curl_easy_setopt(rq->easy, CURLOPT_ERRORBUFFER, rq->error);
	curl_easy_setopt(rq->easy, CURLOPT_PREREQFUNCTION, before_request);
	curl_easy_setopt(rq->easy, CURLOPT_PREREQDATA, rq);
	curl_easy_setopt(rq->easy, CURLOPT_XFERINFOFUNCTION, note_sent);
	curl_easy_setopt(rq->easy, CURLOPT_XFERINFODATA, rq);
	curl_easy_setopt(rq->easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(rq->easy, CURLOPT_SOCKOPTFUNCTION, limit_unacknowledged);
	curl_easy_setopt(rq->easy, CURLOPT_SOCKOPTDATA, rq);
}

static int fill(struct receiver *rc, struct request *rq, const char *user_agent, char *err,
		size_t err_len)
{
	int r;

	rq->easy = curl_easy_init();
	if (!rq->easy)
		return -ENOMEM;
	set_callbacks(rq);
	curl_easy_setopt(rq->easy, CURLOPT_POST, 1L);
	curl_easy_setopt(rq->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->parcel->bytes.len);
	curl_easy_setopt(rq->easy, CURLOPT_POSTFIELDS, rq->parcel->bytes.data);
	curl_easy_setopt(rq->easy, CURLOPT_TIMEOUT_MS, (long)(rc->opts.timeout_ns / NSEC_PER_MSEC));
	curl_easy_setopt(rq->easy, CURLOPT_NOSIGNAL, 1L);
	/* Ending a request must not wait for a resolver that hangs: net.c does it under its lock. */
	curl_easy_setopt(rq->easy, CURLOPT_QUICK_EXIT, 1L);
	set_http_version(rc, rq);
	curl_easy_setopt(rq->easy, CURLOPT_USERAGENT, user_agent);
	curl_easy_setopt(rq->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	set_tls(&rc->opts, rq->easy);
	r = add_headers(rc, rq);
	if (r >= 0)
		r = set_url(rc, rq);
	if (r >= 0)
		r = add_credentials(rc, rq, err, err_len);
	if (r >= 0)
		curl_easy_setopt(rq->easy, CURLOPT_HTTPHEADER, rq->headers);
	return r;
}

int request_new(struct receiver *rc, struct delivery *d, const char *user_agent,
		struct request **ret, char *err, size_t err_len)
{
	struct request *rq = calloc(1, sizeof(*rq));
	int r;

	if (!rq)
		return -ENOMEM;
	rq->receiver = rc;
	rq->delivery = d;
	rq->parcel = d->parcel;
	rq->grpc_status = GRPC_NONE;
	r = fill(rc, rq, user_agent, err, err_len);
	if (r < 0)
		request_free(rq);
	else
		*ret = rq;
	return r;
}

struct request *request_free(struct request *rq)
{
	if (!rq)
		return NULL;
	curl_easy_cleanup(rq->easy);
	curl_slist_free_all(rq->headers);
	curl_slist_free_all(rq->connect_to);
	buf_fini(&rq->answer);
	free(rq);
	return NULL;
}
