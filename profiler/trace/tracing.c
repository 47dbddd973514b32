/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/tracing.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/strmap.h"
#include "base/units.h"
#include "base/vec.h"
#include "bpf/path.h"
#include "proc/labels.h"
#include "trace/request_head.h"
#include "trace/services.h"

#define FORGET_NS (300 * NSEC_PER_SEC)
/* What a process that has just begun is called may not be known yet: its exec is told a poll late. */
#define DOUBT_NS (500 * NSEC_PER_MSEC)
enum { MAX_HELD = 256 };

/* A process that was judged. */
struct judged {
	uint32_t tgid;
	uint32_t service; /* 0: not wanted */
	uint64_t cgroup_id;
	bool ended; /* its counts, as they are from here on, are all there will be */
	uint64_t doubt_ns; /* until when it may be wanted after all: it counts on, and its counts wait; 0: it is settled */
	uint64_t join_ns[EV_JOIN_MAX]; /* as it was last time */
};

/* CPU time of a service's processes by whose request it was, by samples, of those that have ended too. */
struct joined {
	uint32_t service;
	uint64_t ns[EV_JOIN_MAX];
};

struct tracing {
	struct tracing_opts opts;
	struct tracer *tracer;
	struct routes *routes;
	struct red *red;
	char *routes_file;
	struct services *services;
	vec(struct judged) judged;
	struct htable judged_index; /* by tgid */
	vec(struct ev_request *) held; /* of processes in doubt */
	vec(struct joined) joined;
	int routes_error;
};

/* ---- whose ---- */

const char *tracing_labels(const struct tracing *t, uint32_t service)
{
	return services_labels(t->services, service);
}

/* The name under which its routes are kept, into out. */
static const char *name_of(const struct tracing *t, uint32_t service, char *out, size_t len)
{
	_cleanup_(strmap_fini) struct strmap labels = { 0 };
	const char *text = tracing_labels(t, service);
	const char *name = !text || labels_parse(text, &labels) < 0 ? NULL : strmap_get(&labels, "service_name");

	snprintf(out, len, "%s", name ? name : "unknown");
	for (char *c = out; *c; c++)
		if (*c == '\t' || *c == '\n')
			*c = ' ';
	return out;
}

struct question {
	const struct tracing *t;
	uint32_t tgid;
};

static bool same_tgid(const void *ctx, uint32_t i)
{
	const struct question *q = ctx;

	return q->t->judged.v[i].tgid == q->tgid;
}

static struct judged *find_judged(struct tracing *t, uint32_t tgid)
{
	uint32_t i = htable_find(&t->judged_index, hash_u64(tgid), same_tgid, &(struct question){ t, tgid });

	return i == HTABLE_NONE ? NULL : &t->judged.v[i];
}

/* NULL: no memory; it is judged again when it is asked for. */
static struct judged *add_judged(struct tracing *t, uint32_t tgid)
{
	struct judged *j = vec_push(&t->judged);

	if (j && htable_insert(&t->judged_index, hash_u64(tgid), t->judged.n - 1) < 0) {
		t->judged.n--;
		return NULL;
	}
	return j;
}

static bool has_ended(uint32_t tgid)
{
	return kill((pid_t)tgid, 0) < 0 && errno == ESRCH;
}

/* Is there nothing new to say? One that nobody knows any more is what it was. */
static bool stands(const struct judged *j, uint32_t service, uint64_t now_ns)
{
	if (j->doubt_ns)
		return !service && now_ns < j->doubt_ns;
	return j->service == service || (!service && has_ended(j->tgid));
}

/* ---- CPU time by whose request it was ---- */

static struct joined *find_joined(const struct tracing *t, uint32_t service)
{
	vec_foreach(b, &t->joined)
		if (b->service == service)
			return b;
	return NULL;
}

static struct joined *add_joined(struct tracing *t, uint32_t service)
{
	struct joined *b = vec_push(&t->joined);

	if (b)
		b->service = service;
	return b;
}

