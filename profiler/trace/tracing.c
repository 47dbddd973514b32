/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/tracing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/strmap.h"
#include "base/units.h"
#include "base/vec.h"
#include "bpf/path.h"
#include "proc/labels.h"
#include "trace/judges.h"
#include "trace/request_head.h"
#include "trace/services.h"

#define FORGET_NS (300 * NSEC_PER_SEC)
enum { MAX_HELD = 256 };

struct tracing {
	struct tracing_opts opts;
	struct tracer *tracer;
	struct routes *routes;
	struct red *red;
	char *routes_file;
	struct services *services;
	struct judges *judges;
	vec(struct ev_request *) held; /* of processes in doubt */
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

void tracing_know(struct tracing *t, uint32_t tgid)
{
	judges_ask(t->judges, tgid, 0);
}

static uint32_t service_of(void *ctx, uint32_t tgid)
{
	return judges_service(((struct tracing *)ctx)->judges, tgid);
}

void tracing_joined(const struct tracing *t, uint32_t service, uint64_t ret[EV_JOIN_MAX])
{
	judges_joined(t->judges, service, ret);
}

void tracing_joined_all(const struct tracing *t, uint64_t ret[EV_JOIN_MAX])
{
	judges_joined_all(t->judges, ret);
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

static void work_on(struct tracing *t, const struct ev_request *ev, uint32_t service)
{
	uint32_t route = ev->route;

	if (!service)
		return;
	if ((ev->flags & TRACE_UNKNOWN) && route == TRACE_ROUTE_UNKNOWN) {
		route = learn_route(t, ev, service);
		red_move(t->red, ev, route); /* with no room for another move its count stays where it is: under no route */
	}
	if ((ev->flags & TRACE_UNKNOWN) && ev->used.cpu_ns && t->opts.on_route)
		t->opts.on_route(t->opts.labels_ctx, ev, route);
	if ((ev->flags & TRACE_SPAN) && t->opts.on_span)
		t->opts.on_span(t->opts.ctx, ev, tracing_labels(t, service), tracing_route(t, route));
}

/* What there is no room for is counted all the same, under no route. */
static void hold(struct tracing *t, const struct ev_request *ev)
{
	size_t size = offsetof(struct ev_request, head) + ev->head_len;
	struct ev_request **slot = t->held.n < MAX_HELD ? vec_push(&t->held) : NULL;

	if (slot && !(*slot = calloc(1, sizeof(**slot)))) {
		t->held.n--;
		slot = NULL;
	}
	if (slot)
		memcpy(*slot, ev, size);
	else
		judges_lose(t->judges, ev->tgid);
}

static void look_again(struct tracing *t)
{
	uint32_t kept = 0;

	vec_foreach(slot, &t->held) {
		struct ev_request *ev = *slot;
		uint32_t service = judges_ask(t->judges, ev->tgid, ev->cgroup_id);

		if (judges_doubt(t->judges, ev->tgid)) {
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
	uint32_t service = judges_ask(t->judges, ev->tgid, ev->cgroup_id);

	if (judges_doubt(t->judges, ev->tgid))
		hold(t, ev);
	else
		work_on(t, ev, service);
	return 0;
}

int tracing_poll(struct tracing *t)
{
	judges_turn(t->judges);
	look_again(t);
	return tracer_drain(t->tracer, on_request, t);
}

static int on_cell(void *ctx, const struct red_key *key, const struct red_cell *sum)
{
	struct tracing *t = ctx;

	service_of(t, key->tgid);
	return judges_doubt(t->judges, key->tgid) ? 0 : red_cell(t->red, key, sum);
}

/* Whoever counted in it had ended before it was read. */
static int drop_cell(void *ctx, const struct red_key *key, const struct red_cell *sum)
{
	struct tracing *t = ctx;

	if (judges_ended(t->judges, key->tgid)) {
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
	int r = judges_any_ended(t->judges) ? tracer_cells(t->tracer, drop_cell, t) : 0;

	if (r >= 0)
		judges_forget(t->judges);
	if (services_end(t->services, now_ns)) {
		red_forget(t->red, has_gone, t);
		judges_forget_joined(t->judges);
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

	judges_round(t->judges);
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

uint64_t tracing_not_held(const struct tracing *t)
{
	return judges_lost(t->judges);
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
	if (r >= 0)
		r = judges_new(&(struct judges_opts){ .services = t->services, .tracer = t->tracer, .literal = routes_are_literal(t->routes),
						      .labels_of = opts->labels_of, .known_ns = opts->known_ns, .ctx = opts->labels_ctx }, &t->judges);
	if (r < 0) {
		tracing_free(t);
		return r;
	}
	tracer_warn(t->tracer);
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
	judges_free(t->judges);
	free(t);
	return NULL;
}

struct tracer *tracing_tracer(struct tracing *t)
{
	return t->tracer;
}

