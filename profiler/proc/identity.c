/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/identity.h"

#include <ctype.h>
#include <limits.h>
#include <pwd.h>
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

enum { VALUE_MAX = 4096, ASKS_MAX = 3 };

/* An SDK publishes its context while its program starts: there is none sooner, and none later if not then. A look costs
 * a walk over the process's mappings, so those that live shorter are spared it. */
static const uint64_t look_after_ns[] = { 1 * NSEC_PER_SEC, 10 * NSEC_PER_SEC };

/* ---- what it says of itself ---- */

/* Replaces what was known; out of memory it is asked again. */
static void keep(struct process *p, const struct strmap *declared)
{
	_cleanup_(buf_fini) struct buf text = BUF_INIT;
	char *copy = NULL;

	if (declared->v.n) {
		labels_print(declared, &text);
		copy = buf_error(&text) ? NULL : strdup((const char *)text.data);
		if (!copy)
			return;
	}
	free(p->declared);
	p->declared = copy;
	p->declared_known = true;
}

static bool is_time_to_look(const struct identity_view *v)
{
	const struct process *p = v->process;

	return p->looks < ARRAY_SIZE(look_after_ns) && !p->exited_ns && v->time_ns >= p->program_ns + look_after_ns[p->looks];
}

/* Nobody may read it, or it is too large: only a sample that brings it can tell more. */
static bool is_given_up(const struct identity_view *v)
{
	return !v->process->declared_known && v->process->asked >= ASKS_MAX && !(v->rest && v->rest->start_bytes);
}

/* The looks that are still to come find nothing new once one was found. */
static int add_context(const struct identity_view *v, struct strmap *to)
{
	_cleanup_(buf_fini) struct buf message = BUF_INIT;
	struct process *p = v->process;

	if (!is_time_to_look(v))
		return 0;
	while (is_time_to_look(v))
		p->looks++;
	if (process_context_read((pid_t)p->pid, &message) < 0)
		return 0;
	p->looks = ARRAY_SIZE(look_after_ns);
	return declared_add_context(to, message.data, message.len);
}

/* The owner of its folder is its effective user. */
static void learn_user(const struct identity_view *v)
{
	struct process *p = v->process;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u", p->pid);
	if (v->rest)
		p->uid = v->rest->uid;
	else if (!p->uid_known && executable_is_current(p) && !stat(path, &st))
		p->uid = st.st_uid;
	else
		return;
	p->uid_known = true;
}

bool identity_learn(const struct identity_view *v)
{
	struct process *p = v->process;
	struct strmap declared = { 0 };
	struct startup start;
	bool known;
	int r;

	if (!p || v->kernel_thread || (p->declared_known && !is_time_to_look(v)) || is_given_up(v))
		return false;
	learn_user(v);
	startup_read(p, v->rest, &start);
	known = start.known;
	p->asked += !known && p->asked < ASKS_MAX;
	r = declared_add_attributes(&declared, (const char *)start.env.data, start.env.len);
	if (r >= 0)
		r = add_context(v, &declared);
	if (r >= 0)
		r = declared_add_service_name(&declared, (const char *)start.env.data, start.env.len);
	if (r >= 0 && known)
		keep(p, &declared);
	startup_fini(&start);
	strmap_fini(&declared);
	return known;
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
static void set_command_line(struct strmap *m, const struct identity_view *v)
{
	struct startup start;

	startup_read(v->process, v->rest, &start);
	for (size_t i = 0; i + 1 < start.args.len; i++)
		start.args.data[i] = start.args.data[i] ? start.args.data[i] : ' ';
	buf_putc(&start.args, '\0');
	if (!buf_error(&start.args))
		set(m, "__meta_process_commandline", (const char *)start.args.data);
	startup_fini(&start);
}

static void set_user(struct strmap *m, const struct process *p)
{
	struct passwd pw, *found = NULL;
	char buffer[1024];

	if (!p->uid_known)
		return;
	set_number(m, "__meta_process_uid", p->uid);
	if (!getpwuid_r(p->uid, &pw, buffer, sizeof(buffer), &found) && found)
		set(m, "__meta_process_username", found->pw_name);
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

static void set_process(struct strmap *m, const struct identity_view *v)
{
	const struct process *p = v->process;
	char exe[PATH_MAX];

	set_number(m, "__process_pid__", p->pid);
	set(m, "__meta_process_comm", p->comm);
	if (executable_path(p, exe, sizeof(exe)))
		set(m, "__meta_process_exe", exe);
	set_command_line(m, v);
	set_user(m, p);
}

/* What it says of itself, what its pod's list says, what its cgroup's path says. */
struct known {
	struct strmap declared, pod;
	struct placement at;
	bool pod_listed;
};

static void look_up(const struct identity_view *v, const struct pods *pods, struct known *ret)
{
	const struct process *p = v->process;

	*ret = (struct known){ .pod_listed = true };
	if (p && p->declared)
		labels_parse(p->declared, &ret->declared);
	placement_of(v->cgroup, &ret->at);
	if (ret->at.pod_uid[0])
		ret->pod_listed = pods && pods_labels(pods, ret->at.container, ret->at.pod_uid, &ret->pod) > 0;
}

bool identity_labels(const struct identity_view *v, const struct pods *pods, bool all, struct strmap *to)
{
	char service[SERVICE_NAME_MAX] = SERVICE_KERNEL;
	struct known known;

	look_up(v, pods, &known);
	if (!v->kernel_thread)
		service_name(v->process, &known.declared, &known.pod, v->cgroup, service, sizeof(service));
	set(to, "service_name", service);
	if (all && v->process && !v->kernel_thread) {
		set_process(to, v);
		set_placement(to, &known.at, v->cgroup);
		set_declared(to, &known.declared);
		strmap_copy(&known.pod, to);
	}
	strmap_fini(&known.declared);
	strmap_fini(&known.pod);
	return known.pod_listed;
}
