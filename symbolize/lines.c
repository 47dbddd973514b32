/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/lines.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "symbolize/fetcher.h"
#include "symbolize/symcache.h"
#include "symbolize/symcache_dir.h"

enum { QUEUE_MAX = 256 }; /* two descriptors each */
enum { AWAITED_NICE = 5 }; /* a quarter of a CPU that somebody else wants too */

struct lines {
	struct symcache_dir *dir;
	struct fetcher *fetcher;
	struct converter *converter;
	int exe_fd;
	uint64_t made[HELPER_RESULTS];
};

/* DIR/debuginfod */
static int open_fetcher(struct lines *l, const char *dir, const struct lines_opts *opts)
{
	struct debuginfod_opts d = { .cache_bytes = opts->max_bytes };
	char path[PATH_MAX];

	if (!opts->urls)
		return 0;
	if (snprintf(path, sizeof(path), "%s/debuginfod", dir) >= PATH_MAX)
		return -ENAMETOOLONG;
	debuginfod_opts_env(&d, getenv);
	d.urls = opts->urls;
	d.dir = path;
	return fetcher_new(&d, &l->fetcher);
}

static int open_dirs(struct lines *l, const struct lines_opts *opts)
{
	const char *dir = opts->dir;
	char path[PATH_MAX];
	int r = 0;

	if (!dir) {
		r = symcache_dir_default(geteuid(), getenv("XDG_CACHE_HOME"), getenv("HOME"), path, sizeof(path));
		dir = path;
	}
	if (r >= 0)
		r = symcache_dir_open(dir, opts->max_bytes, &l->dir);
	return r < 0 ? r : open_fetcher(l, dir, opts);
}

int lines_new(const struct lines_opts *opts, struct lines **ret)
{
	struct lines *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	r = l->exe_fd = helper_open_self();
	if (r >= 0)
		r = open_dirs(l, opts);
	if (r >= 0)
		r = converter_new(&(struct converter_opts){ .dir = l->dir, .debug_dir = opts->debug_dir, .exe_fd = l->exe_fd, .fetcher = l->fetcher,
							    .queue_max = QUEUE_MAX, .limits.nice = opts->awaited ? AWAITED_NICE : 0 }, &l->converter);
	if (r < 0) {
		lines_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

const char *lines_complaint(int error, char *ret, size_t len)
{
	if (error == -EINVAL || error == -EPROTONOSUPPORT || error == -E2BIG)
		snprintf(ret, len, "DEBUGINFOD_URLS must hold 1 to 16 URLs of http or https servers, separated by spaces");
	else
		snprintf(ret, len, "the cache of symbols cannot be used: %s: name another directory", strerror(-error));
	return ret;
}

struct lines *lines_free(struct lines *l)
{
	if (!l)
		return NULL;
	converter_free(l->converter);
	fetcher_free(l->fetcher);
	symcache_dir_free(l->dir);
	closep(&l->exe_fd);
	free(l);
	return NULL;
}

int lines_get_made(struct lines *l, const struct build_id *id, struct symcache **ret)
{
	return symcache_dir_get(l->dir, id, ret, NULL, 0);
}

int lines_get(struct lines *l, const struct converter_source *src, struct symcache **ret)
{
	int r = lines_get_made(l, &src->id, ret);

	if (r != -ENOENT)
		return r;
	r = converter_add(l->converter, src, time_boot_ns());
	if (r == -EALREADY)
		return converter_pending(l->converter) || converter_later(l->converter) ? -EAGAIN : -ENODATA;
	return !r || r == -EBUSY ? -EAGAIN : r == -ENOMEM ? r : -ENODATA;
}

uint64_t lines_news(const struct lines *l)
{
	return l->made[HELPER_OK];
}

void lines_step(struct lines *l)
{
	struct converted done;

	while (converter_next(l->converter, time_boot_ns(), &done))
		l->made[done.result]++;
}

void lines_wait(const struct lines *l, uint64_t max_ns)
{
	converter_wait(l->converter, time_boot_ns(), max_ns);
}

void lines_stats(const struct lines *l, struct lines_stats *ret)
{
	*ret = (struct lines_stats){ .pending = converter_pending(l->converter), .later = converter_later(l->converter) };
	for (int i = 0; i < HELPER_RESULTS; i++)
		ret->made[i] = l->made[i];
	if (l->fetcher)
		fetcher_stats(l->fetcher, &ret->servers);
}