/* What a process did since last time. With no memory for it, it is added the next time. */
static void count_joined(struct tracing *t, struct judged *j)
{
	uint64_t now[EV_JOIN_MAX];
	struct joined *b;

	if (!j->service || !tracer_joined(t->tracer, j->tgid, now))
		return;
	b = find_joined(t, j->service);
	if (!b)
		b = add_joined(t, j->service);
	for (int i = 0; b && i < EV_JOIN_MAX; i++) {
		b->ns[i] += now[i] - j->join_ns[i];
		j->join_ns[i] = now[i];
	}
}

static void forget_joined(struct tracing *t)
{
	uint32_t kept = 0;

	vec_foreach(b, &t->joined)
		if (tracing_labels(t, b->service))
			t->joined.v[kept++] = *b;
	t->joined.n = kept;
}

void tracing_joined(const struct tracing *t, uint32_t service, uint64_t ret[EV_JOIN_MAX])
{
	const struct joined *b = find_joined(t, service);

	for (int i = 0; i < EV_JOIN_MAX; i++)
		ret[i] = b ? b->ns[i] : 0;
}

void tracing_joined_all(const struct tracing *t, uint64_t ret[EV_JOIN_MAX])
{
	memset(ret, 0, EV_JOIN_MAX * sizeof(*ret));
	vec_foreach(b, &t->joined)
		for (int i = 0; i < EV_JOIN_MAX; i++)
			ret[i] += b->ns[i];
}

/* Its service, 0: it is not wanted. The programs know it from now on. */
static uint32_t judge_anew(struct tracing *t, uint32_t tgid, uint64_t cgroup_id)
{
	const char *labels = t->opts.labels_of(t->opts.labels_ctx, tgid, cgroup_id);
	uint32_t service = labels ? services_add(t->services, labels) : 0;
	struct judged *j = find_judged(t, tgid);
	struct trace_proc p = { .service = service };
	uint64_t now = time_boot_ns();

	if (j && stands(j, service, now))
		return j->service;
	if (!j && (j = add_judged(t, tgid)) && !service) {
		*j = (struct judged){ .tgid = tgid, .cgroup_id = cgroup_id, .doubt_ns = now + DOUBT_NS };
		return 0;
	}
	if (!j)
		return service;
	count_joined(t, j); /* what it did until now was the former service's */
	j->tgid = tgid;
	j->service = service;
	j->cgroup_id = cgroup_id;
	j->ended = false;
	j->doubt_ns = 0;
	p.flags = (service ? 0 : TRACE_PROC_UNWANTED) | tracer_proc_kind(tgid) | (routes_are_literal(t->routes) ? TRACE_PROC_LITERAL : 0);
	tracer_set_proc(t->tracer, tgid, &p);
	return service;
}

/* One that has ended is what it was: there is nothing left to be seen of it. */
static uint32_t judge(struct tracing *t, uint32_t tgid, uint64_t cgroup_id)
{
	const struct judged *j = find_judged(t, tgid);

	return j && j->ended ? j->service : judge_anew(t, tgid, cgroup_id);
}

void tracing_know(struct tracing *t, uint32_t tgid)
{
	judge(t, tgid, 0);
}

static uint32_t service_of(void *ctx, uint32_t tgid)
{
	struct judged *j = find_judged(ctx, tgid);

	return j ? j->service : judge(ctx, tgid, 0);
}

/* What has become another program is another service's. */
static void judge_all(struct tracing *t)
{
	services_begin(t->services);
	for (uint32_t i = 0; i < t->judged.n; i++) {
		const struct judged *j = &t->judged.v[i];
		bool ended = has_ended(j->tgid);

		count_joined(t, &t->judged.v[i]);
		if (!ended || j->doubt_ns)
			judge_anew(t, j->tgid, j->cgroup_id);
		t->judged.v[i].ended = ended;
	}
}

static void forget_ended(struct tracing *t)
{
	uint32_t kept = 0;

	vec_foreach(j, &t->judged)
		if (j->ended)
			tracer_forget_proc(t->tracer, j->tgid);
		else
			t->judged.v[kept++] = *j;
	if (kept == t->judged.n)
		return;
	t->judged.n = kept;
	htable_reset(&t->judged_index);
	for (uint32_t i = 0; i < kept; i++)
		htable_insert(&t->judged_index, hash_u64(t->judged.v[i].tgid), i);
}

/* ---- routes ---- */

