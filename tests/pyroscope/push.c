/* SPDX-License-Identifier: Apache-2.0 */
#include "pyroscope/push.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "pyroscope/ingest.h"
#include "pyroscope/pprof_check.h"
#include "pyroscope/push_check.h"

enum { MAX_BODY = 256 << 20 };

Push__PushRequest *push_decode(const struct buf *body, bool gzip, struct refusal *why)
{
	_cleanup_(buf_fini) struct buf plain = BUF_INIT;
	Push__PushRequest *req;

	if (gzip && gzip_inflate(body->data, body->len, MAX_BODY, &plain) < 0) {
		refuse(why, CONNECT_INVALID_ARGUMENT, "decompress: the body is no gzip");
		return NULL;
	}
	if (gzip)
		req = push__push_request__unpack(NULL, plain.len, plain.data);
	else
		req = push__push_request__unpack(NULL, body->len, body->data);
	if (!req)
		refuse(why, CONNECT_INVALID_ARGUMENT, "unmarshal message: the body is no PushRequest");
	return req;
}

static bool is_text(const ProtobufCBinaryData *b, const char *s)
{
	return b->len == strlen(s) && !memcmp(b->data, s, b->len);
}

/* A C string of its own, "" for empty bytes. */
static char *text_of(const ProtobufCBinaryData *b)
{
	char *s = b->len ? strndup((const char *)b->data, b->len) : strdup("");

	if (!s)
		abort();
	return s;
}

static char *service_of(const Push__RawProfileSeries *s)
{
	for (size_t i = 0; i < s->n_labels; i++)
		if (is_text(&s->labels[i]->name, "service_name"))
			return text_of(&s->labels[i]->value);
	return strdup("");
}

size_t push_services(const Push__PushRequest *req, char **ret, size_t max)
{
	size_t n = req->n_series < max ? req->n_series : max;

	for (size_t i = 0; i < n; i++)
		ret[i] = service_of(req->series[i]);
	return n;
}

void fault_refusal(const struct fault *f, struct refusal *why)
{
	refuse(why, connect_of_status(f->status), "%s", *f->message ? f->message : "a fault on purpose");
	why->status = f->status;
}

static int check_labels(const Push__RawProfileSeries *s, struct store *st, struct strmap *ret, struct refusal *why)
{
	_cleanup_(freep) struct push_label *labels = calloc(s->n_labels + 1, sizeof(*labels));
	int reserved = 0, r;

	if (!labels)
		abort();
	for (size_t i = 0; i < s->n_labels; i++)
		labels[i] = (struct push_label){ s->labels[i]->name.data, s->labels[i]->value.data, s->labels[i]->name.len,
						 s->labels[i]->value.len };
	r = push_check_labels(labels, s->n_labels, ret, &reserved, why);
	if (reserved)
		tally_add(&st->warnings, "label of the server's own", (uint64_t)reserved);
	return r;
}

static size_t labels_bytes(const struct strmap *labels)
{
	size_t n = 0;

	vec_foreach(l, &labels->v)
		n += strlen(l->key) + strlen(l->value);
	return n;
}

static int store_profile(const Push__RawSample *s, struct store *st, const struct push_opts *opts, const struct strmap *labels,
			 const char *id, struct push_row *row, struct refusal *why)
{
	struct pprof_file file = { 0 };
	struct ingest_profile in = { labels, &file, s->raw_profile.data, s->raw_profile.len, id, opts->now_ns };
	size_t bytes;
	int r = pprof_open(s->raw_profile.data, s->raw_profile.len, &file, why);

	if (r < 0)
		return r;
	bytes = file.bytes + labels_bytes(labels);
	row->time_nanos = file.msg->time_nanos;
	row->duration_nanos = file.msg->duration_nanos;
	r = pprof_check(&file, opts->any_time ? 0 : opts->now_ns, why);
	/* Above the burst no rate helps: such a profile can never pass. */
	if (!r && bytes > PPROF_BURST_BYTES)
		r = refuse(why, CONNECT_RESOURCE_EXHAUSTED, "push rate limit exceeded while adding %zu bytes: the burst is %d", bytes,
			   PPROF_BURST_BYTES);
	if (!r)
		r = ingest(st, &in, why);
	pprof_close(&file);
	return r;
}

static int store_series_of(const Push__RawProfileSeries *s, struct store *st, const struct push_opts *opts, struct push_row *row,
			   struct refusal *why)
{
	_cleanup_(strmap_fini) struct strmap labels = { 0 };
	_cleanup_(freep) char *service = service_of(s);
	int result = 0;

	if (opts->fault && strstr(service, opts->fault->service))
		return fault_refusal(opts->fault, why), -1;
	if (check_labels(s, st, &labels, why) < 0)
		return -1;
	if (s->n_annotations)
		tally_add(&st->warnings, "annotation", s->n_annotations);
	for (size_t i = 0; i < s->n_samples; i++) {
		_cleanup_(freep) char *id = text_of(&s->samples[i]->id);
		struct refusal first = { 0 };

		if (!*row->id)
			snprintf(row->id, sizeof(row->id), "%s", id);
		if (!store_profile(s->samples[i], st, opts, &labels, id, row, &first)) {
			row->stored = true;
		} else if (!result) {
			*why = first;
			result = -1;
		}
	}
	return result;
}

int push_store(const Push__PushRequest *req, struct store *st, const struct push_opts *opts, struct push_row *row,
	       struct refusal *why)
{
	size_t n_profiles = 0;
	int result = 0;

	for (size_t i = 0; i < req->n_series; i++) {
		struct refusal first = { 0 };

		n_profiles += req->series[i]->n_samples;
		if (store_series_of(req->series[i], st, opts, row, &first) < 0 && !result) {
			*why = first;
			result = -1;
		}
	}
	if (!n_profiles && !result)
		return refuse(why, CONNECT_INVALID_ARGUMENT, "no profiles received");
	return result;
}
