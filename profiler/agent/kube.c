/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/kube.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/environment.h"
#include "base/file.h"
#include "base/thread.h"
#include "base/units.h"
#include "base/url.h"
#include "proc/pods.h"

#define EVERY_NS       (60 * NSEC_PER_SEC)
#define AGAIN_NS       (5 * NSEC_PER_SEC)
#define TIMEOUT_MS     30000L
#define ANSWER_MAX     (256 * MIB) /* 110 pods are one or two */
#define TOKEN_MAX      (64 * KIB)

struct kube {
	struct kube_opts opts;
	char *url, *account_dir;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool running, stop, hurry;
	struct pods *fresh; /* NULL: taken */
	bool failing;
	struct kube_stats stats;
};

/* ---- where to ask ---- */

/* Names of nodes are DNS names: others would be another query. */
static bool is_node_name(const char *s)
{
	return *s && !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")];
}

int kube_url(const char *choice, char *const *environment, const char *node, const char *account_dir, char *out, size_t len)
{
	const char *host = environment_get(environment, "KUBERNETES_SERVICE_HOST"), *port = environment_get(environment, "KUBERNETES_SERVICE_PORT");
	char token[512];
	bool v6;

	if (strcmp(choice, "auto")) {
		snprintf(out, len, "%s", choice);
		return strcmp(choice, "off") ? 0 : -ENOENT;
	}
	snprintf(token, sizeof(token), "%s/token", account_dir);
	if (!host || !port || !is_node_name(node) || access(token, R_OK) < 0)
		return -ENOENT;
	v6 = strchr(host, ':');
	/* resourceVersion=0: out of the server's cache. */
	snprintf(out, len, "https://%s%s%s:%s/api/v1/pods?fieldSelector=spec.nodeName%%3D%s&resourceVersion=0", v6 ? "[" : "", host,
		 v6 ? "]" : "", port, node);
	return 0;
}

/* ---- one request ---- */

struct answer {
	struct kube *kube;
	CURL *easy;
	struct pods_reader *reader;
	uint64_t bytes;
	int error;
};

/* Only a list is read: what an error says is of no use to us. */
static size_t on_data(char *data, size_t size, size_t n, void *ctx)
{
	struct answer *a = ctx;
	long status = 0;

	curl_easy_getinfo(a->easy, CURLINFO_RESPONSE_CODE, &status);
	a->bytes += n;
	if (status == 200)
		a->error = a->bytes > ANSWER_MAX ? -EFBIG : pods_reader_feed(a->reader, data, n);
	return a->error ? 0 : n;
}

static int on_progress(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	struct answer *a = ctx;
	bool stop;

	pthread_mutex_lock(&a->kube->lock);
	stop = a->kube->stop;
	pthread_mutex_unlock(&a->kube->lock);
	return stop;
}

static int set_token(const struct kube *k, CURL *easy)
{
	_cleanup_(buf_fini) struct buf token = BUF_INIT;
	char path[512];

	snprintf(path, sizeof(path), "%s/token", k->account_dir);
	if (strncmp(k->url, "https:", 6) || file_read_path(AT_FDCWD, path, TOKEN_MAX, &token) < 0)
		return 0;
	buf_putc(&token, '\0');
	if (buf_error(&token))
		return -ENOMEM;
	token.data[strcspn((char *)token.data, "\r\n")] = '\0';
	curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
	return curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, (char *)token.data) ? -ENOMEM : 0;
}

