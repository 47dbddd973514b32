/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/pods.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "proc/declared.h"

enum { DEPTH_MAX = 24, PATH_LEN = 256, TEXT_LEN = 1024 };

struct container {
	char *id; /* without "containerd://" */
	char *name, *image;
	uint32_t pod;
};

struct pod {
	char *uid;
	struct strmap labels;
};

struct owner {
	char kind[64], name[TEXT_LEN];
};

struct pods {
	vec(struct pod) v;
	vec(struct container) containers;
	uint32_t left_out;
	size_t bytes; /* of labels */
};

/*
 * Where in the document we are: ".items[].metadata.labels" with the name of the value at hand in key. Names of labels
 * have dots in them: they are never part of a path that is compared.
 */
struct pods_reader {
	yajl_handle parser;
	struct pods *pods;
	int error;
	bool list; /* its kind says so, or it has items */
	char path[PATH_LEN], key[TEXT_LEN];
	uint16_t depth, ends[DEPTH_MAX]; /* of path, before each open bracket */
	bool in_map[DEPTH_MAX + 1];
	struct pod pod; /* the one at hand */
	struct owner owner,
		controller; /* the one at hand, and of the owners the one that controls the pod */
	bool controls;
	struct container container;
	vec(struct container) found; /* of this pod */
};

static void pod_fini(struct pod *p)
{
	free(p->uid);
	strmap_fini(&p->labels);
}

static void container_fini(struct container *c)
{
	free(c->id);
	free(c->name);
	free(c->image);
	*c = (struct container){ 0 };
}

struct pods *pods_free(struct pods *p)
{
	if (!p)
		return NULL;
	vec_foreach(pod, &p->v)
		pod_fini(pod);
	vec_foreach(c, &p->containers)
		container_fini(c);
	vec_fini(&p->v);
	vec_fini(&p->containers);
	free(p);
	return NULL;
}

/* ---- values ---- */

static bool at(const struct pods_reader *r, const char *path, const char *key)
{
	return !strcmp(r->path, path) && (!key || !strcmp(r->key, key));
}

/* "app.kubernetes.io/name" is asked for as app_kubernetes_io_name. */
static void label(struct pods_reader *r, const char *prefix, const char *name, const char *value)
{
	char full[TEXT_LEN + 64], text[TEXT_LEN];
	struct strmap *m = &r->pod.labels;
	size_t n;

	snprintf(full, sizeof(full), "__meta_kubernetes_%s%s", prefix, name);
	for (char *c = full; *c; c++)
		*c = isalnum((unsigned char)*c) ? *c : '_';
	snprintf(text, sizeof(text), "%s", value);
	declared_make_printable(text);
	n = strlen(full) + strlen(text);
	if (!*text)
		return;
	if (r->pods->bytes + n > PODS_BYTES_MAX) {
		r->pods->left_out++;
		return;
	}
	r->pods->bytes += n;
	if (strmap_set(m, full, text) < 0)
		r->error = -ENOMEM;
}

static void keep(struct pods_reader *r, char **slot, const char *value)
{
	free(*slot);
	*slot = strdup(value);
	if (!*slot)
		r->error = -ENOMEM;
}

static bool in_status_of_container(const struct pods_reader *r)
{
	return at(r, ".items[].status.containerStatuses[]", NULL) || at(r, ".items[].status.initContainerStatuses[]", NULL) ||
	       at(r, ".items[].status.ephemeralContainerStatuses[]", NULL);
}

static void container_value(struct pods_reader *r, const char *value)
{
	const char *id = strstr(value, "://");

	if (!strcmp(r->key, "name"))
		keep(r, &r->container.name, value);
	else if (!strcmp(r->key, "image"))
		keep(r, &r->container.image, value);
	else if (!strcmp(r->key, "containerID") && id)
		keep(r, &r->container.id, id + 3);
}

static void owner_value(struct pods_reader *r, const char *value)
{
	if (!strcmp(r->key, "kind"))
		snprintf(r->owner.kind, sizeof(r->owner.kind), "%.*s",
			 (int)sizeof(r->owner.kind) - 1, value);
	else if (!strcmp(r->key, "name"))
		snprintf(r->owner.name, sizeof(r->owner.name), "%s", value);
}

