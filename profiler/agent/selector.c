/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/selector.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/config.h"
#include "agent/options.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/vec.h"

/* No value holds a line feed: see declared_make_printable(). */
#define SEPARATOR "\n"
#define ANY       "[^\\n]"
#define ANY_NAME  "[^/\\n]"
#define INCLUDED  "__targets_include__"

/* One entry on its way to a rule: the labels it asks for, and what they have to match. */
struct making {
	const struct selector_opts *s;
	struct relabel_opts *rule;
	struct buf regex;
	char *err;
	size_t err_len;
};

static int refuse(struct making *m, const char *key, const char *glob, const char *why)
{
	snprintf(m->err, m->err_len, "%s: '%s' %s", key, glob, why);
	return -EINVAL;
}

/* ---- globs ---- */

static void put_literal(struct buf *out, char c)
{
	if (strchr("\\.+*?()|[]{}^$-", c))
		buf_putc(out, '\\');
	buf_putc(out, c);
}

/* "[a-z]", "[!0-9]": at is behind the bracket. What follows it; NULL: it is not closed, or not to be had. */
static const char *put_set(struct buf *out, const char *at)
{
	bool not = *at == '!' || *at == '^';
	const char *first = at += not ;

	buf_puts(out, not ? "[^\\n" : "[");
	for (; *at && (*at != ']' || at == first); at++) {
		if (at[0] == '[' && at[1] && strchr(":.=", at[1]))
			return NULL;
		at += *at == '\\' && at[1];
		*at == '-' && at > first &&at[1] != ']' ? buf_putc(out, '-')
							: put_literal(out, *at);
	}
	buf_putc(out, ']');
	return *at ? at + 1 : NULL;
}

static int put_glob(struct making *m, const char *key, const char *glob, const char *any)
{
	if (*glob && !glob[strspn(glob, "*")]) {
		buf_printf(&m->regex, "%s+", any);
		return 0;
	}
	for (const char *at = glob; *at;) {
		char c = *at++;

		if (c == '*' || c == '?') {
			buf_printf(&m->regex, "%s%s", any, c == '*' ? "*" : "");
		} else if (c == '[') {
			at = put_set(&m->regex, at);
			if (!at)
				return refuse(
					m, key, glob,
					"has a [ that is not closed, or a class like [:digit:]: "
					"write [0-9], or \\[ for the bracket itself");
		} else {
			put_literal(&m->regex, c == '\\' && *at ? *at++ : c);
		}
	}
	return 0;
}

/* ---- keys ---- */

/* One more label that the rule looks at. */
static int ask(struct making *m, const char *label)
{
	char err[128];

	if (m->rule->source_labels.n)
		buf_puts(&m->regex, "\\n");
	return option_add(option_find(&relabel_options, "source_labels"), m->rule, label, err,
			  sizeof(err));
}

static int put_service(struct making *m)
{
	int r = m->s->service ? ask(m, "service_name") : 0;

	return r < 0 || !m->s->service ? r : put_glob(m, "service", m->s->service, ANY);
}

/* Its id, or its name. */
static int put_container(struct making *m)
{
	const char *glob = m->s->container;
	char err[128];
	int r = glob ? ask(m, "__container_id__") : 0;

	if (!glob || r < 0)
		return r;
	buf_puts(&m->regex, "(?:");
	r = put_glob(m, "container", glob, ANY);
	buf_puts(&m->regex, "\\n" ANY "*|" ANY "*\\n");
	if (r >= 0)
		r = put_glob(m, "container", glob, ANY);
	buf_putc(&m->regex, ')');
	return r < 0 ? r
		     : option_add(option_find(&relabel_options, "source_labels"), m->rule,
				  "__meta_kubernetes_pod_container_name", err, sizeof(err));
}

static int put_pod_labels(struct making *m)
{
	int r = 0;

	vec_foreach(e, &m->s->pod_label.v) {
		_cleanup_(buf_fini) struct buf label = BUF_INIT;

		buf_puts(&label, "__meta_kubernetes_pod_label_");
		for (const char *c = e->key; *c; c++)
			buf_putc(&label, isalnum((unsigned char)*c) ? *c : '_');
		buf_putc(&label, '\0');
		if (r >= 0)
			r = buf_error(&label) ? -ENOMEM : ask(m, (const char *)label.data);
		if (r >= 0)
			r = put_glob(m, "pod_label", e->value, ANY);
	}
	return r;
}

