/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "agent/config_otel.h"
#include "agent/config_reader.h"
#include "agent/options.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/environment.h"

static int read_lists(struct reader *rd, void *base, const char *key, const yaml_node_t *value)
{
	static const struct option_table none = { 0 };

	if (!strcmp(key, "receivers"))
		return config_read_receivers(rd, base, key, value);
	if (!strcmp(key, "targets"))
		return reader_mapping(rd, &none, base, value, "", "targets", config_read_selectors);
	return strcmp(key, "relabel_configs") ? -ENOENT : config_read_rules(rd, base, key, value);
}

static int read_document(struct reader *rd, struct config *c)
{
	yaml_node_t *root = yaml_document_get_root_node(&rd->doc);

	return !root || reader_is_null(root) ? 0 : reader_mapping(rd, &config_options, c, root, "", "", read_lists);
}

static int read_file(const char *path, struct config *c, char *err, size_t err_len)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "re");
	struct reader rd = { .path = path, .err = err, .err_len = err_len };
	yaml_parser_t parser;
	int r;

	if (!f) {
		r = -errno;
		snprintf(err, err_len, "%s: %s: is the path right, and may you read it?", path, strerror(-r));
		return r;
	}
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_file(&parser, f);
	if (yaml_parser_load(&parser, &rd.doc)) {
		r = read_document(&rd, c);
		yaml_document_delete(&rd.doc);
	} else {
		r = parser.error == YAML_MEMORY_ERROR ? -ENOMEM : -EINVAL;
		snprintf(err, err_len, "%s:%zu: it is no valid YAML: %s", path, parser.problem_mark.line + 1,
			 parser.problem ? parser.problem : "it cannot be read");
	}
	yaml_parser_delete(&parser);
	return r;
}