static uint64_t hash_of(const struct tracing *t, struct slice path)
{
	char normal[TRACE_HEAD_BYTES];

	if (routes_are_literal(t->routes))
		return path_hash(path.s, path.len);
	return path_hash(normal, path_normalize(path.s, path.len, normal));
}

/* 0: its path is not all there. */
static uint32_t learn_route(struct tracing *t, const struct ev_request *ev, uint32_t service)
{
	struct request_head h;
	char name[256];
	uint32_t route;

	request_head_parse(ev->head, ev->head_len, &h);
	if (h.target_cut)
		return TRACE_ROUTE_UNKNOWN;
	if (!h.path.len && h.authority.len)
		h.path = (struct slice){ "/", 1 };
	route = routes_find(t->routes, name_of(t, service, name, sizeof(name)), h.path.s, h.path.len);
	if (route)
		tracer_teach(t->tracer, service, hash_of(t, h.path), route);
	return route;
}

const char *tracing_route(const struct tracing *t, uint32_t route)
{
	return routes_text(t->routes, route);
}

static uint32_t overflow_of(void *ctx, uint32_t service)
{
	struct tracing *t = ctx;
	char name[256];

	return routes_overflow(t->routes, name_of(t, service, name, sizeof(name)));
}

/* What was learned of a path is itself a path that has this route, as has a pattern of the user's. */
static uint32_t route_of(void *ctx, uint32_t service, uint32_t route)
{
	const char *text = tracing_route(ctx, route);
	char name[256];

	if (!strcmp(text, ROUTES_OVERFLOW))
		return overflow_of(ctx, service);
	return routes_find(((struct tracing *)ctx)->routes, name_of(ctx, service, name, sizeof(name)), text, strlen(text));
}

/* ---- requests ---- */

static bool in_doubt(struct tracing *t, uint32_t tgid)
{
	const struct judged *j = find_judged(t, tgid);

	return j && j->doubt_ns && !j->ended;
}

static void work_on(struct tracing *t, const struct ev_request *ev, uint32_t service)
{
	uint32_t route = ev->route;

	if (!service)
		return;
	if (ev->flags & TRACE_UNKNOWN) {
		route = learn_route(t, ev, service);
		red_move(t->red, ev, route); /* with no room for another move its count stays where it is: under no route */
	}
	if ((ev->flags & TRACE_SPAN) && t->opts.on_span)
		t->opts.on_span(t->opts.ctx, ev, tracing_labels(t, service), tracing_route(t, route));
}

/* What there is no room for is counted all the same, under no route. */
static void hold(struct tracing *t, const struct ev_request *ev)
{
	size_t size = offsetof(struct ev_request, head) + ev->head_len;
	struct ev_request **slot = t->held.n < MAX_HELD ? vec_push(&t->held) : NULL;

	if (!slot)
		return;
	*slot = calloc(1, sizeof(**slot));
	if (*slot)
		memcpy(*slot, ev, size);
	else
		t->held.n--;
}

static void look_again(struct tracing *t)
{
	uint32_t kept = 0;

	vec_foreach(slot, &t->held) {
		struct ev_request *ev = *slot;
		uint32_t service = judge(t, ev->tgid, ev->cgroup_id);

		if (in_doubt(t, ev->tgid)) {
			t->held.v[kept++] = ev;
			continue;
		}
		work_on(t, ev, service);
		free(ev);
	}
	t->held.n = kept;
}

static int on_request(void *ctx, const struct ev_request *ev)
{
	struct tracing *t = ctx;
	uint32_t service = judge(t, ev->tgid, ev->cgroup_id);

	if (in_doubt(t, ev->tgid))
		hold(t, ev);
	else
		work_on(t, ev, service);
	return 0;
}

int tracing_poll(struct tracing *t)
{
	look_again(t);
	return tracer_drain(t->tracer, on_request, t);
}

static int on_cell(void *ctx, const struct red_key *key, const struct red_cell *sum)
{
	struct tracing *t = ctx;

	service_of(t, key->tgid);
	return in_doubt(t, key->tgid) ? 0 : red_cell(t->red, key, sum);
}

