/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/routes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/strpool.h"
#include "base/units.h"
#include "base/vec.h"
#include "bpf/trace.h"
#include "trace/route_pattern.h"

enum { MAX_SEGMENTS = 16, MAX_WORD = 40, MAX_SERVICES = 4096, MAX_FILE = 4 << 20 };

#define PLACE "*"

/* A segment of learned routes; those of one service are a tree. */
struct node {
	uint32_t word;             /* in words */
	uint32_t child, sibling;   /* 0: none */
	uint32_t n_names;          /* children that are no place */
	uint32_t route;            /* that ends here; 0: none does */
};

struct service {
	uint32_t root;
	uint32_t n_routes;
	uint32_t overflow; /* its route, once there was need; 0: not yet */
};

struct route {
	uint32_t service; /* a name */
	uint32_t text;    /* in words */
	bool learned;
};

struct routes {
	struct route_patterns patterns;
	bool learn, changed;
	uint32_t max_per_service, max_names;
	struct strpool words, names; /* names: of services, by id - 1 those below */
	struct strpool keys;         /* service and text: by id - 1 a route */
	vec(struct node) nodes;      /* [0] is none */
	vec(struct service) services;
	vec(struct route) routes;    /* by id - 1 */
};

int routes_new(const struct routes_opts *opts, struct routes **ret, char *err, size_t err_len)
{
	struct routes *r = calloc(1, sizeof(*r));
	int result = r && vec_push(&r->nodes) ? 0 : -ENOMEM;

	if (!result) {
		r->learn = opts->learn;
		r->max_per_service = opts->max_per_service ? opts->max_per_service : 100;
		r->max_names = opts->max_names ? opts->max_names : 32;
	}
	for (uint32_t i = 0; i < opts->n_patterns && !result; i++)
		result = route_patterns_add(&r->patterns, opts->patterns[i], err, err_len);
	if (result < 0) {
		routes_free(r);
		return result;
	}
	*ret = r;
	return 0;
}

struct routes *routes_free(struct routes *r)
{
	if (!r)
		return NULL;
	route_patterns_fini(&r->patterns);
	strpool_fini(&r->words);
	strpool_fini(&r->names);
	strpool_fini(&r->keys);
	vec_fini(&r->nodes);
	vec_fini(&r->services);
	vec_fini(&r->routes);
	free(r);
	return NULL;
}

bool routes_are_literal(const struct routes *r)
{
	return r->patterns.literal;
}

const char *routes_text(const struct routes *r, uint32_t id)
{
	return id && id <= r->routes.n ? strpool_str(&r->words, r->routes.v[id - 1].text) : "";
}

/* 0: no memory. Above MAX_SERVICES all share one. */
static uint32_t find_service(struct routes *r, const char *name)
{
	struct service *s;
	bool is_new;
	uint32_t id;

	if (r->services.n >= MAX_SERVICES)
		name = "";
	if (vec_reserve(&r->services, 1) < 0 || vec_reserve(&r->nodes, 1) < 0)
		return 0;
	id = strpool_intern(&r->names, name, strlen(name) + 1, &is_new);
	if (!id || !is_new)
		return id;
	s = vec_push(&r->services);
	s->root = r->nodes.n;
	vec_push(&r->nodes);
	return id;
}

/* The id of this route of this service, made where there is none. 0: no memory, or no number is left. */
static uint32_t intern(struct routes *r, uint32_t service, const char *text, bool learned)
{
	uint32_t word = strpool_add(&r->words, text), key[2] = { service, word }, id;
	bool is_new;

	if ((!word && *text) || r->routes.n >= TRACE_ROUTE_MAX || vec_reserve(&r->routes, 1) < 0)
		return 0;
	id = strpool_intern(&r->keys, key, sizeof(key), &is_new);
	if (!id || !is_new)
		return id;
	*vec_push(&r->routes) = (struct route){ .service = service, .text = word, .learned = learned };
	r->changed |= learned;
	return id;
}

static uint32_t overflow_of(struct routes *r, uint32_t service)
{
	struct service *s = &r->services.v[service - 1];

	if (!s->overflow)
		s->overflow = intern(r, service, ROUTES_OVERFLOW, false);
	return s->overflow;
}

/* ---- what segments are ---- */

static bool is_version(const char *s, size_t len)
{
	return (len == 2 || len == 3) && *s == 'v' && strspn(s + 1, "0123456789") >= len - 1;
}

static bool is_name(const char *s, size_t len)
{
	if (len > MAX_WORD)
		return false;
	if (is_version(s, len))
		return true;
	for (size_t i = 0; i < len; i++)
		if (!((s[i] | 0x20) >= 'a' && (s[i] | 0x20) <= 'z') && s[i] != '-' && s[i] != '_' && s[i] != '.' && s[i] != '~')
			return false;
	return true;
}

static uint32_t child_of(const struct routes *r, uint32_t node, uint32_t word)
{
	uint32_t c = r->nodes.v[node].child;

	while (c && r->nodes.v[c].word != word)
		c = r->nodes.v[c].sibling;
	return c;
}

static uint32_t add_child(struct routes *r, uint32_t node, uint32_t word, bool is_place)
{
	struct node *n = vec_push(&r->nodes);

	if (!n)
		return 0;
	n->word = word;
	n->sibling = r->nodes.v[node].child;
	r->nodes.v[node].child = r->nodes.n - 1;
	r->nodes.v[node].n_names += !is_place;
	return r->nodes.n - 1;
}

