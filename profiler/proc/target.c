/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/strpool.h"
#include "base/units.h"
#include "proc/placement.h"
#include "proc/process.h"
#include "proc/relabel.h"
#include "proc/service.h"

enum { MAX_TARGETS = 4096, COMMAND_LINE_MAX = 4096 };

/*
 * A process keeps the id of its label set with the generation it is of: containers come and go, so a full
 * table is emptied and every process asked anew.
 */
struct targets {
	struct strpool sets;
	uint32_t generation; /* in the upper half of process.target */
	struct relabel *rules;
	struct strmap labels; /* of the process at hand */
};

#define GENERATION_SHIFT 16
#define ID_MASK ((1u << GENERATION_SHIFT) - 1)

/* Text of a target that the rules leave out; no set of labels has it. */
static const char left_out[] = "-";

int targets_new(struct targets **ret)
{
	struct targets *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	*ret = t;
	return 0;
}

struct targets *targets_free(struct targets *t)
{
	if (!t)
		return NULL;
	relabel_free(t->rules);
	strpool_fini(&t->sets);
	strmap_fini(&t->labels);
	free(t);
	return NULL;
}

static void begin_anew(struct targets *t)
{
	strpool_reset(&t->sets);
	t->generation = (t->generation + 1) & 0xffff;
}

void targets_set_rules(struct targets *t, struct relabel *rules)
{
	relabel_free(t->rules);
	t->rules = rules;
	begin_anew(t);
}

/* ---- what is known of a process ---- */

/* One that says nothing is none; out of memory the label is missing, and with it what rules would make of it. */
static void set(struct strmap *m, const char *name, const char *value)
{
	char text[COMMAND_LINE_MAX];

	if (!*value)
		return;
	snprintf(text, sizeof(text), "%s", value);
	service_make_printable(text);
	strmap_set(m, name, text);
}

static void set_number(struct strmap *m, const char *name, unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	set(m, name, text);
}

/* Its arguments with spaces between them. */
static void set_command_line(struct strmap *m, uint32_t pid)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/cmdline", pid);
	if (file_read_path(AT_FDCWD, path, 256 * KIB, &b) < 0 || !b.len)
		return;
	for (size_t i = 0; i + 1 < b.len; i++)
		b.data[i] = b.data[i] ? b.data[i] : ' ';
	buf_putc(&b, '\0');
	if (!buf_error(&b))
		set(m, "__meta_process_commandline", (const char *)b.data);
}

/* The owner of its folder is its effective user; the name is the host's. */
static void set_user(struct strmap *m, uint32_t pid)
{
	char path[64], buffer[1024];
	struct passwd pw, *found = NULL;
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u", pid);
	if (stat(path, &st) < 0)
		return;
	set_number(m, "__meta_process_uid", st.st_uid);
	if (!getpwuid_r(st.st_uid, &pw, buffer, sizeof(buffer), &found) && found)
		set(m, "__meta_process_username", found->pw_name);
}

static void set_placement(struct strmap *m, const char *cgroup)
{
	struct placement at;

	placement_of(cgroup, &at);
	set(m, "__meta_cgroup_path", cgroup);
	set(m, "__container_id__", at.container);
	set(m, "__meta_container_runtime", at.runtime);
	set(m, "__meta_kubernetes_pod_uid", at.pod_uid);
	set(m, "__meta_systemd_unit", at.unit);
}

static void describe(struct strmap *m, const struct process *p, const char *cgroup)
{
	char exe[PATH_MAX];

	set_number(m, "__process_pid__", p->pid);
	set(m, "__meta_process_comm", p->comm);
	if (process_executable(p, exe, sizeof(exe)))
		set(m, "__meta_process_exe", exe);
	if (!p->exited_ns) {
		set_command_line(m, p->pid);
		set_user(m, p->pid);
	}
	set_placement(m, cgroup);
}

/* ---- its labels ---- */

static void drop_hidden(struct strmap *m)
{
	for (uint32_t i = 0; i < m->v.n;)
		if (!strncmp(m->v.v[i].key, "__", 2))
			strmap_unset(m, m->v.v[i].key);
		else
			i++;
}

/* "name=value\n" each: names have no =, values no line's end. */
static const char *text_of(const struct strmap *m, struct buf *out)
{
	vec_foreach(e, &m->v)
		buf_printf(out, "%s=%s\n", e->key, e->value);
	buf_putc(out, '\0');
	return buf_error(out) ? "" : (const char *)out->data;
}

int target_labels(const char *text, struct strmap *to)
{
	_cleanup_(freep) char *copy = strdup(text);
	char *rest = copy, *line;
	int r = copy ? 0 : -ENOMEM;

	while (r >= 0 && (line = strsep(&rest, "\n")) && *line) {
		char *eq = strchr(line, '=');

		if (!eq)
			break;
		*eq = '\0';
		r = strmap_set(to, line, eq + 1);
	}
	return r;
}

static uint32_t intern(struct targets *t, const char *text)
{
	if (t->sets.entries.n > MAX_TARGETS)
		begin_anew(t);
	return strpool_add(&t->sets, text) | t->generation << GENERATION_SHIFT;
}

static uint32_t decide(struct targets *t, const struct process *p, const char *cgroup, bool kernel_thread)
{
	_cleanup_(buf_fini) struct buf text = BUF_INIT;
	char service[SERVICE_NAME_MAX] = SERVICE_KERNEL;

	strmap_fini(&t->labels);
	if (!kernel_thread)
		service_name(p, cgroup, service, sizeof(service));
	set(&t->labels, "service_name", service);
	if (t->rules && p && !kernel_thread)
		describe(&t->labels, p, cgroup);
	if (t->rules && !relabel_apply(t->rules, &t->labels))
		return intern(t, left_out);
	drop_hidden(&t->labels);
	if (!strmap_get(&t->labels, "service_name"))
		set(&t->labels, "service_name", service);
	return intern(t, text_of(&t->labels, &text));
}

const char *targets_find(struct targets *t, struct process *p, const char *cgroup, bool kernel_thread)
{
	uint32_t id = p ? p->target : 0;
	const char *text;

	if (!(id & ID_MASK) || id >> GENERATION_SHIFT != t->generation) {
		id = decide(t, p, cgroup, kernel_thread);
		if (p)
			p->target = id;
	}
	if (!(id & ID_MASK)) /* out of memory */
		return "service_name=unknown\n";
	text = strpool_str(&t->sets, id & ID_MASK);
	return strcmp(text, left_out) ? text : "";
}
