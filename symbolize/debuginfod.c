/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/debuginfod.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/units.h"
#include "symbolize/debug_cache.h"

enum {
	SERVERS_MAX = 16,
	REDIRECTS_MAX = 5,
	HOLD_S = 600, /* a server that failed is left alone for so long, twice as long each time */
	HOLD_MAX_S = 3600,
	TIMEOUT_S = 90,
	MISSING_S = 600,
	SLOW_BYTES = 100 * 1000, /* less than this within the timeout is too slow */
};
#define CACHE_BYTES (1024 * MIB)

struct server {
	char *url; /* without a slash at its end */
	uint64_t down_until_s;
	uint32_t hold_s; /* how long the next time */
};

struct debuginfod {
	struct debuginfod_opts opts; /* numbers only */
	struct debug_cache *cache;
	struct server servers[SERVERS_MAX];
	uint32_t n_servers;
	struct debuginfod_stats stats;
};

static uint64_t number_of(const char *text, uint64_t otherwise)
{
	char *end;
	unsigned long long v;

	if (!text || *text < '0' || *text > '9')
		return otherwise;
	v = strtoull(text, &end, 10);
	return *end ? otherwise : v;
}

void debuginfod_opts_env(struct debuginfod_opts *o, char *(*get)(const char *name))
{
	const char *urls = get("DEBUGINFOD_URLS");
	uint64_t timeout = number_of(get("DEBUGINFOD_TIMEOUT"), o->timeout_s);
	uint64_t max_time = number_of(get("DEBUGINFOD_MAXTIME"), o->max_time_s);

	o->urls = urls ? urls : o->urls;
	o->timeout_s = timeout < INT32_MAX ? (uint32_t)timeout : INT32_MAX;
	o->max_time_s = max_time < INT32_MAX ? (uint32_t)max_time : INT32_MAX;
	o->max_bytes = number_of(get("DEBUGINFOD_MAXSIZE"), o->max_bytes);
}

static int add_server(struct debuginfod *d, const char *url, size_t len)
{
	if (!strncmp(url, "ima:", 4)) /* how elfutils is to check signatures, from 0.192 on */
		return 0;
	if (strncmp(url, "http://", 7) && strncmp(url, "https://", 8))
		return -EPROTONOSUPPORT;
	if (d->n_servers == SERVERS_MAX)
		return -E2BIG;
	while (len && url[len - 1] == '/')
		len--;
	d->servers[d->n_servers] = (struct server){ .url = strndup(url, len), .hold_s = HOLD_S };
	return d->servers[d->n_servers++].url ? 0 : -ENOMEM;
}

static int add_servers(struct debuginfod *d, const char *urls)
{
	int r = 0;

	for (const char *s = urls ? urls : ""; *s && r >= 0;) {
		size_t len = strcspn(s, " \t\n");

		r = len ? add_server(d, s, len) : 0;
		s += len + (len == 0);
	}
	return r < 0 ? r : d->n_servers ? 0 : -EINVAL;
}

int debuginfod_new(const struct debuginfod_opts *opts, struct debuginfod **ret)
{
	struct debuginfod *d = calloc(1, sizeof(*d));
	struct debuginfod_opts *o;
	int r;

	if (!d)
		return -ENOMEM;
	d->opts = *opts;
	d->opts.urls = d->opts.dir = NULL;
	o = &d->opts;
	o->cache_bytes = o->cache_bytes ? o->cache_bytes : CACHE_BYTES;
	o->max_bytes = o->max_bytes && o->max_bytes < o->cache_bytes ? o->max_bytes : o->cache_bytes;
	o->timeout_s = o->timeout_s ? o->timeout_s : TIMEOUT_S;
	o->missing_s = o->missing_s ? o->missing_s : MISSING_S;
	r = add_servers(d, opts->urls);
	if (r >= 0)
		r = debug_cache_open(opts->dir, o->cache_bytes, &d->cache);
	if (r < 0)
		debuginfod_free(d);
	else
		*ret = d;
	return r;
}

struct debuginfod *debuginfod_free(struct debuginfod *d)
{
	if (!d)
		return NULL;
	for (uint32_t i = 0; i < d->n_servers; i++)
		free(d->servers[i].url);
	debug_cache_free(d->cache);
	free(d);
	return NULL;
}

/* One transfer into a file. */
struct transfer {
	struct debuginfod *d;
	const atomic_bool *cancel;
	int fd;
	uint64_t bytes;
	int error; /* why we ended it */
};

static size_t take(char *data, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;

	t->bytes += n;
	t->d->stats.bytes += n;
	if (t->bytes > t->d->opts.max_bytes)
		t->error = -EFBIG;
	else
		t->error = file_write_all(t->fd, data, n);
	return t->error < 0 ? 0 : n;
}

