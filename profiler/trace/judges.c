/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/judges.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/units.h"
#include "base/vec.h"
#include "trace/services.h"
#include "trace/tracer.h"

/* A process that was judged. */
struct judged {
	uint32_t tgid;
	uint32_t service; /* 0: not wanted */
	uint64_t cgroup_id;
	uint64_t turn; /* in which it was judged last */
	uint64_t lost; /* requests told while it was in doubt, for which there was no room */
	bool ended; /* its counts, as they are from here on, are all there will be */
	uint64_t doubt_ns; /* since when it seems unwanted, and may be wanted after all: it counts on, and its counts wait; 0: it is settled */
	uint64_t join_ns[EV_JOIN_MAX]; /* as it was last time */
};

/* CPU time of a service's processes by whose request it was, by samples, of those that have ended too. */
struct joined {
	uint32_t service;
	uint64_t ns[EV_JOIN_MAX];
};

struct judges {
	struct judges_opts opts;
	uint64_t turn; /* from 1 on */
	vec(struct judged) judged;
	struct htable index; /* of judged, by tgid */
	vec(struct joined) joined;
	uint64_t lost; /* of those that turned out to be wanted */
};

struct question {
	const struct judges *js;
	uint32_t tgid;
};

static bool same_tgid(const void *ctx, uint32_t i)
{
	const struct question *q = ctx;

	return q->js->judged.v[i].tgid == q->tgid;
}

static struct judged *find_judged(const struct judges *js, uint32_t tgid)
{
	uint32_t i = htable_find(&js->index, hash_u64(tgid), same_tgid, &(struct question){ js, tgid });

	return i == HTABLE_NONE ? NULL : &js->judged.v[i];
}

/* NULL: no memory; it is judged again when it is asked for. */
static struct judged *add_judged(struct judges *js, uint32_t tgid)
{
	struct judged *j = vec_push(&js->judged);

	if (j && htable_insert(&js->index, hash_u64(tgid), js->judged.n - 1) < 0) {
		js->judged.n--;
		return NULL;
	}
	return j;
}

static bool has_ended(uint32_t tgid)
{
	return kill((pid_t)tgid, 0) < 0 && errno == ESRCH;
}

/* Is there nothing new to say? One that nobody knows any more is what it was. */
static bool stands(const struct judges *js, const struct judged *j, uint32_t service)
{
	if (j->doubt_ns)
		return !service && js->opts.known_ns(js->opts.ctx) < j->doubt_ns;
	return j->service == service || (!service && has_ended(j->tgid));
}

/* ---- CPU time by whose request it was ---- */

static struct joined *find_joined(const struct judges *js, uint32_t service)
{
	vec_foreach(b, &js->joined)
		if (b->service == service)
			return b;
	return NULL;
}

static struct joined *add_joined(struct judges *js, uint32_t service)
{
	struct joined *b = vec_push(&js->joined);

	if (b)
		b->service = service;
	return b;
}

/* What a process did since last time. With no memory for it, it is added the next time. */
static void count_joined(struct judges *js, struct judged *j)
{
	uint64_t now[EV_JOIN_MAX];
	struct joined *b;

	if (!j->service || !tracer_joined(js->opts.tracer, j->tgid, now))
		return;
	b = find_joined(js, j->service);
	if (!b)
		b = add_joined(js, j->service);
	for (int i = 0; b && i < EV_JOIN_MAX; i++) {
		b->ns[i] += now[i] - j->join_ns[i];
		j->join_ns[i] = now[i];
	}
}

void judges_forget_joined(struct judges *js)
{
	uint32_t kept = 0;

	vec_foreach(b, &js->joined)
		if (services_labels(js->opts.services, b->service))
			js->joined.v[kept++] = *b;
	js->joined.n = kept;
}

void judges_joined(const struct judges *js, uint32_t service, uint64_t ret[EV_JOIN_MAX])
{
	const struct joined *b = find_joined(js, service);

	for (int i = 0; i < EV_JOIN_MAX; i++)
		ret[i] = b ? b->ns[i] : 0;
}

void judges_joined_all(const struct judges *js, uint64_t ret[EV_JOIN_MAX])
{
	memset(ret, 0, EV_JOIN_MAX * sizeof(*ret));
	vec_foreach(b, &js->joined)
		for (int i = 0; i < EV_JOIN_MAX; i++)
			ret[i] += b->ns[i];
}