/* Whoever counted in it had ended before it was read. */
static int drop_cell(void *ctx, const struct red_key *key, const struct red_cell *sum)
{
	struct tracing *t = ctx;
	const struct judged *j = find_judged(t, key->tgid);

	if (j && j->ended) {
		tracer_drop_cell(t->tracer, key);
		red_drop_cell(t->red, key);
	}
	return 0;
}

static bool has_gone(void *ctx, uint32_t service)
{
	return !tracing_labels(ctx, service);
}

static int let_go(struct tracing *t, uint64_t now_ns)
{
	bool any = false;
	int r = 0;

	vec_foreach(j, &t->judged)
		any |= j->ended;
	if (any)
		r = tracer_cells(t->tracer, drop_cell, t);
	if (r >= 0)
		forget_ended(t);
	if (services_end(t->services, now_ns)) {
		red_forget(t->red, has_gone, t);
		forget_joined(t);
	}
	return r;
}

static void save_routes(struct tracing *t)
{
	if (t->routes_file && (routes_changed(t->routes) || t->routes_error))
		t->routes_error = routes_save(t->routes, t->routes_file);
}

int tracing_count(struct tracing *t)
{
	uint64_t now = time_boot_ns();
	int r;

	judge_all(t);
	red_begin(t->red);
	r = tracer_cells(t->tracer, on_cell, t);
	/* All that was counted before was told before. */
	if (r >= 0)
		r = tracing_poll(t);
	if (r >= 0)
		red_end(t->red, now);
	if (r >= 0)
		r = let_go(t, now);
	save_routes(t);
	return r;
}

uint64_t tracing_lost(const struct tracing *t)
{
	return red_lost(t->red);
}

int tracing_routes_error(const struct tracing *t)
{
	return t->routes_error;
}

static bool any(void *ctx, uint32_t service)
{
	return true;
}

int tracing_clear(struct tracing *t)
{
	int r = tracing_count(t);

	red_forget(t->red, any, NULL);
	return r;
}

const struct red_series *tracing_series(const struct tracing *t, uint32_t *ret_n)
{
	return red_series(t->red, ret_n);
}

/* ---- life ---- */

static int load_routes(struct tracing *t, char *err, size_t err_len)
{
	const char *path = t->routes_file;
	int r = path ? routes_load(t->routes, path) : 0;

	if (r < 0)
		snprintf(err, err_len, "trace.routes_file %s: %s: remove it, or name another file", path,
			 r == -EINVAL ? "this is no file of learned routes" : strerror(-r));
	else if (path) /* that it cannot be had is known now, and not when there is something to keep */
		t->routes_error = routes_save(t->routes, path);
	return r;
}

int tracing_new(const struct tracing_opts *opts, struct tracing **ret, char *err, size_t err_len)
{
	struct tracing *t = calloc(1, sizeof(*t));
	int r = t ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	t->opts = *opts;
	if (opts->routes_file && !(t->routes_file = strdup(opts->routes_file)))
		r = -ENOMEM;
	if (r >= 0)
		r = routes_new(&opts->routes, &t->routes, err, err_len);
	if (r >= 0)
		r = load_routes(t, err, err_len);
	if (r >= 0)
		r = services_new(opts->forget_ns ? opts->forget_ns : FORGET_NS, &t->services);
	if (r >= 0)
		r = red_new(&(struct red_opts){ .max_series = opts->max_series, .start_ns = time_boot_ns(), .service_of = service_of,
						.overflow_of = overflow_of, .route_of = route_of, .ctx = t }, &t->red);
	if (r >= 0)
		r = tracer_new(&opts->tracer, &t->tracer, err, err_len);
	if (r < 0) {
		tracing_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

struct tracing *tracing_free(struct tracing *t)
{
	if (!t)
		return NULL;
	tracer_free(t->tracer);
	red_free(t->red);
	routes_free(t->routes);
	services_free(t->services);
	free(t->routes_file);
	vec_foreach(ev, &t->held)
		free(*ev);
	vec_fini(&t->held);
	vec_fini(&t->judged);
	vec_fini(&t->joined);
	htable_fini(&t->judged_index);
	free(t);
	return NULL;
}

struct tracer *tracing_tracer(struct tracing *t)
{
	return t->tracer;
}

