/* SPDX-License-Identifier: Apache-2.0 */
#include "pyroscope/server.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "pyroscope/push.h"
#include "pyroscope/push_check.h"
#include "pyroscope/reply.h"

enum { MAX_BODY = 256 << 20, MAX_SERVICES = 64, MAX_TENANT = 150 };

/* One request while its body comes in. */
struct request {
	struct buf body;
	bool push, too_large, cut;
	size_t body_bytes;
};

static const char *header(struct MHD_Connection *c, const char *name)
{
	return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

/* So long at most, or until the client hangs up or we stop. */
static void wait_ms(struct server *s, struct MHD_Connection *c, uint64_t ms)
{
	uint64_t until = time_boot_ns() + ms * NSEC_PER_MSEC;
	struct pollfd p = { .fd = reply_socket(c), .events = POLLRDHUP };

	while (!atomic_load(&s->stopping) && time_boot_ns() < until) {
		uint64_t left = (until - time_boot_ns()) / NSEC_PER_MSEC + 1;

		if (poll(&p, 1, left < 50 ? (int)left : 50) > 0)
			return;
	}
}

static bool tenant_is_valid(const char *t)
{
	static const char extra[] = "!-_.*'()";
	size_t len = strlen(t);

	if (!len || len > MAX_TENANT || !strcmp(t, ".") || !strcmp(t, ".."))
		return false;
	for (; *t; t++)
		if (!((*t >= 'a' && *t <= 'z') || (*t >= 'A' && *t <= 'Z') || (*t >= '0' && *t <= '9') || strchr(extra, *t)))
			return false;
	return true;
}

static int check_credentials(const struct server *s, struct MHD_Connection *c, struct refusal *why)
{
	const char *authorization = header(c, "Authorization"), *tenant = header(c, "X-Scope-OrgID");

	if (s->basic && (!authorization || strcmp(authorization, s->basic)))
		return refuse(why, CONNECT_UNAUTHENTICATED, "wrong user or password");
	if (s->tenant_required && (!tenant || !tenant_is_valid(tenant)))
		return refuse(why, CONNECT_UNAUTHENTICATED, tenant ? "the tenant id is not valid" : "no org id");
	return 0;
}

static void tally_headers(struct store *st, struct MHD_Connection *c)
{
	const char *agent = header(c, "User-Agent"), *authorization = header(c, "Authorization"), *tenant = header(c, "X-Scope-OrgID");

	tally_add(&st->user_agents, agent ? agent : "", 1);
	tally_add(&st->authorizations, authorization ? authorization : "", 1);
	tally_add(&st->tenants, tenant ? tenant : "", 1);
	if (header(c, "Expect"))
		tally_add(&st->warnings, "Expect header", 1);
}

/* What came of a push before anything is said about it. */
struct outcome {
	struct refusal why; /* why.code CONNECT_OK: stored */
	struct fault fault; /* all zero: none */
	struct push_row row;
	bool gzip;
};

static void take_fault(struct server *s, struct MHD_Connection *c, const Push__PushRequest *req, size_t bytes, struct outcome *o)
{
	char *services[MAX_SERVICES];
	size_t n = push_services(req, services, MAX_SERVICES);
	struct fault_push p = { .authorization = header(c, "Authorization"), .services = (const char *const *)services,
				.n_services = n, .bytes = bytes, .now_ms = (int64_t)(time_boot_ns() / NSEC_PER_MSEC) };

	faults_take(&s->faults, &p, &o->fault);
	snprintf(o->row.fault, sizeof(o->row.fault), "%s", fault_name(&o->fault));
	if (n)
		snprintf(o->row.service, sizeof(o->row.service), "%s", services[0]);
	while (n)
		free(services[--n]);
}

/* Under the lock: decides and stores. */
static void judge(struct server *s, struct MHD_Connection *c, const struct request *rq, const char *method, struct outcome *o)
{
	struct push_headers h = { method, header(c, "Content-Type"), header(c, "Content-Encoding"),
				  header(c, "Connect-Protocol-Version") };
	struct push_opts opts = { .now_ns = time_utc_ns(), .any_time = s->any_time };
	Push__PushRequest *req;

	if (push_check_headers(&h, &o->why) < 0 || check_credentials(s, c, &o->why) < 0)
		return;
	if (rq->too_large) {
		refuse(&o->why, CONNECT_RESOURCE_EXHAUSTED, "message size is larger than configured max %d", MAX_BODY);
		return;
	}
	o->gzip = h.content_encoding && !strcmp(h.content_encoding, "gzip");
	req = push_decode(&rq->body, o->gzip, &o->why);
	if (!req)
		return;
	take_fault(s, c, req, rq->body.len, o);
	if (o->fault.status && *o->fault.service)
		opts.fault = &o->fault;
	if (!o->fault.status || o->fault.store || opts.fault)
		push_store(req, &s->store, &opts, &o->row, &o->why);
	if (o->fault.status && !opts.fault)
		fault_refusal(&o->fault, &o->why);
	push__push_request__free_unpacked(req, NULL);
}

static enum MHD_Result answer_push(struct server *s, struct MHD_Connection *c, const struct request *rq, const char *method)
{
	struct outcome o = { .row = { .at_ms = (int64_t)(time_boot_ns() / NSEC_PER_MSEC), .bytes = rq->body_bytes } };
	bool silent;

	pthread_mutex_lock(&s->lock);
	judge(s, c, rq, method, &o);
	silent = o.fault.stall || o.fault.garbage || o.fault.cut == CUT_STORED || o.fault.cut == CUT_HEAD;
	o.row.status = silent ? 0 : o.why.code == CONNECT_OK ? 200 : o.why.status;
	o.row.code = o.why.code;
	snprintf(o.row.message, sizeof(o.row.message), "%.*s", (int)sizeof(o.row.message) - 1, o.why.message);
	tally_headers(&s->store, c);
	store_log(&s->store, &o.row);
	pthread_mutex_unlock(&s->lock);

	wait_ms(s, c, o.fault.stall ? 3600 * 1000 : o.fault.delay_ms);
	if (o.fault.stall || o.fault.cut == CUT_STORED)
		return MHD_NO;
	if (o.fault.cut == CUT_HEAD)
		return reply_raw(c, "HTTP/1.1 2");
	if (o.fault.garbage)
		return reply_raw(c, "\x16\x03\x01 this is no HTTP\r\n\r\n");
	if (o.fault.cut == CUT_ANSWER)
		return reply_half(c);
	return o.why.code == CONNECT_OK ? reply_stored(c, o.gzip) : reply_refusal(c, &o.why, &o.fault);
}

static enum MHD_Result answer_state(struct server *s, struct MHD_Connection *c)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	pthread_mutex_lock(&s->lock);
	store_json(&s->store, &b);
	pthread_mutex_unlock(&s->lock);
	return reply_bytes(c, 200, "application/json", &b);
}

