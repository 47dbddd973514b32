/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/converter.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/vec.h"
#include "symbolize/away.h"
#include "symbolize/debug_file.h"
#include "symbolize/elf_image.h"
#include "symbolize/symcache.h"
#include "symbolize/symcache_dir.h"

enum {
	QUEUE_MAX = 64,
	TRIED_MAX = 16384,
};

struct converter {
	struct converter_opts opts;
	char *debug_dir;
	vec(struct waiting) queue;
	struct away away; /* their debug files are being fetched */
	vec(struct build_id) tried;
	struct htable tried_index;
	uint64_t forgotten_ns; /* when all that was tried last was */
	/* the one being converted */
	struct helper *helper; /* NULL: none */
	struct waiting current;
	struct symcache_temp out;
	uint64_t began_ns;
};

int converter_new(const struct converter_opts *opts, struct converter **ret)
{
	struct converter *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->opts = *opts;
	c->opts.queue_max = opts->queue_max ? opts->queue_max : QUEUE_MAX;
	c->away = (struct away){ .fetcher = opts->fetcher, .max = c->opts.queue_max };
	c->current = WAITING_NONE;
	c->out.fd = -1;
	c->debug_dir = strdup(opts->debug_dir ? opts->debug_dir : "/usr/lib/debug");
	if (!c->debug_dir) {
		converter_free(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

struct converter *converter_free(struct converter *c)
{
	if (!c)
		return NULL;
	helper_free(c->helper);
	if (c->out.fd >= 0)
		symcache_dir_abandon(c->opts.dir, &c->out);
	waiting_fini(&c->current);
	vec_foreach(w, &c->queue)
		waiting_fini(w);
	vec_fini(&c->queue);
	away_fini(&c->away);
	vec_fini(&c->tried);
	htable_fini(&c->tried_index);
	free(c->debug_dir);
	free(c);
	return NULL;
}

struct question {
	const struct converter *c;
	const struct build_id *id;
};

static bool same_id(const void *ctx, uint32_t i)
{
	const struct question *q = ctx;

	return build_id_equal(&q->c->tried.v[i], q->id);
}

static uint64_t id_hash(const struct build_id *id)
{
	return hash_bytes(id->bytes, id->len, id->kind);
}

/*
 * A debug package may have come since, a server be there again, room on the disk. Those that failed because of
 * themselves are in the directory.
 */
static void forget_now_and_then(struct converter *c, uint64_t now_ns)
{
	if (!c->tried.n)
		c->forgotten_ns = now_ns;
	if (c->tried.n < TRIED_MAX && (now_ns - c->forgotten_ns < CONVERTER_AGAIN_NS || converter_pending(c) || c->away.n_later))
		return;
	c->tried.n = 0;
	c->forgotten_ns = now_ns;
	htable_reset(&c->tried_index);
}

/* 0, -EALREADY, -ENOMEM. */
static int try_once(struct converter *c, const struct build_id *id)
{
	const struct question q = { c, id };
	struct build_id *slot;
	int r;

	if (htable_find(&c->tried_index, id_hash(id), same_id, &q) != HTABLE_NONE)
		return -EALREADY;
	slot = vec_push(&c->tried);
	if (!slot)
		return -ENOMEM;
	*slot = *id;
	r = htable_insert(&c->tried_index, id_hash(id), c->tried.n - 1);
	if (r < 0)
		c->tried.n--;
	return r;
}

int converter_add(struct converter *c, const struct converter_source *src, uint64_t now_ns)
{
	struct waiting w;
	int r;

	forget_now_and_then(c, now_ns);
	if (src->id.kind == BUILD_ID_NONE)
		return -EINVAL;
	if (c->queue.n >= c->opts.queue_max)
		return -EBUSY;
	r = waiting_init(&w, src);
	if (r < 0)
		return r;
	r = vec_reserve(&c->queue, 1);
	if (!r)
		r = try_once(c, &src->id);
	if (!r)
		*vec_push(&c->queue) = w;
	else
		waiting_fini(&w);
	return r;
}

static struct debug_file_search search_of(const struct converter *c)
{
	return (struct debug_file_search){ .debug_dir = c->debug_dir, .root_fd = c->current.root_fd, .path = c->current.path };
}

static int open_dwo(void *ctx, const char *comp_dir, const char *name)
{
	const struct debug_file_search search = search_of(ctx);

	return debug_file_open_dwo(&search, comp_dir, name);
}

/* A scratch file: it never gets a name. */
static int open_scratch(struct converter *c)
{
	struct symcache_temp t;
	int r = symcache_dir_begin(c->opts.dir, &t), fd;

	if (r < 0)
		return r;
	fd = take_fd(&t.fd);
	symcache_dir_abandon(c->opts.dir, &t);
	return fd;
}

static int start_helper(struct converter *c, const struct debug_files *files, uint64_t now_ns)
{
	const struct helper_opts opts = { .exe_fd = c->opts.exe_fd, .timeout_s = c->opts.timeout_s, .limits = c->opts.limits,
					  .open_dwo = open_dwo, .ctx = c };
	_cleanup_(closep) int scratch = open_scratch(c);
	struct convert_job job = { .id = c->current.id };
	int r;

	if (scratch < 0)
		return scratch;
	r = symcache_dir_begin(c->opts.dir, &c->out);
	if (r < 0)
		return r;
	job.fd[CONVERT_OUT] = c->out.fd;
	job.fd[CONVERT_SCRATCH] = scratch;
	job.fd[CONVERT_IMAGE] = c->current.fd;
	job.fd[CONVERT_DEBUG] = files->debug;
	job.fd[CONVERT_ALT] = files->alt;
	job.fd[CONVERT_DWP] = files->dwp;
	return helper_start(&opts, &job, now_ns, &c->helper);
}

/* Names are kept by the id we were told: they must not come from another file. */
static int check_identity(const struct waiting *w)
{
	struct build_id found;
	int r = w->id.kind == BUILD_ID_GNU ? build_id_of_file(w->fd, &found) : 0;

	if (r < 0 || w->id.kind != BUILD_ID_GNU)
		return r;
	return build_id_equal(&w->id, &found) ? 0 : -ESTALE;
}

/* 0: a helper runs. -ENODATA: there is no DWARF to convert; -EBADMSG: the image is no ELF; or why none could be started. */
static int start(struct converter *c, uint64_t now_ns)
{
	const struct debug_file_search search = search_of(c);
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	struct debug_files files;
	int r = c->current.fd < 0 ? 0 : elf_image_open(c->current.fd, &img);

	if (r >= 0 && img)
		r = check_identity(&c->current);
	if (r >= 0 && c->current.debug >= 0)
		return start_helper(c, &(struct debug_files){ c->current.debug, c->current.alt, -1 }, now_ns);
	if (r >= 0)
		r = debug_files_open(img, &c->current.id, &search, &files);
	if (r < 0)
		return r;
	r = start_helper(c, &files, now_ns);
	debug_files_close(&files);
	return r;
}

/* Whatever it says of itself, the file is looked at before it gets a name. */
static enum helper_result publish(struct converter *c)
{
	struct symcache *made;
	int r = symcache_open(c->out.fd, &c->current.id, &made);

	if (r < 0)
		return r == -EBADMSG ? HELPER_CRASHED : HELPER_FAILED;
	symcache_free(made);
	return symcache_dir_commit(c->opts.dir, &c->out, &c->current.id) < 0 ? HELPER_FAILED : HELPER_OK;
}

static void finish(struct converter *c, enum helper_result result, uint64_t now_ns, struct converted *ret)
{
	bool ran = c->helper != NULL;

	c->helper = helper_free(c->helper);
	if (result == HELPER_OK)
		result = publish(c);
	if (c->out.fd >= 0)
		symcache_dir_abandon(c->opts.dir, &c->out);
	/* That there is no DWARF at all was quickly found, and a debug package may come. */
	if (result != HELPER_OK && result != HELPER_FAILED && (ran || result != HELPER_NO_DEBUG_INFO))
		symcache_dir_remember(c->opts.dir, &c->current.id, helper_result_name(result));
	ret->id = c->current.id;
	ret->took_ns = now_ns - c->began_ns;
	ret->result = result;
	waiting_fini(&c->current);
}

static struct waiting take_first(struct converter *c)
{
	struct waiting w = c->queue.v[0];

	memmove(c->queue.v, c->queue.v + 1, --c->queue.n * sizeof(w));
	return w;
}

/* One whose debug file has come, or will not come, first: without it, it ends as it would have without servers. */
static bool take_next(struct converter *c, uint64_t now_ns)
{
	if (away_next(&c->away, now_ns, &c->current))
		return true;
	if (!c->queue.n)
		return false;
	c->current = take_first(c);
	return true;
}

/* One that a helper runs for, or is done without one: *ret. */
static bool start_next(struct converter *c, uint64_t now_ns, struct converted *ret)
{
	int r;

	for (;;) {
		if (c->helper || !take_next(c, now_ns))
			return false;
		c->began_ns = now_ns;
		r = start(c, now_ns);
		if (!r)
			return false;
		if (r == -ENODATA)
			r = away_send(&c->away, &c->current);
		if (r)
			break;
	}
	*ret = (struct converted){ 0 };
	finish(c, r == -ENODATA ? HELPER_NO_DEBUG_INFO : r == -EBADMSG ? HELPER_DAMAGED : HELPER_FAILED, now_ns, ret);
	return true;
}

bool converter_next(struct converter *c, uint64_t now_ns, struct converted *ret)
{
	struct converted done = { 0 };
	enum helper_result result;

	if (!c->helper)
		return start_next(c, now_ns, ret);
	if (!helper_step(c->helper, now_ns, &result, &done.stats))
		return false;
	finish(c, result, now_ns, &done);
	*ret = done;
	return true;
}

uint32_t converter_pending(const struct converter *c)
{
	return c->queue.n + away_pending(&c->away) + (c->helper != NULL);
}

uint32_t converter_later(const struct converter *c)
{
	return c->away.n_later;
}

void converter_wait(const struct converter *c, uint64_t now_ns, uint64_t max_ns)
{
	/* While a helper runs no answer of servers is looked at. */
	struct pollfd p[] = { { .fd = c->helper ? helper_fd(c->helper) : -1, .events = POLLIN },
			      { .fd = c->helper ? -1 : away_fd(&c->away), .events = POLLIN } };
	uint64_t left = c->helper ? helper_deadline_ns(c->helper) : UINT64_MAX;

	if (!c->helper && !away_pending(&c->away))
		return;
	left = left > now_ns ? left - now_ns : 0;
	left = left < max_ns ? left : max_ns;
	poll(p, ARRAY_SIZE(p), left / 1000000 < 1u << 30 ? (int)(left / 1000000) + 1 : 1 << 30);
}