static int read_environment(char *const *environment, struct config *c, char *err, size_t err_len)
{
	char name[96], why[256];

	for (size_t i = 0; i < config_options.n; i++) {
		const struct option *o = &config_options.v[i];
		size_t n = strlen(option_env(o, name, sizeof(name)));

		for (char *const *e = environment; e && *e; e++) {
			int r;

			if (strncmp(*e, name, n) || (*e)[n] != '=')
				continue;
			r = option_set(o, c, *e + n + 1, why, sizeof(why));
			if (r == -EINVAL)
				snprintf(err, err_len, "environment variable %s: %s", name, why);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int read_overrides(const struct config_source *src, struct config *c, char *err, size_t err_len)
{
	char flag[96], why[256];

	for (size_t i = 0; i < src->n_overrides; i++) {
		const struct option *o = option_find(&config_options, src->overrides[i].key);
		int r = o ? option_set(o, c, src->overrides[i].value, why, sizeof(why)) : -ENOENT;

		if (r == -EINVAL)
			snprintf(err, err_len, "%s: %s", option_flag(o, flag, sizeof(flag)), why);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What has a default has no "none" of its own: "off" says it. */
static int check_values(const struct config_source *src, const struct config *c, char *err, size_t err_len)
{
	for (size_t i = 0; i < config_options.n; i++) {
		const struct option *o = &config_options.v[i];

		if (o->type == OPTION_STRING && *o->def && !option_is_set(o, c)) {
			snprintf(err, err_len, "%s: %s: it is empty: give a value, \"off\" for none, or leave it out", src->path ? src->path : "configuration", o->key);
			return -EINVAL;
		}
	}
	return 0;
}

static int check_servers(const struct config_source *src, const struct config *c, char *err, size_t err_len)
{
	if (!c->debuginfod || environment_get(src->environment, "DEBUGINFOD_URLS"))
		return 0;
	snprintf(err, err_len, "%s: debuginfod: there are no servers to ask: set the variable DEBUGINFOD_URLS, or debuginfod: false",
		 src->path ? src->path : "configuration");
	return -EINVAL;
}

int config_load(const struct config_source *src, struct config **ret, char *err, size_t err_len)
{
	struct config *c = calloc(1, sizeof(*c));
	int r = c ? options_init(&config_options, c) : -ENOMEM;

	snprintf(err, err_len, "out of memory");
	if (r >= 0)
		r = config_add_otel_sampler(c, src->environment, err, err_len);
	if (r >= 0)
		r = config_add_otel_interval(c, src->environment, err, err_len);
	if (r >= 0 && src->path)
		r = read_file(src->path, c, err, err_len);
	if (r >= 0)
		r = read_environment(src->environment, c, err, err_len);
	if (r >= 0)
		r = read_overrides(src, c, err, err_len);
	if (r >= 0)
		r = config_add_otel(c, src->environment, err, err_len);
	if (r >= 0)
		r = check_values(src, c, err, err_len);
	if (r >= 0)
		r = check_servers(src, c, err, err_len);
	if (r < 0) {
		config_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

static void selectors_fini(struct selector_list *list)
{
	vec_foreach(o, list)
		options_fini(&selector_options, o);
	vec_fini(list);
}

struct config *config_free(struct config *c)
{
	if (!c)
		return NULL;
	options_fini(&config_options, c);
	vec_foreach(o, &c->receivers)
		options_fini(&receiver_options, o);
	vec_fini(&c->receivers);
	selectors_fini(&c->include);
	selectors_fini(&c->exclude);
	config_rules_fini(&c->relabel_configs);
	free(c);
	return NULL;
}

static void print_rows(const struct option_table *t, const void *base, const char *first, const char *indent, struct buf *out)
{
	const char *lead = first, *group = ""; /* a key of the nested mapping that is open */

	for (size_t i = 0; i < t->n; i++) {
		const struct option *o = &t->v[i];
		const char *dot = strchr(o->key, '.');

		/* "" in place of a default is something to say. */
		if (!option_is_set(o, base) && !*o->def)
			continue;
		if (dot && strncmp(o->key, group, (size_t)(dot - o->key) + 1)) {
			group = o->key;
			buf_printf(out, "%s%.*s:\n", lead, (int)(dot - o->key), o->key);
			lead = indent;
		}
		buf_printf(out, "%s%s%s: ", lead, dot ? "  " : "", dot ? dot + 1 : o->key);
		option_print(o, base, out);
		buf_putc(out, '\n');
		lead = indent;
	}
}

static void print_selectors(const char *key, const struct selector_list *list, struct buf *out)
{
	buf_printf(out, list->n ? "  %s:\n" : "  %s: []\n", key);
	vec_foreach(o, list)
		print_rows(&selector_options, o, "    - ", "      ", out);
}

void config_print(const struct config *c, struct buf *out)
{
	print_rows(&config_options, c, "", "", out);
	buf_puts(out, c->receivers.n ? "receivers:\n" : "receivers: []\n");
	vec_foreach(o, &c->receivers)
		print_rows(&receiver_options, o, "  - ", "    ", out);
	buf_puts(out, "targets:\n");
	print_selectors("include", &c->include, out);
	print_selectors("exclude", &c->exclude, out);
	buf_puts(out, c->relabel_configs.n ? "relabel_configs:\n" : "relabel_configs: []\n");
	vec_foreach(o, &c->relabel_configs)
		print_rows(&relabel_options, o, "  - ", "    ", out);
}

/* Who hears of a row that keeps its value; where: "" or "receivers[prod].". */
struct listener {
	void (*told)(void *ctx, const char *key);
	void *ctx;
	const char *where;
};

static int keep_rows(const struct option_table *t, const void *from, void *to, const struct listener *l)
{
	char key[2 * READER_MAX_KEY];
	int r = 0;

	for (size_t i = 0; i < t->n && r >= 0; i++) {
		const struct option *o = &t->v[i];

		if (o->live == OPTION_LIVE || option_equal(o, from, to))
			continue;
		r = option_copy(o, from, to);
		snprintf(key, sizeof(key), "%s%s", l->where, o->key);
		l->told(l->ctx, key);
	}
	return r;
}

static const struct receiver_opts *find_receiver(const struct config *c, const char *name)
{
	vec_foreach(o, &c->receivers)
		if (!strcmp(o->name, name))
			return o;
	return NULL;
}

int config_keep_fixed(const struct config *from, struct config *to, void (*told)(void *ctx, const char *key), void *ctx)
{
	struct listener l = { told, ctx, "" };
	char where[READER_MAX_KEY];
	int r = keep_rows(&config_options, from, to, &l);

	l.where = where;
	vec_foreach(o, &to->receivers)
	{
		const struct receiver_opts *old = find_receiver(from, o->name);

		snprintf(where, sizeof(where), "receivers[%s].", o->name);
		if (old && r >= 0)
			r = keep_rows(&receiver_options, old, o, &l);
	}
	return r;
}
