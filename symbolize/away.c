/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/away.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "symbolize/converter.h"
#include "symbolize/fetcher.h"

/* A server that failed is left alone for as long, or longer: until then this costs a look at the disk. */
#define AGAIN_NS (600 * NSEC_PER_SEC)

static int dup_or_none(int fd, int *ret)
{
	*ret = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return fd >= 0 && *ret < 0 ? -errno : 0;
}

int waiting_init(struct waiting *w, const struct converter_source *src)
{
	int r;

	*w = WAITING_NONE;
	w->id = src->id;
	r = dup_or_none(src->fd, &w->fd);
	if (!r)
		r = dup_or_none(src->root_fd, &w->root_fd);
	if (!r && src->path && !(w->path = strdup(src->path)))
		r = -ENOMEM;
	if (r < 0)
		waiting_fini(w);
	return r;
}

void waiting_fini(struct waiting *w)
{
	closep(&w->fd);
	closep(&w->root_fd);
	closep(&w->debug);
	closep(&w->alt);
	free(w->path);
	*w = WAITING_NONE;
}

void away_fini(struct away *a)
{
	vec_foreach(w, &a->v)
		waiting_fini(w);
	vec_fini(&a->v);
}

int away_send(struct away *a, struct waiting *w)
{
	int r;

	if (!a->fetcher || w->answered || w->id.kind != BUILD_ID_GNU)
		return -ENODATA;
	if (a->v.n >= a->max)
		return -EBUSY;
	r = vec_reserve(&a->v, 1);
	if (!r)
		r = fetcher_add(a->fetcher, &w->id);
	if (r < 0)
		return r;
	w->again_ns = 0;
	*vec_push(&a->v) = *w;
	*w = WAITING_NONE;
	return 0;
}

static void take_answer(struct away *a, const struct fetched *f, uint64_t now_ns)
{
	vec_foreach(w, &a->v) {
		if (w->again_ns || w->answered || !build_id_equal(&w->id, &f->id))
			continue;
		w->debug = f->debug < 0 ? -1 : f->debug;
		w->alt = f->alt;
		w->answered = f->debug != -EAGAIN;
		w->again_ns = w->answered ? 0 : now_ns + AGAIN_NS;
		a->n_later += !w->answered;
		return;
	}
}

bool away_next(struct away *a, uint64_t now_ns, struct waiting *ret)
{
	struct fetched f;

	while (a->v.n && fetcher_next(a->fetcher, &f))
		take_answer(a, &f, now_ns);
	vec_foreach(w, &a->v) {
		bool due = w->again_ns && w->again_ns <= now_ns;

		if (!w->answered && !due)
			continue;
		a->n_later -= due;
		*ret = *w;
		*w = a->v.v[--a->v.n];
		return true;
	}
	return false;
}

uint32_t away_pending(const struct away *a)
{
	return a->v.n - a->n_later;
}

int away_fd(const struct away *a)
{
	return away_pending(a) ? fetcher_fd(a->fetcher) : -1;
}