static void plain_value(struct pods_reader *r, const char *value)
{
	static const struct {
		const char *path, *key, *name;
	} rows[] = {
		{ ".items[].metadata", "namespace", "namespace" }, { ".items[].metadata", "name", "pod_name" },
		{ ".items[].spec", "nodeName", "node_name" },	   { ".items[].status", "phase", "pod_phase" },
		{ ".items[].status", "podIP", "pod_ip" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (at(r, rows[i].path, rows[i].key))
			label(r, rows[i].name, "", value);
	if (at(r, ".items[].metadata", "uid"))
		keep(r, &r->pod.uid, value);
	if (at(r, "", "kind"))
		r->list = !strcmp(value, "PodList") || !strcmp(value, "List");
}

static int on_string(void *ctx, const unsigned char *s, size_t len)
{
	struct pods_reader *r = ctx;
	char value[TEXT_LEN];

	snprintf(value, sizeof(value), "%.*s", (int)(len < sizeof(value) ? len : sizeof(value)), (const char *)s);
	if (at(r, ".items[].metadata.labels", NULL))
		label(r, "pod_label_", r->key, value);
	else if (at(r, ".items[].metadata.annotations", NULL) && len <= PODS_ANNOTATION_MAX)
		label(r, "pod_annotation_", r->key, value);
	else if (at(r, ".items[].metadata.ownerReferences[]", NULL))
		owner_value(r, value);
	else if (in_status_of_container(r))
		container_value(r, value);
	else
		plain_value(r, value);
	return !r->error;
}

static int on_boolean(void *ctx, int value)
{
	struct pods_reader *r = ctx;

	if (at(r, ".items[].metadata.ownerReferences[]", "controller"))
		r->controls = value;
	return 1;
}

/* ---- ends of objects ---- */

/* "web-7d4b9c6f5" of a ReplicaSet is its Deployment's "web", when the pod bears that hash. */
static void label_deployment(struct pods_reader *r)
{
	const char *hash =
		strmap_get(&r->pod.labels, "__meta_kubernetes_pod_label_pod_template_hash");
	char *name = r->controller.name;
	size_t n = strlen(name), tail = hash ? strlen(hash) + 1 : 0;

	if (strcmp(r->controller.kind, "ReplicaSet") || !hash || n <= tail ||
	    name[n - tail] != '-' || strcmp(name + n - tail + 1, hash))
		return;
	name[n - tail] = '\0';
	label(r, "pod_deployment_name", "", name);
}

/* What follows from the labels waits for the pod's end: they may still be to come. */
static void end_owner(struct pods_reader *r)
{
	if (r->controls) {
		label(r, "pod_controller_kind", "", r->owner.kind);
		label(r, "pod_controller_name", "", r->owner.name);
		r->controller = r->owner;
	}
	r->owner = (struct owner){ 0 };
	r->controls = false;
}

static void end_container(struct pods_reader *r)
{
	struct container *slot = r->container.id ? vec_push(&r->found) : NULL;

	if (slot)
		*slot = r->container;
	else if (r->container.id)
		r->error = -ENOMEM;
	if (!slot)
		container_fini(&r->container);
	r->container = (struct container){ 0 };
}

static void forget_pod(struct pods_reader *r)
{
	pod_fini(&r->pod);
	r->pod = (struct pod){ 0 };
	vec_foreach(c, &r->found)
		container_fini(c);
	r->found.n = 0;
	r->controller = (struct owner){ 0 };
}

static void end_pod(struct pods_reader *r)
{
	struct pods *p = r->pods;

	label_deployment(r);
	if (!r->pod.uid || p->v.n >= PODS_MAX) {
		p->left_out += r->pod.uid != NULL;
		forget_pod(r);
		return;
	}
	if (vec_reserve(&p->containers, r->found.n) < 0 || vec_reserve(&p->v, 1) < 0) {
		r->error = -ENOMEM;
		return;
	}
	vec_foreach(c, &r->found)
	{
		c->pod = p->v.n;
		p->containers.v[p->containers.n++] = *c;
	}
	r->found.n = 0;
	p->v.v[p->v.n++] = r->pod;
	r->pod = (struct pod){ 0 };
	forget_pod(r);
}

/* ---- the path ---- */

/* Cut, a path is like none that matters: those are short. */
static int open_bracket(struct pods_reader *r, bool map)
{
	size_t n = strlen(r->path);
	bool named = r->depth && r->in_map[r->depth];

	if (r->depth == DEPTH_MAX)
		return 0;
	r->ends[r->depth] = (uint16_t)n;
	snprintf(r->path + n, sizeof(r->path) - n, "%s%s%s", named ? "." : "", named ? r->key : "", map ? "" : "[]");
	r->in_map[++r->depth] = map;
	if (!map && at(r, ".items[]", NULL))
		r->list = true;
	return 1;
}

static int close_bracket(struct pods_reader *r)
{
	r->path[r->ends[--r->depth]] = '\0';
	r->key[0] = '\0';
	return !r->error;
}

static int on_start_map(void *ctx)
{
	return open_bracket(ctx, true);
}

static int on_start_array(void *ctx)
{
	return open_bracket(ctx, false);
}

static int on_map_key(void *ctx, const unsigned char *s, size_t len)
{
	struct pods_reader *r = ctx;

	snprintf(r->key, sizeof(r->key), "%.*s", (int)(len < sizeof(r->key) ? len : sizeof(r->key)), (const char *)s);
	return 1;
}

static int on_end_map(void *ctx)
{
	struct pods_reader *r = ctx;

	if (at(r, ".items[].metadata.ownerReferences[]", NULL))
		end_owner(r);
	else if (in_status_of_container(r))
		end_container(r);
	else if (at(r, ".items[]", NULL))
		end_pod(r);
	return close_bracket(r);
}

static int on_end_array(void *ctx)
{
	return close_bracket(ctx);
}

/* ---- a reader ---- */

int pods_reader_new(struct pods_reader **ret)
{
	static const yajl_callbacks calls = { .yajl_boolean = on_boolean, .yajl_string = on_string, .yajl_start_map = on_start_map,
					      .yajl_map_key = on_map_key, .yajl_end_map = on_end_map,
					      .yajl_start_array = on_start_array, .yajl_end_array = on_end_array };
	struct pods_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->pods = calloc(1, sizeof(*r->pods));
	r->parser = r->pods ? yajl_alloc(&calls, NULL, r) : NULL;
	if (!r->parser) {
		pods_reader_free(r);
		return -ENOMEM;
	}
	*ret = r;
	return 0;
}

struct pods_reader *pods_reader_free(struct pods_reader *r)
{
	if (!r)
		return NULL;
	if (r->parser)
		yajl_free(r->parser);
	forget_pod(r);
	vec_fini(&r->found);
	container_fini(&r->container);
	pods_free(r->pods);
	free(r);
	return NULL;
}

int pods_reader_feed(struct pods_reader *r, const void *data, size_t len)
{
	if (!r->error && yajl_parse(r->parser, data, len) != yajl_status_ok && !r->error)
		r->error = -EBADMSG;
	return r->error;
}

int pods_reader_finish(struct pods_reader *r, struct pods **ret)
{
	if (!r->error && (yajl_complete_parse(r->parser) != yajl_status_ok || !r->list) && !r->error)
		r->error = -EBADMSG;
	if (r->error)
		return r->error;
	*ret = take_ptr(r->pods);
	return 0;
}

/* ---- the table ---- */

uint32_t pods_count(const struct pods *p)
{
	return p->v.n;
}

uint32_t pods_left_out(const struct pods *p)
{
	return p->left_out;
}

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

bool pods_equal(const struct pods *a, const struct pods *b)
{
	if (a->v.n != b->v.n || a->containers.n != b->containers.n)
		return false;
	for (uint32_t i = 0; i < a->v.n; i++)
		if (!same(a->v.v[i].uid, b->v.v[i].uid) || !strmap_equal(&a->v.v[i].labels, &b->v.v[i].labels))
			return false;
	for (uint32_t i = 0; i < a->containers.n; i++) {
		const struct container *x = &a->containers.v[i], *y = &b->containers.v[i];

		if (!same(x->id, y->id) || !same(x->name, y->name) || !same(x->image, y->image) || x->pod != y->pod)
			return false;
	}
	return true;
}

/* Asked once per program: a walk will do. */
static const struct container *find_container(const struct pods *p, const char *id)
{
	vec_foreach(c, &p->containers)
		if (!strcmp(c->id, id))
			return c;
	return NULL;
}

static const struct pod *find_pod(const struct pods *p, const char *uid)
{
	vec_foreach(pod, &p->v)
		if (!strcmp(pod->uid, uid))
			return pod;
	return NULL;
}

int pods_labels(const struct pods *p, const char *container, const char *pod_uid, struct strmap *to)
{
	const struct container *c = find_container(p, container);
	const struct pod *pod = c ? &p->v.v[c->pod] : find_pod(p, pod_uid);
	int r = pod ? strmap_copy(&pod->labels, to) : 0;

	if (r >= 0 && c && c->name)
		r = strmap_set(to, "__meta_kubernetes_pod_container_name", c->name);
	if (r >= 0 && c && c->image)
		r = strmap_set(to, "__meta_kubernetes_pod_container_image", c->image);
	return r < 0 ? r : pod != NULL;
}