static int prepare(const struct kube *k, struct answer *a, char error[CURL_ERROR_SIZE])
{
	char ca[512];

	snprintf(ca, sizeof(ca), "%s/ca.crt", k->account_dir);
	if (access(ca, R_OK) == 0 && curl_easy_setopt(a->easy, CURLOPT_CAINFO, ca))
		return -ENOMEM;
	curl_easy_setopt(a->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(a->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(a->easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(a->easy, CURLOPT_PROXY, ""); /* it is our own node or cluster */
	curl_easy_setopt(a->easy, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	curl_easy_setopt(a->easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl_easy_setopt(a->easy, CURLOPT_USERAGENT, "hotspan");
	curl_easy_setopt(a->easy, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(a->easy, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(a->easy, CURLOPT_WRITEDATA, a);
	curl_easy_setopt(a->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(a->easy, CURLOPT_XFERINFODATA, a);
	curl_easy_setopt(a->easy, CURLOPT_NOPROGRESS, 0L);
	return curl_easy_setopt(a->easy, CURLOPT_URL, k->url) ? -ENOMEM : set_token(k, a->easy);
}

static const char *remedy(long status)
{
	return status == 401 ? "is the service account's token mounted?" :
	       status == 403 ? "let its role get, list and watch pods (nodes/proxy where the kubelet is asked)" :
	       status == 404 ? "is it the URL of a list of pods?" : "asking again";
}

/* 0 and the list, or negative errno and why in text. */
static int perform(struct kube *k, struct answer *a, struct pods **ret, char *text, size_t len)
{
	char error[CURL_ERROR_SIZE] = "";
	int r = prepare(k, a, error);
	long status = 0;
	CURLcode code;

	if (r < 0)
		return r;
	code = curl_easy_perform(a->easy);
	curl_easy_getinfo(a->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code && !a->error) {
		snprintf(text, len, "%s: asking again", error[0] ? error : curl_easy_strerror(code));
		return -EIO;
	}
	if (status != 200) {
		snprintf(text, len, "the answer is %ld: %s", status, remedy(status));
		return -EACCES;
	}
	r = a->error ? a->error : pods_reader_finish(a->reader, ret);
	if (r == -EBADMSG || r == -EFBIG)
		snprintf(text, len, "the answer is no list of pods%s: is it the right URL?", r == -EFBIG ? " of any size we read" : "");
	return r;
}

static int ask(struct kube *k, struct pods **ret, char *text, size_t len)
{
	struct answer a = { .kube = k, .easy = curl_easy_init() };
	int r = a.easy ? pods_reader_new(&a.reader) : -ENOMEM;

	snprintf(text, len, "out of memory: asking again");
	if (r >= 0)
		r = perform(k, &a, ret, text, len);
	pods_reader_free(a.reader);
	curl_easy_cleanup(a.easy);
	return r;
}

/* ---- the thread ---- */

/* Once when it begins to fail, and once when it is over. */
static void tell(struct kube *k, int r, const char *why)
{
	char text[768], shown[256];

	if ((r < 0) == k->failing)
		return;
	k->failing = r < 0;
	if (r < 0)
		snprintf(text, sizeof(text), "kubernetes: %s: %s; pods have no names meanwhile", url_shown(k->url, shown, sizeof(shown)), why);
	else
		snprintf(text, sizeof(text), "kubernetes: pods are listed again");
	k->opts.on_event(k->opts.ctx, r >= 0, text);
}

static void ask_once(struct kube *k)
{
	char why[512];
	struct pods *pods = NULL;
	int r = ask(k, &pods, why, sizeof(why));

	pthread_mutex_lock(&k->lock);
	k->stats.lists += r >= 0;
	k->stats.failures += r < 0 && !k->stop;
	if (r >= 0) {
		k->stats.pods = pods_count(pods);
		k->stats.left_out = pods_left_out(pods);
		pods_free(k->fresh);
		k->fresh = pods;
	}
	r = k->stop ? 0 : r;
	pthread_mutex_unlock(&k->lock);
	tell(k, r, why);
}

/* Until it is time again; false: to end. */
static bool wait_turn(struct kube *k)
{
	uint64_t again = k->opts.again_ns ? k->opts.again_ns : AGAIN_NS;
	struct timespec soon = cond_deadline(again), later = cond_deadline(EVERY_NS);
	bool go_on;

	pthread_mutex_lock(&k->lock);
	while (!k->stop && pthread_cond_timedwait(&k->wake, &k->lock, &soon) != ETIMEDOUT)
		;
	while (!k->stop && !k->hurry && pthread_cond_timedwait(&k->wake, &k->lock, &later) != ETIMEDOUT)
		;
	k->hurry = false;
	go_on = !k->stop;
	pthread_mutex_unlock(&k->lock);
	return go_on;
}

static void *run(void *arg)
{
	struct kube *k = arg;

	do
		ask_once(k);
	while (wait_turn(k));
	return NULL;
}

int kube_new(const struct kube_opts *opts, struct kube **ret)
{
	struct kube *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	k->opts = *opts;
	pthread_mutex_init(&k->lock, NULL);
	cond_init(&k->wake);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	k->url = strdup(opts->url);
	k->account_dir = strdup(opts->account_dir);
	r = k->url && k->account_dir ? thread_start(&k->thread, run, k) : -ENOMEM;
	k->running = r >= 0;
	if (r < 0)
		kube_free(k);
	else
		*ret = k;
	return r;
}

struct kube *kube_free(struct kube *k)
{
	if (!k)
		return NULL;
	pthread_mutex_lock(&k->lock);
	k->stop = true;
	pthread_cond_signal(&k->wake);
	pthread_mutex_unlock(&k->lock);
	if (k->running)
		pthread_join(k->thread, NULL);
	pods_free(k->fresh);
	free(k->url);
	free(k->account_dir);
	pthread_cond_destroy(&k->wake);
	pthread_mutex_destroy(&k->lock);
	free(k);
	return NULL;
}

struct pods *kube_take(struct kube *k)
{
	struct pods *p;

	pthread_mutex_lock(&k->lock);
	p = take_ptr(k->fresh);
	pthread_mutex_unlock(&k->lock);
	return p;
}

void kube_hurry(struct kube *k)
{
	pthread_mutex_lock(&k->lock);
	k->hurry = true;
	pthread_cond_signal(&k->wake);
	pthread_mutex_unlock(&k->lock);
}

void kube_stats(struct kube *k, struct kube_stats *ret)
{
	pthread_mutex_lock(&k->lock);
	*ret = k->stats;
	pthread_mutex_unlock(&k->lock);
}