/* Called about once a second, data or not. */
static int look_up(void *ctx, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
	struct transfer *t = ctx;

	if (t->cancel && atomic_load(t->cancel))
		t->error = -ECANCELED;
	else if (total > 0 && (uint64_t)total > t->d->opts.max_bytes)
		t->error = -EFBIG;
	return t->error < 0;
}

static void set_options(CURL *curl, const char *url, struct transfer *t)
{
	const struct debuginfod_opts *o = &t->d->opts;

	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, strncmp(url, "https:", 6) ? "http,https" : "https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L); /* a name server that hangs does not hold up who cancels */
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "hotspan");
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)o->timeout_s);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)o->timeout_s);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)(SLOW_BYTES / o->timeout_s + 1));
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)o->max_time_s);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_up);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
}

/* 0; -ENOENT: it says that it has no such file; -EAGAIN: it did not say; what else ended the transfer. */
static int ask(const char *url, struct transfer *t)
{
	CURL *curl = curl_easy_init();
	long status = 0;
	CURLcode code;

	if (!curl)
		return -ENOMEM;
	set_options(curl, url, t);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	if (t->error < 0)
		return t->error;
	if (code == CURLE_OK)
		return 0;
	return code == CURLE_HTTP_RETURNED_ERROR && (status == 404 || status == 410) ? -ENOENT : -EAGAIN;
}

/* One server's file, into the cache. */
static int fetch_from(struct debuginfod *d, const struct server *s, const struct build_id *id, uint64_t now_s,
		      const atomic_bool *cancel)
{
	char name[DEBUG_CACHE_NAME], hex[BUILD_ID_HEX_LEN];
	_cleanup_(closep) int fd = debug_cache_begin(d->cache, name);
	struct transfer t = { .d = d, .cancel = cancel, .fd = fd };
	_cleanup_(freep) char *url = NULL;
	int r = fd < 0 ? fd : 0;

	if (r < 0)
		return r;
	if (asprintf(&url, "%s/buildid/%s/debuginfo", s->url, build_id_hex(id, hex)) < 0)
		url = NULL;
	r = url ? ask(url, &t) : -ENOMEM;
	if (r >= 0)
		return debug_cache_keep(d->cache, name, fd, id, now_s);
	debug_cache_discard(d->cache, name);
	return r;
}

static void note_failure(struct debuginfod *d, struct server *s, uint64_t now_s)
{
	s->down_until_s = now_s + s->hold_s;
	s->hold_s = 2 * s->hold_s < HOLD_MAX_S ? 2 * s->hold_s : HOLD_MAX_S;
	d->stats.failed++;
}

/* One server, unless it failed a while ago. */
static int fetch_unless_down(struct debuginfod *d, struct server *s, const struct build_id *id, uint64_t now_s,
			     const atomic_bool *cancel)
{
	int r;

	if (s->down_until_s > now_s) {
		d->stats.held_off++;
		return -EAGAIN;
	}
	r = fetch_from(d, s, id, now_s, cancel);
	if (r == -EAGAIN)
		note_failure(d, s, now_s);
	else if (r >= 0 || r == -ENOENT)
		s->hold_s = HOLD_S;
	return r;
}

/* All servers in turn, until one has it or we have to stop. */
static int fetch(struct debuginfod *d, const struct build_id *id, uint64_t now_s, const atomic_bool *cancel)
{
	int worst = -ENOENT;

	for (uint32_t i = 0; i < d->n_servers; i++) {
		int r = fetch_unless_down(d, &d->servers[i], id, now_s, cancel);

		if (r >= 0 || r == -ECANCELED || r == -ENOMEM || r == -ENOSPC || r == -EDQUOT)
			return r;
		worst = r == -ENOENT ? worst : r;
	}
	return worst;
}

int debuginfod_fetch(struct debuginfod *d, const struct build_id *id, uint64_t now_s, const atomic_bool *cancel)
{
	int r;

	if (id->kind != BUILD_ID_GNU || !id->len)
		return -ENOENT;
	r = debug_cache_find(d->cache, id, now_s, d->opts.missing_s);
	d->stats.hits += r >= 0 || r == -ENODATA;
	if (r != -ENOENT)
		return r == -ENODATA ? -ENOENT : r;
	r = fetch(d, id, now_s, cancel);
	if (r >= 0) {
		d->stats.fetched++;
		return debug_cache_find(d->cache, id, now_s, 0);
	}
	d->stats.missing += r == -ENOENT;
	/* What is too large or not the file today will be so in a while: as good as missing. */
	if (r == -ENOENT || r == -EFBIG || r == -EBADMSG)
		debug_cache_note_missing(d->cache, id, now_s);
	return r;
}

void debuginfod_stats(const struct debuginfod *d, struct debuginfod_stats *ret)
{
	*ret = d->stats;
}
