/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/worker.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/strmap.h"
#include "base/thread.h"
#include "base/units.h"
#include "collect/window.h"
#include "symbolize/symbolizer.h"

struct worker {
	struct worker_opts opts;
	struct strmap path_map; /* ours: a configuration may go while we work */
	struct symbolizer *symbols; /* the worker thread's */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t given, finished;
	bool running, stop, hurry;
	struct window *todo, *done; /* at most one of them is set */
	int result;
	struct worker_stats stats;
};

/* A look at the stop flag at least this often. */
#define STEP_NS (100 * NSEC_PER_MSEC)

/* How many images still wait for their lines. */
static uint32_t step(struct worker *k, uint64_t max_wait_ns)
{
	struct symbolizer_stats s;
	uint32_t pending = symbolizer_step(k->symbols, max_wait_ns);

	symbolizer_stats(k->symbols, &s);
	pthread_mutex_lock(&k->lock);
	k->stats.lines = s.lines;
	pthread_mutex_unlock(&k->lock);
	return pending;
}

static bool hurried(struct worker *k)
{
	bool yes;

	pthread_mutex_lock(&k->lock);
	yes = k->stop || k->hurry;
	pthread_mutex_unlock(&k->lock);
	return yes;
}

static void wait_for_lines(struct worker *k)
{
	uint64_t until = time_boot_ns() + k->opts.lines_wait_ns;

	while (time_boot_ns() < until && !hurried(k) && step(k, STEP_NS))
		;
	symbolizer_upgrade(k->symbols);
}

static int name_window(struct worker *k, const struct window *w, struct name_stats *ret)
{
	_cleanup_(namer_freep) struct namer *n = NULL;
	int r = namer_new(w, k->symbols, &k->opts.names, &n);

	if (r >= 0 && k->opts.lines_wait_ns)
		wait_for_lines(k);
	if (r >= 0)
		r = k->opts.on_window(k->opts.ctx, n, w);
	if (r >= 0)
		namer_stats(n, ret);
	return r;
}

static void work(struct worker *k, const struct window *w)
{
	struct name_stats named = { 0 };
	struct symbolizer_stats symbols;
	uint64_t begin = time_boot_ns();
	int r = name_window(k, w, &named);

	symbolizer_trim(k->symbols, k->opts.max_table_bytes);
	symbolizer_stats(k->symbols, &symbols);
	malloc_trim(0); /* a window's worth of tables was just given back */
	pthread_mutex_lock(&k->lock);
	k->stats.name.frames += named.frames;
	k->stats.name.frames_named += named.frames_named;
	k->stats.name.frames_with_lines += named.frames_with_lines;
	k->stats.name.images += named.images;
	k->stats.name.images_failed += named.images_failed;
	k->stats.symbol_bytes = symbols.table_bytes;
	k->stats.lines = symbols.lines;
	k->stats.busy_ns += time_boot_ns() - begin;
	k->stats.windows++;
	k->result = r;
	k->done = take_ptr(k->todo);
	pthread_cond_signal(&k->finished);
	pthread_mutex_unlock(&k->lock);
}

/* NULL: it is time to end. */
static struct window *next_window(struct worker *k)
{
	struct window *w;

	pthread_mutex_lock(&k->lock);
	while (!k->todo && !k->stop) {
		bool making = k->stats.lines.pending > 0;

		if (!making) {
			pthread_cond_wait(&k->given, &k->lock);
			continue;
		}
		pthread_mutex_unlock(&k->lock);
		step(k, STEP_NS);
		pthread_mutex_lock(&k->lock);
	}
	w = k->todo;
	pthread_mutex_unlock(&k->lock);
	return w;
}

static void *run(void *arg)
{
	struct worker *k = arg;
	struct window *w;

	while ((w = next_window(k)))
		work(k, w);
	return NULL;
}

int worker_new(const struct worker_opts *opts, struct worker **ret)
{
	struct worker *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	k->opts = *opts;
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->given, NULL);
	cond_init(&k->finished);
	r = symbolizer_new(&opts->symbols, &k->symbols);
	if (r >= 0) {
		struct symbolizer_stats first;

		symbolizer_stats(k->symbols, &first);
		k->stats.lines_error = first.lines_error;
	}
	if (r >= 0 && opts->names.path_map)
		r = strmap_copy(opts->names.path_map, &k->path_map);
	k->opts.names.path_map = &k->path_map;
	if (r >= 0)
		r = thread_start(&k->thread, run, k);
	k->running = r >= 0;
	if (r < 0)
		worker_free(k, NULL);
	else
		*ret = k;
	return r;
}

struct worker *worker_free(struct worker *k, struct window **ret_left)
{
	if (!k)
		return NULL;
	if (k->running) {
		pthread_mutex_lock(&k->lock);
		k->stop = true;
		pthread_cond_signal(&k->given);
		pthread_mutex_unlock(&k->lock);
		pthread_join(k->thread, NULL);
	}
	if (ret_left)
		*ret_left = k->done;
	symbolizer_free(k->symbols);
	strmap_fini(&k->path_map);
	pthread_cond_destroy(&k->given);
	pthread_cond_destroy(&k->finished);
	pthread_mutex_destroy(&k->lock);
	free(k);
	return NULL;
}

void worker_hurry(struct worker *k)
{
	pthread_mutex_lock(&k->lock);
	k->hurry = true;
	pthread_mutex_unlock(&k->lock);
}

bool worker_is_idle(struct worker *k)
{
	bool idle;

	pthread_mutex_lock(&k->lock);
	idle = !k->todo && !k->done;
	pthread_mutex_unlock(&k->lock);
	return idle;
}

void worker_give(struct worker *k, struct window *w)
{
	pthread_mutex_lock(&k->lock);
	k->todo = w;
	pthread_cond_signal(&k->given);
	pthread_mutex_unlock(&k->lock);
}

struct window *worker_take_back(struct worker *k, uint64_t timeout_ns, int *ret_result)
{
	struct timespec until = cond_deadline(timeout_ns);
	struct window *w;
	int r = 0;

	pthread_mutex_lock(&k->lock);
	while (timeout_ns && k->todo && !r)
		r = pthread_cond_timedwait(&k->finished, &k->lock, &until);
	w = take_ptr(k->done);
	if (w)
		*ret_result = k->result;
	else if (timeout_ns && k->todo)
		*ret_result = -ETIMEDOUT;
	pthread_mutex_unlock(&k->lock);
	return w;
}

void worker_stats(struct worker *k, struct worker_stats *ret)
{
	pthread_mutex_lock(&k->lock);
	*ret = k->stats;
	pthread_mutex_unlock(&k->lock);
}
