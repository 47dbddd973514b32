/* SPDX-License-Identifier: Apache-2.0 */
/* The list of receivers: all of a new one or nothing, and what becomes of those taken out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "exporter/net_parts.h"

void net_drop_gone(struct net *n)
{
	for (uint32_t i = 0; i < n->receivers.n;) {
		struct receiver *rc = n->receivers.v[i];

		if (!rc->gone || rc->in_flight) {
			i++;
			continue;
		}
		while (rc->head) {
			struct delivery *d = rc->head;

			receiver_remove(rc, d);
			if (d->on_disk) /* stays there, should the receiver come back */
				delivery_free(d);
			else
				net_drop(n, rc, d, NET_DROP_REMOVED, "");
		}
		receiver_free(rc);
		n->receivers.v[i] = n->receivers.v[--n->receivers.n];
	}
}

static struct receiver *find(const struct net *n, const char *name)
{
	vec_foreach(rc, &n->receivers)
		if (!(*rc)->gone && !strcmp((*rc)->opts.name, name))
			return *rc;
	return NULL;
}

static bool strings_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* One that is on its way out still has its spool's lock: it comes back. */
static struct receiver *find_leaving(const struct net *n, const struct receiver_opts *opts)
{
	vec_foreach(rc, &n->receivers)
		if ((*rc)->gone && !strcmp((*rc)->opts.name, opts->name) && strings_equal((*rc)->opts.spool, opts->spool))
			return *rc;
	return NULL;
}

/* What becomes of one row of the list, made before anything is changed. */
struct change {
	struct receiver *rc;
	bool fresh;
	struct receiver_opts opts; /* for one that is there */
};

static int prepare(struct net *n, const struct receiver_opts *opts, struct change *ret, char *err, size_t err_len)
{
	struct receiver *rc = find(n, opts->name);

	if (!rc)
		rc = find_leaving(n, opts);
	ret->rc = rc;
	ret->fresh = !rc;
	return rc ? receiver_opts_copy(opts, &ret->opts) :
		    receiver_new(opts, n->seed++ * 0x9e3779b97f4a7c15ull, &ret->rc, err, err_len);
}

static void undo(struct change *c)
{
	receiver_opts_fini(&c->opts);
	if (c->fresh)
		receiver_free(c->rc);
}

static void note_unreadable(struct net *n, struct receiver *rc)
{
	struct spool_stats s = { 0 };
	char why[160];

	if (rc->spool)
		spool_stats(rc->spool, &s);
	if (s.unreadable)
		net_tell(n, NET_DROPPED, rc, "receiver %s: spool %s: %llu files cannot be read, skipped; they stay there: %s", rc->opts.name,
		     rc->opts.spool, (unsigned long long)s.unreadable, net_describe_unreadable(rc, why, sizeof(why)));
}

/* There is room in the list. */
static void commit(struct net *n, struct change *c)
{
	struct receiver **slot;

	if (!c->fresh) {
		receiver_set(c->rc, &c->opts);
		return;
	}
	slot = vec_push(&n->receivers);
	*slot = c->rc;
	note_unreadable(n, c->rc);
}

static bool listed(const struct receiver *rc, const struct receiver_opts *opts, size_t n_opts)
{
	for (size_t i = 0; i < n_opts; i++)
		if (!receiver_is_file(&opts[i]) && !strcmp(rc->opts.name, opts[i].name))
			return true;
	return false;
}

static int set_receivers(struct net *n, const struct receiver_opts *opts, size_t n_opts, char *err, size_t err_len)
{
	_cleanup_(freep) struct change *changes = calloc(n_opts + 1, sizeof(*changes));
	int r = changes ? vec_reserve(&n->receivers, n_opts) : -ENOMEM;
	size_t made = 0;

	for (size_t i = 0; i < n_opts && r >= 0; i++) {
		if (receiver_is_file(&opts[i]))
			continue;
		r = prepare(n, &opts[i], &changes[made], err, err_len);
		made += r >= 0;
	}
	if (r < 0) {
		while (made)
			undo(&changes[--made]);
		return r;
	}
	vec_foreach(rc, &n->receivers)
		if (!listed(*rc, opts, n_opts))
			(*rc)->gone = true;
	for (size_t i = 0; i < made; i++)
		commit(n, &changes[i]);
	return 0;
}

int net_set_receivers(struct net *n, const struct receiver_opts *opts, size_t n_opts, char *err, size_t err_len)
{
	int r;

	snprintf(err, err_len, "out of memory");
	pthread_mutex_lock(&n->lock);
	r = set_receivers(n, opts, n_opts, err, err_len);
	pthread_mutex_unlock(&n->lock);
	curl_multi_wakeup(n->multi);
	return r;
}
