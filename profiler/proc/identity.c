/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/identity.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/units.h"
#include "bpf/events.h"
#include "proc/declared.h"
#include "proc/executable.h"
#include "proc/labels.h"
#include "proc/placement.h"
#include "proc/pods.h"
#include "proc/process.h"
#include "proc/process_context.h"
#include "proc/service.h"
#include "proc/startup.h"
#include "proc/users.h"

enum { VALUE_MAX = 4096, ASKS_MAX = 3 };

/* An SDK publishes its context while its program starts, and a server's child becomes another user: there is none sooner, and
 * none later if not then. A look costs a walk over the process's mappings, so those that live shorter are spared it. */
static const uint64_t look_after_ns[] = { 1 * NSEC_PER_SEC, 10 * NSEC_PER_SEC };

/* ---- what it says of itself ---- */

/* Replaces what was known. */
static int keep(struct process *p, const struct strmap *declared)
{
	_cleanup_(buf_fini) struct buf text = BUF_INIT;
	char *copy = NULL;

	if (declared->v.n) {
		labels_print(declared, &text);
		copy = buf_error(&text) ? NULL : strdup((const char *)text.data);
		if (!copy)
			return -ENOMEM;
	}
	free(p->declared);
	p->declared = copy;
	return 0;
}

static int parse_kept(const struct process *p, struct strmap *to)
{
	return p->declared ? labels_parse(p->declared, to) : 0;
}

/* In the order of declared.h: what is kept already is a context's. 1: a variable names it. */
static int add_start(const struct process *p, const struct startup *start, struct strmap *to)
{
	const char *env = (const char *)start->env.data;
	int r = declared_add_attributes(to, env, start->env.len);

	if (r >= 0)
		r = parse_kept(p, to);
	return r < 0 ? r : declared_add_service_name(to, env, start->env.len);
}

/* Once, since a title may be written over it later (setproctitle). Out of memory it is asked again. */
static bool learn_start(const struct identity_view *v, struct startup *start)
{
	struct process *p = v->process;
	struct strmap declared = { 0 };
	int r;

	startup_read(p, v->rest, start);
	p->asked += !start->known && p->asked < ASKS_MAX;
	if (!start->known)
		return false;
	r = add_start(p, start, &declared);
	if (r >= 0 && keep(p, &declared) >= 0) {
		p->named = r;
		p->declared_known = true;
	}
	strmap_fini(&declared);
	return true;
}

static bool is_time_to_look(const struct identity_view *v)
{
	const struct process *p = v->process;

	return p->looks < ARRAY_SIZE(look_after_ns) && !p->exited_ns && v->time_ns >= p->program_ns + look_after_ns[p->looks];
}

/* Nobody may read it, or it is too large: only a sample that brings it can tell more. */
static bool is_given_up(const struct identity_view *v)
{
	return v->process->asked >= ASKS_MAX && !(v->rest && v->rest->start_bytes);
}

static int add_context(const struct process *p, const struct buf *message, struct strmap *to)
{
	char name[DECLARED_VALUE_MAX + 1];
	int r = parse_kept(p, to);

	if (r >= 0 && p->named)
		snprintf(name, sizeof(name), "%s", strmap_get(to, "service.name"));
	if (r >= 0)
		r = declared_add_context(to, message->data, message->len);
	return r < 0 || !p->named ? r : strmap_set(to, "service.name", name);
}

/* The looks that are still to come find nothing new once one was found. */
static bool learn_context(const struct identity_view *v)
{
	_cleanup_(buf_fini) struct buf message = BUF_INIT;
	struct process *p = v->process;
	struct strmap declared = { 0 };
	bool news;

	if (process_context_read((pid_t)p->pid, &message) < 0)
		return false;
	p->looks = ARRAY_SIZE(look_after_ns);
	news = add_context(p, &message, &declared) >= 0 && keep(p, &declared) >= 0;
	strmap_fini(&declared);
	return news;
}

/* A fork has its parent's, until a sample or a look says that it became another. The owner of its folder is its
 * effective user. */
static bool learn_user(const struct identity_view *v, bool look)
{
	struct process *p = v->process;
	bool was_known = p->uid_known;
	uint32_t was = p->uid;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u", p->pid);
	if (v->rest)
		p->uid = v->rest->uid;
	else if ((look || !(p->uid_known || identity_is_settled(v))) && executable_is_current(p) &&
		 !stat(path, &st))
		p->uid = st.st_uid;
	else
		return false;
	p->uid_known = true;
	return !was_known || p->uid != was;
}

