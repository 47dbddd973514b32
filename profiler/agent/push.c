/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/push.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/name.h"
#include "agent/node.h"
#include "agent/push_otlp.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/gzip.h"
#include "base/strmap.h"
#include "base/units.h"
#include "collect/window.h"
#include "exporter/files.h"
#include "exporter/net.h"
#include "exporter/otlp_format.h"
#include "exporter/parcel.h"
#include "exporter/pyroscope.h"
#include "pprof/encode.h"
#include "pprof/profile.h"
#include "proc/labels.h"
#include "version.h"

/* Pprof inside the request; level 1 is within 15 % of 6 on profiles at a third of the time. */
enum { GZIP_LEVEL = 1 };

struct push {
	struct net *net;
	struct files *files;
	char via[32]; /* "": none */
	pthread_mutex_t lock; /* of labels and stats */
	struct strmap labels;
	struct push_stats stats;
};

/* One window being pushed. */
struct round {
	struct push *push;
	struct namer *namer;
	const struct window *window;
	bool pyroscope, files;  /* somebody wants its push; files */
	struct push_otlp *otlp; /* NULL: nobody wants that */
	struct strmap labels; /* of the series at hand */
	struct push_stats stats;
};

static int copy_labels(const struct strmap *labels, struct strmap *ret)
{
	struct strmap copy = { 0 };
	char host[NODE_NAME_SIZE];
	int r = 0;

	node_name(host);
	if (host[0])
		r = strmap_set(&copy, "instance", host);
	if (r >= 0)
		r = strmap_copy(labels, &copy);
	if (r < 0)
		strmap_fini(&copy);
	else
		*ret = copy;
	return r;
}

int push_new(struct net *net, struct files *files, const char *via, const struct strmap *labels, struct push **ret)
{
	struct push *p = calloc(1, sizeof(*p));
	int r = p ? copy_labels(labels, &p->labels) : -ENOMEM;

	if (r < 0) {
		free(p);
		return r;
	}
	p->net = net;
	p->files = files;
	snprintf(p->via, sizeof(p->via), "%s", via ? via : "");
	pthread_mutex_init(&p->lock, NULL);
	*ret = p;
	return 0;
}

struct push *push_free(struct push *p)
{
	if (!p)
		return NULL;
	strmap_fini(&p->labels);
	pthread_mutex_destroy(&p->lock);
	free(p);
	return NULL;
}

int push_set_labels(struct push *p, const struct strmap *labels)
{
	struct strmap copy;
	int r = copy_labels(labels, &copy);

	if (r < 0)
		return r;
	pthread_mutex_lock(&p->lock);
	strmap_fini(&p->labels);
	p->labels = copy;
	pthread_mutex_unlock(&p->lock);
	return 0;
}

void push_stats(struct push *p, struct push_stats *ret)
{
	pthread_mutex_lock(&p->lock);
	*ret = p->stats;
	pthread_mutex_unlock(&p->lock);
}

/* A random UUID, version 4. */
static void make_id(char out[37])
{
	uint8_t b[16];

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		memset(b, 0, sizeof(b));
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4],
		 b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* Takes bytes over. */
static int make_parcel(struct round *rd, const char *service, struct buf *bytes, struct parcel **ret)
{
	size_t len = bytes->len;
	struct parcel *p = parcel_new(bytes, PARCEL_FORMAT_PYROSCOPE);

	if (!p)
		return -ENOMEM;
	p->time_ns = rd->window->start_utc_ns;
	snprintf(p->what, sizeof(p->what), "%s", service);
	rd->stats.profiles++;
	rd->stats.bytes += len;
	*ret = p;
	return 0;
}

static int send_push(struct round *rd, const char *service, const struct buf *gz)
{
	_cleanup_(buf_fini) struct buf request = BUF_INIT;
	struct parcel *parcel = NULL;
	char id[37];
	int r;

	make_id(id);
	r = pyroscope_push_encode(&rd->labels, gz->data, gz->len, id, &request);
	if (r >= 0 && *rd->push->via)
		r = pyroscope_push_mark(&request, rd->push->via);
	if (r >= 0)
		r = make_parcel(rd, service, &request, &parcel);
	if (r >= 0)
		r = net_send(rd->push->net, parcel);
	parcel_unref(parcel);
	return r;
}

static int send_file(struct round *rd, const char *service, struct buf *gz)
{
	struct parcel *parcel = NULL;
	int r = make_parcel(rd, service, gz, &parcel);

	if (r >= 0)
		r = files_send(rd->push->files, parcel);
	parcel_unref(parcel);
	return r;
}

/* What this window lost, in the profile itself. */
static void add_comment(struct profile *p, const struct window *w)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "made by hotspan %s; in this interval the host lost %llu of %llu samples", HOTSPAN_VERSION,
		 (unsigned long long)w->lost, (unsigned long long)(w->samples + w->lost));
	if (w->limited_by && n > 0 && (size_t)n < sizeof(text))
		snprintf(text + n, sizeof(text) - (size_t)n, "; %s held the rate down, to %llu Hz at times", w->limited_by,
			 (unsigned long long)(NSEC_PER_SEC / w->longest_period_ns));
	profile_comment(p, text);
}

/* A file alone would not say of which series it is. */
static int add_labels(struct profile *p, const struct strmap *labels)
{
	_cleanup_(buf_fini) struct buf text = BUF_INIT;
	const char *before = "labels: {";

	vec_foreach(e, &labels->v)
	{
		buf_puts(&text, before);
		buf_json_string(&text, e->key, strlen(e->key));
		buf_puts(&text, ": ");
		buf_json_string(&text, e->value, strlen(e->value));
		before = ", ";
	}
	buf_append(&text, "}", 2);
	if (buf_error(&text))
		return -ENOMEM;
	profile_comment(p, (const char *)text.data);
	return 0;
}