static enum MHD_Result answer_profile(struct server *s, struct MHD_Connection *c)
{
	const char *which = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "series");
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	uint64_t i;
	bool there;

	if (!which || parse_u64(which, 0, UINT32_MAX, &i) < 0)
		return reply_text(c, 400, "which series?\n");
	pthread_mutex_lock(&s->lock);
	there = i < s->store.series.n;
	if (there)
		buf_append(&b, s->store.series.v[i]->raw.data, s->store.series.v[i]->raw.len);
	pthread_mutex_unlock(&s->lock);
	return there ? reply_bytes(c, 200, "application/octet-stream", &b) : reply_text(c, 404, "there is no such series\n");
}

static enum MHD_Result answer_faults(struct server *s, struct MHD_Connection *c, struct request *rq)
{
	char err[600];
	int r;

	buf_putc(&rq->body, '\0');
	pthread_mutex_lock(&s->lock);
	r = faults_set(&s->faults, (char *)rq->body.data, err, sizeof(err));
	pthread_mutex_unlock(&s->lock);
	return r < 0 ? reply_text(c, 400, err) : reply_text(c, 200, "");
}

static enum MHD_Result answer_reset(struct server *s, struct MHD_Connection *c)
{
	pthread_mutex_lock(&s->lock);
	store_reset(&s->store);
	faults_set(&s->faults, "", NULL, 0);
	pthread_mutex_unlock(&s->lock);
	return reply_text(c, 200, "");
}

static enum MHD_Result answer(struct server *s, struct MHD_Connection *c, const char *url, const char *method, struct request *rq)
{
	bool get = !strcmp(method, "GET"), post = !strcmp(method, "POST");

	if (rq->push)
		return answer_push(s, c, rq, method);
	if (get && !strcmp(url, "/ready"))
		return reply_text(c, 200, "ready\n");
	if (get && !strcmp(url, "/fake/state"))
		return answer_state(s, c);
	if (get && !strcmp(url, "/fake/profile"))
		return answer_profile(s, c);
	if (post && !strcmp(url, "/fake/faults"))
		return answer_faults(s, c, rq);
	if (post && !strcmp(url, "/fake/reset"))
		return answer_reset(s, c);
	return reply_text(c, 404, "404 page not found\n");
}

static struct request *begin(struct server *s, const char *url)
{
	struct request *rq = calloc(1, sizeof(*rq));
	struct fault_push reading = { .reading = true };
	struct push_row row = { .at_ms = (int64_t)(time_boot_ns() / NSEC_PER_MSEC), .fault = "cut body" };
	struct fault f;

	if (!rq)
		return NULL;
	rq->push = !strcmp(url, PUSH_PATH);
	if (!rq->push)
		return rq;
	pthread_mutex_lock(&s->lock);
	s->store.pushes++;
	rq->cut = faults_take(&s->faults, &reading, &f);
	if (rq->cut)
		store_log(&s->store, &row);
	pthread_mutex_unlock(&s->lock);
	return rq;
}

enum MHD_Result server_handle(void *cls, struct MHD_Connection *c, const char *url, const char *method, const char *version,
			      const char *data, size_t *data_size, void **con_cls)
{
	struct server *s = cls;
	struct request *rq = *con_cls;

	if (!rq)
		return (*con_cls = begin(s, url)) ? MHD_YES : MHD_NO;
	if (rq->cut)
		return MHD_NO;
	if (!*data_size)
		return answer(s, c, url, method, rq);
	rq->body_bytes += *data_size;
	rq->too_large |= rq->body_bytes > MAX_BODY;
	if (!rq->too_large)
		buf_append(&rq->body, data, *data_size);
	*data_size = 0;
	return buf_error(&rq->body) ? MHD_NO : MHD_YES;
}

void server_completed(void *cls, struct MHD_Connection *c, void **con_cls, enum MHD_RequestTerminationCode toe)
{
	struct request *rq = *con_cls;

	if (!rq)
		return;
	buf_fini(&rq->body);
	free(rq);
	*con_cls = NULL;
}