/* ---- the tree ---- */

struct walk {
	uint32_t service, node;
	bool may_grow;
	struct buf text;
};

/* 0: there is no such place, and none may be added; negative: no memory. */
static int step(struct routes *r, struct walk *w, const char *segment, size_t len)
{
	bool is_place = !is_name(segment, len) && !(len == strlen(PLACE) && !memcmp(segment, PLACE, len));
	uint32_t place = strpool_add(&r->words, PLACE), word = is_place ? place : strpool_add_len(&r->words, segment, len), next;

	if (strpool_error(&r->words))
		return -ENOMEM;
	is_place = word == place;
	next = child_of(r, w->node, word);
	if (!next && !is_place && r->nodes.v[w->node].n_names >= r->max_names) {
		word = place;
		is_place = true;
		next = child_of(r, w->node, word);
	}
	if (!next && w->may_grow) {
		next = add_child(r, w->node, word, is_place);
		if (!next)
			return -ENOMEM;
	}
	w->node = next;
	buf_putc(&w->text, '/');
	buf_puts(&w->text, strpool_str(&r->words, word));
	return next != 0;
}

/* path begins with a slash. The route that ends there, or 0 with errno 0, ENOMEM. */
static uint32_t walk_path(struct routes *r, struct walk *w, const char *path, size_t len)
{
	const char *end = path + len, *at = path;
	struct node *last;
	int n = 0, more = 1;

	w->node = r->services.v[w->service - 1].root;
	while (at < end && more > 0 && n++ < MAX_SEGMENTS) {
		const char *next = memchr(at + 1, '/', (size_t)(end - at - 1));

		if (!next)
			next = end;
		more = step(r, w, at + 1, (size_t)(next - at - 1));
		at = next;
	}
	buf_putc(&w->text, '\0');
	if (more < 0 || buf_error(&w->text) || !more)
		return 0;
	last = &r->nodes.v[w->node];
	if (last->route || !w->may_grow)
		return last->route;
	last->route = intern(r, w->service, (const char *)w->text.data, true);
	r->services.v[w->service - 1].n_routes += last->route != 0;
	return last->route;
}

static uint32_t learn(struct routes *r, uint32_t service, const char *path, size_t len)
{
	struct walk w = { .service = service, .may_grow = r->services.v[service - 1].n_routes < r->max_per_service };
	uint32_t id = walk_path(r, &w, path, len);

	buf_fini(&w.text);
	return id || w.may_grow ? id : overflow_of(r, service);
}

uint32_t routes_find(struct routes *r, const char *service, const char *path, size_t len)
{
	uint32_t id = find_service(r, service);
	const char *pattern = route_patterns_match(&r->patterns, path, len);

	if (!id)
		return 0;
	if (pattern)
		return intern(r, id, pattern, false);
	if (!r->learn)
		return intern(r, id, "", false);
	if (!len || *path != '/') /* of OPTIONS and CONNECT */
		return intern(r, id, len == 1 && *path == '*' ? "*" : "", false);
	return learn(r, id, path, len);
}

uint32_t routes_overflow(struct routes *r, const char *service)
{
	uint32_t id = find_service(r, service);

	return id ? overflow_of(r, id) : 0;
}

/* ---- the file ---- */

bool routes_changed(const struct routes *r)
{
	return r->changed;
}

static int load_line(struct routes *r, char *line)
{
	char *tab = strchr(line, '\t');
	uint32_t service;

	if (!tab || tab[1] != '/')
		return -EINVAL;
	*tab = '\0';
	service = find_service(r, line);
	return service && learn(r, service, tab + 1, strlen(tab + 1)) ? 0 : -ENOMEM;
}

int routes_load(struct routes *r, const char *path)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	char *line, *rest;
	int result = file_read_path(AT_FDCWD, path, MAX_FILE, &b);

	if (result < 0)
		return result == -ENOENT ? 0 : result;
	buf_putc(&b, '\0');
	if (buf_error(&b))
		return -ENOMEM;
	for (rest = (char *)b.data; !result && (line = strsep(&rest, "\n"));)
		result = *line ? load_line(r, line) : 0;
	r->changed = false;
	return result;
}

static void write_routes(const struct routes *r, struct buf *to)
{
	vec_foreach(route, &r->routes)
		if (route->learned)
			buf_printf(to, "%s\t%s\n", strpool_str(&r->names, route->service), strpool_str(&r->words, route->text));
}

int routes_save(struct routes *r, const char *path)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	_cleanup_(closep) int fd = -1;
	const char *slash = strrchr(path, '/');
	char temp[4096];
	int result;

	write_routes(r, &b);
	if (buf_error(&b))
		return -ENOMEM;
	if (snprintf(temp, sizeof(temp), "%s.new", path) >= (int)sizeof(temp))
		return -ENAMETOOLONG;
	result = slash && slash > path ? file_make_path(path, (size_t)(slash - path)) : 0;
	if (result < 0)
		return result;
	unlink(temp);
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	result = file_write_all(fd, b.data, b.len);
	if (!result && rename(temp, path) < 0)
		result = -errno;
	if (result < 0)
		unlink(temp);
	else
		r->changed = false;
	return result;
}