/* Whether servers take it, or it has to be cut in two. */
static int send_pprof(struct round *rd, const char *service, const struct profile *p, bool *ret_too_large)
{
	_cleanup_(buf_fini) struct buf pprof = BUF_INIT, gz = BUF_INIT;
	int r = pprof_encode(p, &pprof);

	*ret_too_large = pprof.len > PYROSCOPE_MAX_PROFILE_BYTES;
	if (r < 0 || *ret_too_large)
		return r;
	r = gzip_compress(pprof.data, pprof.len, GZIP_LEVEL, &gz);
	if (r >= 0 && rd->pyroscope)
		r = send_push(rd, service, &gz);
	return r >= 0 && rd->files ? send_file(rd, service, &gz) : r;
}

static int send_profile(struct round *rd, const char *service, const uint32_t *rows, uint32_t n, bool *ret_too_large)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	int r = namer_profile(rd->namer, service, rows, n, &p);

	*ret_too_large = false;
	if (r < 0)
		return r;
	add_comment(p, rd->window);
	if (rd->files)
		r = add_labels(p, &rd->labels);
	if (r >= 0 && (rd->pyroscope || rd->files))
		r = send_pprof(rd, service, p, ret_too_large);
	if (r >= 0 && rd->otlp && !*ret_too_large)
		r = push_otlp_add(rd->otlp, &rd->labels, p);
	return r;
}

static int send_rows(struct round *rd, const char *service, const uint32_t *rows, uint32_t n)
{
	bool too_large = n > PYROSCOPE_MAX_SAMPLES;
	int r = too_large ? 0 : send_profile(rd, service, rows, n, &too_large);

	if (r < 0 || !too_large)
		return r;
	if (n == 1) {
		rd->stats.too_large += rd->window->rows.v[rows[0]].samples;
		return 0;
	}
	rd->stats.splits++;
	r = send_rows(rd, service, rows, n / 2);
	return r < 0 ? r : send_rows(rd, service, rows + n / 2, n - n / 2);
}

static uint32_t target_of(const struct window *w, uint32_t row)
{
	return w->labels.v[w->rows.v[row].labels].target;
}

static int by_target(const void *a, const void *b, void *ctx)
{
	const uint32_t *x = a, *y = b, s = target_of(ctx, *x), t = target_of(ctx, *y);

	if (s != t)
		return s < t ? -1 : 1;
	return *x < *y ? -1 : *x > *y;
}

static int begin_series(struct round *rd, const char *target)
{
	int r;

	strmap_fini(&rd->labels);
	pthread_mutex_lock(&rd->push->lock);
	r = strmap_copy(&rd->push->labels, &rd->labels);
	pthread_mutex_unlock(&rd->push->lock);
	if (r >= 0)
		r = labels_parse(target, &rd->labels);
	return r < 0 ? r : strmap_set(&rd->labels, "__name__", "process_cpu");
}

static int send_target(struct round *rd, const uint32_t *rows, uint32_t n)
{
	int r = begin_series(rd, strpool_str(&rd->window->strings, target_of(rd->window, rows[0])));
	const char *service = strmap_get(&rd->labels, "service_name");

	rd->stats.services++;
	return r < 0 ? r : send_rows(rd, service ? service : "unknown", rows, n);
}

static int send_all(struct round *rd)
{
	const struct window *w = rd->window;
	_cleanup_(freep) uint32_t *rows = calloc(w->rows.n + 1u, sizeof(*rows));
	int r = rows ? 0 : -ENOMEM;

	for (uint32_t i = 0; rows && i < w->rows.n; i++)
		rows[i] = i;
	if (rows)
		qsort_r(rows, w->rows.n, sizeof(*rows), by_target, (void *)w);
	for (uint32_t i = 0, n; i < w->rows.n && r >= 0; i += n) {
		for (n = 1; i + n < w->rows.n && target_of(w, rows[i]) == target_of(w, rows[i + n]);)
			n++;
		r = send_target(rd, rows + i, n);
	}
	return r;
}

static void end(struct round *rd)
{
	struct push_stats *sum = &rd->push->stats;

	pthread_mutex_lock(&rd->push->lock);
	sum->profiles += rd->stats.profiles;
	sum->bytes += rd->stats.bytes;
	sum->splits += rd->stats.splits;
	sum->too_large += rd->stats.too_large;
	sum->services = rd->stats.services;
	pthread_mutex_unlock(&rd->push->lock);
	strmap_fini(&rd->labels);
}

static int finish_otlp(struct round *rd)
{
	struct push_otlp_stats stats = { 0 };
	int r = rd->otlp ? push_otlp_finish(rd->otlp, &stats) : 0;

	rd->stats.profiles += stats.profiles;
	rd->stats.bytes += stats.bytes;
	rd->stats.splits += stats.splits;
	rd->stats.too_large += stats.too_large;
	return r;
}

int push_window(struct push *p, struct namer *n, const struct window *w)
{
	_cleanup_(push_otlp_freep) struct push_otlp *otlp = NULL;
	uint32_t formats = net_formats(p->net, PARCEL_PROFILES);
	struct round rd = { .push = p, .namer = n, .window = w, .pyroscope = formats >> PARCEL_FORMAT_PYROSCOPE & 1,
			    .files = p->files && files_wanted(p->files) };
	int r = push_otlp_new(p->net, formats, w->start_utc_ns, &otlp);

	rd.otlp = otlp;
	if (r >= 0)
		r = send_all(&rd);
	if (r >= 0)
		r = finish_otlp(&rd);
	end(&rd);
	return r;
}
