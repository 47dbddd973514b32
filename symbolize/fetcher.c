/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/fetcher.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/thread.h"
#include "base/vec.h"
#include "symbolize/debug_file.h"
#include "symbolize/elf_image.h"

struct fetcher {
	struct debuginfod *client; /* the thread's */
	int event_fd;
	atomic_bool cancel;
	pthread_t thread;
	bool running;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t added;
	vec(struct build_id) queue;
	vec(struct fetched) done;
	struct debuginfod_stats stats;
};

static int fetch(struct fetcher *f, const struct build_id *id)
{
	return debuginfod_fetch(f->client, id, (uint64_t)time(NULL), &f->cancel);
}

static int fetch_alt(struct fetcher *f, int debug)
{
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	struct build_id id;
	int fd = elf_image_open(debug, &img);

	if (fd >= 0)
		fd = debug_file_alt_id(img, &id);
	if (fd >= 0)
		fd = fetch(f, &id);
	return fd < 0 ? -1 : fd;
}

static void let_go(struct fetched *one)
{
	if (one->debug >= 0)
		close(one->debug);
	if (one->alt >= 0)
		close(one->alt);
}

static void hand_over(struct fetcher *f, struct fetched one)
{
	pthread_mutex_lock(&f->lock);
	debuginfod_stats(f->client, &f->stats);
	*vec_push(&f->done) = one; /* fetcher_add() has made room */
	pthread_mutex_unlock(&f->lock);
	eventfd_write(f->event_fd, 1);
}

static bool take_first(struct fetcher *f, struct build_id *ret)
{
	pthread_mutex_lock(&f->lock);
	while (!f->queue.n && !atomic_load(&f->cancel))
		pthread_cond_wait(&f->added, &f->lock);
	if (f->queue.n) {
		*ret = f->queue.v[0];
		memmove(f->queue.v, f->queue.v + 1, --f->queue.n * sizeof(*ret));
	}
	pthread_mutex_unlock(&f->lock);
	return !atomic_load(&f->cancel);
}

static void *run(void *arg)
{
	struct fetcher *f = arg;
	struct fetched one;

	while (take_first(f, &one.id)) {
		one.debug = fetch(f, &one.id);
		one.alt = one.debug < 0 ? -1 : fetch_alt(f, one.debug);
		hand_over(f, one);
	}
	return NULL;
}

int fetcher_new(const struct debuginfod_opts *opts, struct fetcher **ret)
{
	struct fetcher *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->added, NULL);
	f->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = f->event_fd < 0 ? -errno : curl_global_init(CURL_GLOBAL_DEFAULT) ? -ENOMEM : debuginfod_new(opts, &f->client);
	if (r >= 0)
		r = thread_start(&f->thread, run, f);
	f->running = r >= 0;
	if (r < 0) {
		fetcher_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

struct fetcher *fetcher_free(struct fetcher *f)
{
	if (!f)
		return NULL;
	pthread_mutex_lock(&f->lock);
	atomic_store(&f->cancel, true);
	pthread_cond_signal(&f->added);
	pthread_mutex_unlock(&f->lock);
	if (f->running)
		pthread_join(f->thread, NULL);
	vec_foreach(one, &f->done)
		let_go(one);
	vec_fini(&f->done);
	vec_fini(&f->queue);
	debuginfod_free(f->client);
	closep(&f->event_fd);
	pthread_cond_destroy(&f->added);
	pthread_mutex_destroy(&f->lock);
	free(f);
	return NULL;
}

int fetcher_add(struct fetcher *f, const struct build_id *id)
{
	struct build_id *slot;

	pthread_mutex_lock(&f->lock);
	/* Room for what comes of it too, and of the one being fetched: nobody waits in vain. */
	slot = vec_reserve(&f->done, f->queue.n + 2) < 0 ? NULL : vec_push(&f->queue);
	if (slot)
		*slot = *id;
	pthread_cond_signal(&f->added);
	pthread_mutex_unlock(&f->lock);
	return slot ? 0 : -ENOMEM;
}

bool fetcher_next(struct fetcher *f, struct fetched *ret)
{
	eventfd_t n;
	bool any;

	pthread_mutex_lock(&f->lock);
	any = f->done.n > 0;
	if (any)
		*ret = f->done.v[--f->done.n];
	if (!f->done.n)
		eventfd_read(f->event_fd, &n);
	pthread_mutex_unlock(&f->lock);
	return any;
}

int fetcher_fd(const struct fetcher *f)
{
	return f->event_fd;
}

void fetcher_stats(struct fetcher *f, struct debuginfod_stats *ret)
{
	pthread_mutex_lock(&f->lock);
	*ret = f->stats;
	pthread_mutex_unlock(&f->lock);
}