/* Its service, 0: it is not wanted. The programs know it from now on. */
static uint32_t judge_anew(struct judges *js, uint32_t tgid, uint64_t cgroup_id)
{
	const char *labels = js->opts.labels_of(js->opts.ctx, tgid, cgroup_id);
	uint32_t service = labels ? services_add(js->opts.services, labels) : 0;
	struct judged *j = find_judged(js, tgid);
	struct trace_proc p = { .service = service };

	if (j && stands(js, j, service)) {
		j->turn = js->turn;
		j->cgroup_id = cgroup_id ? cgroup_id : j->cgroup_id;
		return j->service;
	}
	if (!j && (j = add_judged(js, tgid)) && !service) {
		*j = (struct judged){ .tgid = tgid, .cgroup_id = cgroup_id, .doubt_ns = time_boot_ns() };
		return 0;
	}
	if (!j)
		return service;
	count_joined(js, j); /* what it did until now was the former service's */
	j->tgid = tgid;
	j->service = service;
	j->cgroup_id = cgroup_id;
	j->ended = false;
	j->turn = js->turn;
	j->doubt_ns = 0;
	js->lost += service ? j->lost : 0;
	j->lost = 0;
	p.flags = (service ? 0 : TRACE_PROC_UNWANTED) | tracer_proc_kind(tgid) | (js->opts.literal ? TRACE_PROC_LITERAL : 0);
	tracer_set_proc(js->opts.tracer, tgid, &p);
	return service;
}

/* One in doubt may have ended long ago, and soon nobody knows what it was. */
void judges_turn(struct judges *js)
{
	js->turn++;
	vec_foreach(j, &js->judged)
		if (j->doubt_ns)
			judge_anew(js, j->tgid, j->cgroup_id);
}

/* What its labels are takes more than all else of a request, and a thousand of one process may be told in a turn. */
static bool is_known(const struct judges *js, const struct judged *j, uint64_t cgroup_id)
{
	return j->turn == js->turn && !j->doubt_ns && j->cgroup_id == cgroup_id;
}

/* One that has ended is what it was: there is nothing left to be seen of it. */
uint32_t judges_ask(struct judges *js, uint32_t tgid, uint64_t cgroup_id)
{
	const struct judged *j = find_judged(js, tgid);

	return j && (j->ended || is_known(js, j, cgroup_id)) ? j->service : judge_anew(js, tgid, cgroup_id);
}

uint32_t judges_service(struct judges *js, uint32_t tgid)
{
	const struct judged *j = find_judged(js, tgid);

	return j ? j->service : judges_ask(js, tgid, 0);
}

bool judges_doubt(const struct judges *js, uint32_t tgid)
{
	const struct judged *j = find_judged(js, tgid);

	return j && j->doubt_ns;
}

void judges_lose(struct judges *js, uint32_t tgid)
{
	struct judged *j = find_judged(js, tgid);

	if (j)
		j->lost++;
}

uint64_t judges_lost(const struct judges *js)
{
	return js->lost;
}

bool judges_ended(const struct judges *js, uint32_t tgid)
{
	const struct judged *j = find_judged(js, tgid);

	return j && j->ended;
}

bool judges_any_ended(const struct judges *js)
{
	vec_foreach(j, &js->judged)
		if (j->ended)
			return true;
	return false;
}

/* What has become another program is another service's. */
void judges_round(struct judges *js)
{
	services_begin(js->opts.services);
	for (uint32_t i = 0; i < js->judged.n; i++) {
		const struct judged *j = &js->judged.v[i];
		bool ended = has_ended(j->tgid);

		count_joined(js, &js->judged.v[i]);
		if (!ended || j->doubt_ns)
			judge_anew(js, j->tgid, j->cgroup_id);
		js->judged.v[i].ended = ended && !j->doubt_ns;
	}
}

void judges_forget(struct judges *js)
{
	uint32_t kept = 0;

	vec_foreach(j, &js->judged)
		if (j->ended)
			tracer_forget_proc(js->opts.tracer, j->tgid);
		else
			js->judged.v[kept++] = *j;
	if (kept == js->judged.n)
		return;
	js->judged.n = kept;
	htable_reset(&js->index);
	for (uint32_t i = 0; i < kept; i++)
		htable_insert(&js->index, hash_u64(js->judged.v[i].tgid), i);
}

int judges_new(const struct judges_opts *opts, struct judges **ret)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	(*ret)->opts = *opts;
	(*ret)->turn = 1;
	return 0;
}

struct judges *judges_free(struct judges *js)
{
	if (!js)
		return NULL;
	vec_fini(&js->judged);
	vec_fini(&js->joined);
	htable_fini(&js->index);
	free(js);
	return NULL;
}