bool identity_learn(const struct identity_view *v, struct startup *start)
{
	struct process *p = v->process;
	bool look, news;

	if (!p || v->kernel_thread)
		return false;
	look = is_time_to_look(v);
	while (is_time_to_look(v))
		p->looks++;
	news = learn_user(v, look);
	if (!p->declared_known && !is_given_up(v))
		news |= learn_start(v, start);
	if (look)
		news |= learn_context(v);
	return news;
}

bool identity_is_settled(const struct identity_view *v)
{
	const struct process *p = v->process;

	return !p || v->kernel_thread || p->declared_known || p->asked >= ASKS_MAX;
}

/* ---- labels ---- */

static void set(struct strmap *m, const char *name, const char *value)
{
	char text[VALUE_MAX];

	if (!*value)
		return;
	snprintf(text, sizeof(text), "%s", value);
	declared_make_printable(text);
	strmap_set(m, name, text);
}

static void set_number(struct strmap *m, const char *name, unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	set(m, name, text);
}

/* Its arguments with spaces between them. */
static void set_command_line(struct strmap *m, const struct identity_view *v, struct startup *start)
{
	_cleanup_(buf_fini)
	struct buf line = BUF_INIT;

	if (!start->known)
		startup_read(v->process, v->rest, start);
	buf_append(&line, start->args.data, start->args.len);
	for (size_t i = 0; i + 1 < line.len; i++)
		line.data[i] = line.data[i] ? line.data[i] : ' ';
	buf_putc(&line, '\0');
	if (!buf_error(&line))
		set(m, "__meta_process_commandline", (const char *)line.data);
}

/* Numbers in a container are its image's; which names they have there the host does not know. */
static void set_user(struct strmap *m, const struct process *p, const struct placement *at,
		     struct users *users)
{
	const char *name =
		users && p->uid_known && !at->container[0] ? users_name(users, p->uid) : NULL;

	if (p->uid_known)
		set_number(m, "__meta_process_uid", p->uid);
	if (name)
		set(m, "__meta_process_username", name);
}

static void set_placement(struct strmap *m, const struct placement *at, const char *cgroup)
{
	set(m, "__meta_cgroup_path", cgroup);
	set(m, "__container_id__", at->container);
	set(m, "__meta_container_runtime", at->runtime);
	set(m, "__meta_kubernetes_pod_uid", at->pod_uid);
	set(m, "__meta_systemd_unit", at->unit);
}

/* "service.version" is asked for as __meta_otel_service_version. */
static void set_declared(struct strmap *m, const struct strmap *declared)
{
	char name[DECLARED_NAME_MAX + 16];

	vec_foreach(e, &declared->v)
	{
		snprintf(name, sizeof(name), "__meta_otel_%s", e->key);
		for (char *c = name; *c; c++)
			*c = isalnum((unsigned char)*c) ? *c : '_';
		set(m, name, e->value);
	}
}

static void set_process(struct strmap *m, const struct identity_view *v, struct startup *start)
{
	const struct process *p = v->process;
	char exe[PATH_MAX];

	set_number(m, "__process_pid__", p->pid);
	set(m, "__meta_process_comm", p->comm);
	if (executable_path(p, exe, sizeof(exe)))
		set(m, "__meta_process_exe", exe);
	set_command_line(m, v, start);
}

/* What it says of itself, what its pod's list says, what its cgroup's path says. */
struct known {
	struct strmap declared, pod;
	struct placement at;
	bool pod_listed;
};

static void look_up(const struct identity_view *v, const struct pods *pods, struct known *ret)
{
	*ret = (struct known){ .pod_listed = true };
	if (v->process)
		parse_kept(v->process, &ret->declared);
	placement_of(v->cgroup, &ret->at);
	if (ret->at.pod_uid[0])
		ret->pod_listed = pods && pods_labels(pods, ret->at.container, ret->at.pod_uid, &ret->pod) > 0;
}

bool identity_labels(const struct identity_view *v, const struct identity_lists *lists, bool all,
		     struct startup *start, struct strmap *to)
{
	char service[SERVICE_NAME_MAX] = SERVICE_KERNEL;
	struct known known;

	look_up(v, lists->pods, &known);
	if (!v->kernel_thread)
		service_name(v->process, &known.declared, &known.pod, v->cgroup, service, sizeof(service));
	set(to, "service_name", service);
	if (all && v->process && !v->kernel_thread) {
		set_process(to, v, start);
		set_user(to, v->process, &known.at, lists->users);
		set_placement(to, &known.at, v->cgroup);
		set_declared(to, &known.declared);
		strmap_copy(&known.pod, to);
	}
	strmap_fini(&known.declared);
	strmap_fini(&known.pod);
	return known.pod_listed;
}