/* It, or what lies below it; the root's is every cgroup. */
static int put_cgroup(struct making *m)
{
	_cleanup_(freep) char *glob = m->s->cgroup ? strdup(m->s->cgroup + strspn(m->s->cgroup, "/")) : NULL;
	size_t n = glob ? strlen(glob) : 0;
	int r = glob ? ask(m, "__meta_cgroup_path") : m->s->cgroup ? -ENOMEM : 0;

	if (!glob || r < 0)
		return r;
	while (n && glob[n - 1] == '/')
		glob[--n] = '\0';
	buf_putc(&m->regex, '/');
	r = put_glob(m, "cgroup", glob, ANY);
	buf_puts(&m->regex, n ? "(?:/" ANY "*)?" : ANY "*");
	return r;
}

static int put_user(struct making *m)
{
	const char *user = m->s->user;
	bool number = user && !user[strspn(user, "0123456789")];
	int r = user ? ask(m, number ? "__meta_process_uid" : "__meta_process_username") : 0;

	return r < 0 || !user ? r : put_glob(m, "user", user, ANY);
}

static int put_executable(struct making *m)
{
	const char *glob = m->s->executable;
	bool path = glob && strchr(glob, '/');
	int r = glob ? ask(m, "__meta_process_exe") : 0;

	if (r < 0 || !glob)
		return r;
	buf_puts(&m->regex, path ? "" : "(?:" ANY "*/)?");
	return put_glob(m, "executable", glob, path ? ANY : ANY_NAME);
}

static int put_pid(struct making *m)
{
	int r = m->s->pid ? ask(m, "__process_pid__") : 0;

	if (r >= 0 && m->s->pid)
		buf_printf(&m->regex, "%u", m->s->pid);
	return r;
}

/* ---- rules ---- */

static int set(struct relabel_opts *rule, const char *key, const char *value)
{
	char err[128];

	return option_set(option_find(&relabel_options, key), rule, value, err, sizeof(err));
}

static int add(struct relabel_list *to, const char *action, struct relabel_opts **ret)
{
	struct relabel_opts *rule = vec_push(to);
	int r = rule ? options_init(&relabel_options, rule) : -ENOMEM;

	*ret = rule;
	return r < 0 ? r : set(rule, "action", action);
}

/* The labels and the expression of an entry. */
static int fill(const struct selector_opts *s, struct relabel_opts *rule, char *err, size_t err_len)
{
	static int (*const keys[])(struct making *) = { put_service, put_container, put_pod_labels,
							put_cgroup,  put_user,      put_executable,
							put_pid };
	struct making m = { .s = s, .rule = rule, .err = err, .err_len = err_len };
	int r = set(rule, "separator", SEPARATOR);

	for (size_t i = 0; i < ARRAY_SIZE(keys) && r >= 0; i++)
		r = keys[i](&m);
	buf_putc(&m.regex, '\0');
	if (r >= 0 && buf_error(&m.regex))
		r = -ENOMEM;
	if (r >= 0)
		r = set(rule, "regex", (const char *)m.regex.data);
	buf_fini(&m.regex);
	return r;
}

int selector_check(const struct selector_opts *s, char *err, size_t err_len)
{
	struct relabel_opts rule = { 0 };
	int r = fill(s, &rule, err, err_len);

	if (r >= 0 && !rule.source_labels.n) {
		snprintf(err, err_len, "it says of no process: give it a key, e.g. service");
		r = -EINVAL;
	}
	options_fini(&relabel_options, &rule);
	return r;
}

static int add_include(const struct selector_opts *s, struct relabel_list *to)
{
	struct relabel_opts *rule;
	char err[256];
	int r = add(to, "replace", &rule);

	if (r >= 0)
		r = fill(s, rule, err, sizeof(err));
	if (r >= 0)
		r = set(rule, "target_label", INCLUDED);
	return r < 0 ? r : set(rule, "replacement", "1");
}

/* What no entry of include has marked goes. */
static int end_include(struct relabel_list *to)
{
	struct relabel_opts *rule;
	char err[128];
	int r = add(to, "keep", &rule);

	if (r >= 0)
		r = option_add(option_find(&relabel_options, "source_labels"), rule, INCLUDED, err,
			       sizeof(err));
	if (r >= 0)
		r = set(rule, "regex", "1");
	if (r >= 0)
		r = add(to, "labeldrop", &rule);
	return r < 0 ? r : set(rule, "regex", INCLUDED);
}

static int add_exclude(const struct selector_opts *s, struct relabel_list *to)
{
	struct relabel_opts *rule;
	char err[256];
	int r = add(to, "drop", &rule);

	return r < 0 ? r : fill(s, rule, err, sizeof(err));
}

int selectors_to_rules(const struct selector_list *include, const struct selector_list *exclude,
		       struct relabel_list *to)
{
	int r = 0;

	for (uint32_t i = 0; i < include->n && r >= 0; i++)
		r = add_include(&include->v[i], to);
	if (r >= 0 && include->n)
		r = end_include(to);
	for (uint32_t i = 0; i < exclude->n && r >= 0; i++)
		r = add_exclude(&exclude->v[i], to);
	return r;
}
