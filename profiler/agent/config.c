/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "agent/config_otel.h"
#include "agent/options.h"
#include "agent/selector.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/environment.h"
#include "base/url.h"
#include "exporter/otlp_format.h"
#include "proc/relabel.h"

enum { MAX_KEY = 128 };

/* One YAML file being read. where: the path of keys so far, for messages: "receivers[0].tls_config". */
struct reader {
	const char *path;
	yaml_document_t doc;
	char *err;
	size_t err_len;
};

static int fail(struct reader *rd, const yaml_node_t *at, const char *where, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static int fail(struct reader *rd, const yaml_node_t *at, const char *where, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(rd->err, rd->err_len, "%s:%zu: %s%s%s", rd->path, at->start_mark.line + 1, where, *where ? ": " : "", text);
	return -EINVAL;
}

static yaml_node_t *node(struct reader *rd, int id)
{
	return yaml_document_get_node(&rd->doc, id);
}

static const char *scalar(const yaml_node_t *n)
{
	return n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

/* "~" and an empty value: the key is there, its value is not. */
static bool is_null(const yaml_node_t *n)
{
	const char *s = scalar(n);

	return s && n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && (!*s || !strcmp(s, "~") || !strcmp(s, "null"));
}

static int read_map_value(struct reader *rd, const struct option *o, void *base, const yaml_node_t *value, const char *where)
{
	char err[256];

	if (value->type != YAML_MAPPING_NODE)
		return fail(rd, value, where, "it must be a mapping: write {name: value}");
	for (yaml_node_pair_t *p = value->data.mapping.pairs.start; p < value->data.mapping.pairs.top; p++) {
		yaml_node_t *k = node(rd, p->key), *v = node(rd, p->value);
		int r;

		if (!scalar(k) || !scalar(v))
			return fail(rd, k, where, "its entries must be name: value, with plain text on both sides");
		r = option_set_entry(o, base, scalar(k), scalar(v), err, sizeof(err));
		if (r < 0)
			return r == -ENOMEM ? r : fail(rd, k, where, "%s", err);
	}
	return 0;
}

static int read_list_value(struct reader *rd, const struct option *o, void *base, const yaml_node_t *value, const char *where)
{
	char err[256];
	int r = 0;

	option_clear(o, base);
	for (yaml_node_item_t *i = value->data.sequence.items.start; i < value->data.sequence.items.top && r >= 0; i++) {
		yaml_node_t *n = node(rd, *i);

		r = scalar(n) ? option_add(o, base, scalar(n), err, sizeof(err)) : fail(rd, n, where, "its entries must be plain text");
		if (r == -EINVAL && scalar(n))
			r = fail(rd, n, where, "%s", err);
	}
	return r;
}

static int read_value(struct reader *rd, const struct option *o, void *base, const yaml_node_t *value, const char *where)
{
	char err[256];
	int r;

	if (is_null(value))
		return fail(rd, value, where, "it has no value: give one, or leave the line out");
	if (o->type == OPTION_MAP)
		return read_map_value(rd, o, base, value, where);
	if ((o->type == OPTION_LIST || o->type == OPTION_SET) && value->type == YAML_SEQUENCE_NODE)
		return read_list_value(rd, o, base, value, where);
	if (!scalar(value))
		return fail(rd, value, where, "it takes one value, not a %s", value->type == YAML_MAPPING_NODE ? "mapping" : "list");
	r = option_set(o, base, scalar(value), err, sizeof(err));
	return r == -EINVAL ? fail(rd, value, where, "%s", err) : r;
}

static bool is_group(const struct option_table *t, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < t->n; i++)
		if (!strncmp(t->v[i].key, key, n) && t->v[i].key[n] == '.')
			return true;
	return false;
}

static int unknown_key(struct reader *rd, const struct option_table *t, const yaml_node_t *at, const char *where, const char *key)
{
	static const struct option lists[] = { { .key = "receivers" }, { .key = "targets" }, { .key = "relabel_configs" } };
	const char *near = option_nearest(t, key);

	if (!near && t == &config_options)
		near = option_nearest(&(struct option_table){ lists, ARRAY_SIZE(lists) }, key);
	if (near)
		return fail(rd, at, where, "there is no key '%s': did you mean '%s'?", key, near);
	return fail(rd, at, where, "there is no key '%s': `hotspan config --reference` lists all", key);
}

/* What a key not in the table does: 0 when it took the value, -ENOENT when it knows no such key. */
typedef int read_other_fn(struct reader *rd, void *base, const char *key, const yaml_node_t *value);

/* prefix: "" or "tls_config."; where: the mapping itself, for messages. */
static int read_mapping(struct reader *rd, const struct option_table *t, void *base, const yaml_node_t *map, const char *prefix,
			const char *where, read_other_fn *other)
{
	char key[MAX_KEY], at[2 * MAX_KEY];

	if (map->type != YAML_MAPPING_NODE)
		return fail(rd, map, where, "it must be a mapping of keys to values");
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		yaml_node_t *k = node(rd, p->key), *v = node(rd, p->value);
		const struct option *o;
		int r;

		if (!scalar(k))
			return fail(rd, k, where, "a key must be plain text");
		for (yaml_node_pair_t *q = map->data.mapping.pairs.start; q < p; q++)
			if (!strcmp(scalar(node(rd, q->key)), scalar(k)))
				return fail(rd, k, where, "'%s' stands here twice", scalar(k));
		snprintf(key, sizeof(key), "%s%s", prefix, scalar(k));
		snprintf(at, sizeof(at), "%s%s%s", where, *where ? "." : "", scalar(k));
		o = option_find(t, key);
		if (o) {
			r = read_value(rd, o, base, v, at);
		} else if (is_group(t, key)) {
			strncat(key, ".", sizeof(key) - strlen(key) - 1);
			r = read_mapping(rd, t, base, v, key, at, NULL);
		} else {
			r = other ? other(rd, base, key, v) : -ENOENT;
			if (r == -ENOENT)
				r = unknown_key(rd, t, k, where, key);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_directory(struct reader *rd, const struct config *c, const struct receiver_opts *o, const yaml_node_t *at, const char *where)
{
	if (!o->path)
		return fail(rd, at, where, "it needs a path: add `path: /var/lib/hotspan/profiles`");
	if (o->url)
		return fail(rd, at, where, "url is for servers: leave it out, or change the type");
	for (uint32_t i = 0; i + 1 < c->receivers.n; i++)
		if (receiver_is_file(&c->receivers.v[i]) && !strcmp(c->receivers.v[i].path, o->path))
			return fail(rd, at, where, "receiver '%s' has this path: give each one its own", c->receivers.v[i].name);
	return 0;
}

static int check_send(struct reader *rd, const struct receiver_opts *o, const yaml_node_t *at,
		      const char *where)
{
	if (!o->send)
		return fail(rd, at, where,
			    "send names nothing: name at least one of profiles, traces, metrics");
	if (strcmp(o->type, "otlp") && o->send != 1u << PARCEL_PROFILES)
		return fail(rd, at, where,
			    "send: a receiver of type %s takes profiles only; traces and metrics "
			    "go to one of type otlp",
			    o->type);
	return 0;
}

static int check_request_path(struct reader *rd, const struct receiver_opts *o,
			      const yaml_node_t *at, const char *where)
{
	if (!o->path)
		return 0;
	if (strcmp(o->type, "otlp") || !strcmp(o->protocol, "grpc"))
		return fail(rd, at, where,
			    "path is for type file, and for type otlp over HTTP: leave it out");
	if (*o->path != '/' || o->send & (o->send - 1))
		return fail(rd, at, where,
			    "path '%s' must begin with / and be of one signal: make a receiver for "
			    "each",
			    o->path);
	return 0;
}

static int check_receiver(struct reader *rd, const struct config *c, const struct receiver_opts *o, const yaml_node_t *at, const char *where)
{
	char shown[256];
	int r;

	if (!o->name)
		return fail(rd, at, where, "it needs a name: add `name: prod`");
	if (o->spool && (strchr(o->name, '/') || !strcmp(o->name, ".") || !strcmp(o->name, "..")))
		return fail(rd, at, where, "name '%s' is to be a directory below spool: it must have no '/' in it, and not be '.' or '..'", o->name);
	for (uint32_t i = 0; i + 1 < c->receivers.n; i++)
		if (!strcmp(c->receivers.v[i].name, o->name))
			return fail(rd, at, where, "there are two receivers called '%s': give one another name", o->name);
	r = check_send(rd, o, at, where);
	if (r < 0 || receiver_is_file(o))
		return r < 0 ? r : check_directory(rd, c, o, at, where);
	r = check_request_path(rd, o, at, where);
	if (r < 0)
		return r;
	if (!o->url)
		return fail(rd, at, where, "it needs a url: add `url: http://127.0.0.1:4040`");
	if (strncmp(o->url, "http://", 7) && strncmp(o->url, "https://", 8))
		return fail(rd, at, where, "url '%s' must begin with http:// or https://", url_shown(o->url, shown, sizeof(shown)));
	if (o->password && o->password_file)
		return fail(rd, at, where, "basic_auth has both password and password_file: keep one");
	if (o->bearer_token && o->bearer_token_file)
		return fail(rd, at, where, "both bearer_token and bearer_token_file are set: keep one");
	if (!o->username && (o->password || o->password_file))
		return fail(rd, at, where, "basic_auth has a password but no username: add it");
	if (o->username && (o->bearer_token || o->bearer_token_file))
		return fail(rd, at, where, "both basic_auth and a bearer token are set: keep one");
	if (!o->cert_file != !o->key_file)
		return fail(rd, at, where, "tls_config needs cert_file and key_file together");
	return 0;
}

static int read_receivers(struct reader *rd, void *base, const char *key, const yaml_node_t *value)
{
	struct config *c = base;
	char where[64];

	if (value->type != YAML_SEQUENCE_NODE)
		return fail(rd, value, key, "it must be a list: begin each with `- name:`");
	for (yaml_node_item_t *i = value->data.sequence.items.start; i < value->data.sequence.items.top; i++) {
		yaml_node_t *n = node(rd, *i);
		struct receiver_opts *o = vec_push(&c->receivers);
		int r;

		snprintf(where, sizeof(where), "receivers[%u]", c->receivers.n - 1);
		r = o ? options_init(&receiver_options, o) : -ENOMEM;
		if (r >= 0)
			r = read_mapping(rd, &receiver_options, o, n, "", where, NULL);
		if (r >= 0)
			r = check_receiver(rd, c, o, n, where);
		if (r < 0)
			return r;
	}
	return 0;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

/* Every string is given, and the regex where it is not the default: an action that takes none would refuse it. */
static struct relabel_rule rule_of(const struct relabel_opts *o)
{
	return (struct relabel_rule){
		.action = (enum relabel_action)relabel_action_find(o->action),
		.source_labels = (const char *const *)o->source_labels.v,
		.n_source_labels = o->source_labels.n,
		.separator = or_empty(o->separator),
		.regex = strcmp(or_empty(o->regex), "(.*)") ? or_empty(o->regex) : NULL,
		.modulus = o->modulus,
		.target_label = or_empty(o->target_label),
		.replacement = or_empty(o->replacement),
	};
}

static int check_rule(struct reader *rd, const struct relabel_opts *o, const yaml_node_t *at, const char *where)
{
	struct relabel_rule rule = rule_of(o);
	struct relabel *r;
	char err[512];
	size_t bad;
	int e = relabel_new(&rule, 1, &r, &bad, err, sizeof(err));

	if (e == -EINVAL)
		return fail(rd, at, where, "%s", err);
	if (e >= 0)
		relabel_free(r);
	return e;
}

static int read_rules(struct reader *rd, void *base, const char *key, const yaml_node_t *value)
{
	struct config *c = base;
	char where[64];

	if (value->type != YAML_SEQUENCE_NODE)
		return fail(rd, value, key, "it must be a list: begin each with `- source_labels:` or another key");
	for (yaml_node_item_t *i = value->data.sequence.items.start; i < value->data.sequence.items.top; i++) {
		yaml_node_t *n = node(rd, *i);
		struct relabel_opts *o = vec_push(&c->relabel_configs);
		int r;

		snprintf(where, sizeof(where), "relabel_configs[%u]", c->relabel_configs.n - 1);
		r = o ? options_init(&relabel_options, o) : -ENOMEM;
		if (r >= 0)
			r = read_mapping(rd, &relabel_options, o, n, "", where, NULL);
		if (r >= 0)
			r = check_rule(rd, o, n, where);
		if (r < 0)
			return r;
	}
	return 0;
}

static void rules_fini(struct relabel_list *rules)
{
	vec_foreach(o, rules)
		options_fini(&relabel_options, o);
	vec_fini(rules);
}

/* An empty value would not be asked for: the entry would say of more processes than was meant. */
static const yaml_node_t *find_empty(struct reader *rd, const yaml_node_t *map)
{
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		const yaml_node_t *v = node(rd, p->value), *found = v->type == YAML_MAPPING_NODE ? find_empty(rd, v) : NULL;

		if (found || (scalar(v) && !*scalar(v)))
			return found ? found : v;
	}
	return NULL;
}

static int check_selector(struct reader *rd, struct selector_opts *o, const yaml_node_t *at, const char *where)
{
	const struct selector_list one = { .v = o, .n = 1 }, none = { 0 };
	_cleanup_(rules_fini) struct relabel_list rules = { 0 };
	const yaml_node_t *empty = find_empty(rd, at);
	char err[256];
	int r;

	if (empty)
		return fail(rd, empty, where, "a value is empty: give one, e.g. \"*\" for any, or leave the key out");
	r = selector_check(o, err, sizeof(err));
	if (r == -EINVAL)
		return fail(rd, at, where, "%s", err);
	if (r >= 0)
		r = selectors_to_rules(&none, &one, &rules);
	return r < 0 ? r : check_rule(rd, rules.v, at, where);
}

static int read_selectors(struct reader *rd, void *base, const char *key, const yaml_node_t *value)
{
	struct config *c = base;
	bool include = !strcmp(key, "include");
	struct selector_list *list = include ? &c->include : &c->exclude;
	char where[64];

	if (!include && strcmp(key, "exclude"))
		return fail(rd, value, "targets", "there is no key '%s': it has include and exclude", key);
	snprintf(where, sizeof(where), "targets.%s", key);
	if (value->type != YAML_SEQUENCE_NODE)
		return fail(rd, value, where, "it must be a list: begin each with `- service:` or another key");
	for (yaml_node_item_t *i = value->data.sequence.items.start; i < value->data.sequence.items.top; i++) {
		yaml_node_t *n = node(rd, *i);
		struct selector_opts *o = vec_push(list);
		int r;

		snprintf(where, sizeof(where), "targets.%s[%u]", key, list->n - 1);
		r = o ? options_init(&selector_options, o) : -ENOMEM;
		if (r >= 0)
			r = read_mapping(rd, &selector_options, o, n, "", where, NULL);
		if (r >= 0)
			r = check_selector(rd, o, n, where);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_lists(struct reader *rd, void *base, const char *key, const yaml_node_t *value)
{
	static const struct option_table none = { 0 };

	if (!strcmp(key, "receivers"))
		return read_receivers(rd, base, key, value);
	if (!strcmp(key, "targets"))
		return read_mapping(rd, &none, base, value, "", "targets", read_selectors);
	return strcmp(key, "relabel_configs") ? -ENOENT : read_rules(rd, base, key, value);
}

/* from stays the owner of what the rules point to. */
static void add_rules(struct relabel_rule **to, const struct relabel_list *from)
{
	for (uint32_t i = 0; i < from->n; i++)
		*(*to)++ = rule_of(&from->v[i]);
}

int config_rules(const struct config *c, struct relabel **ret)
{
	_cleanup_(rules_fini) struct relabel_list targets = { 0 };
	int r = selectors_to_rules(&c->include, &c->exclude, &targets);
	size_t n = (size_t)targets.n + c->relabel_configs.n, bad;
	_cleanup_(freep) struct relabel_rule *rules = calloc(n + 1, sizeof(*rules));
	struct relabel_rule *end = rules;
	char err[512];

	*ret = NULL;
	if (r < 0 || !rules)
		return -ENOMEM;
	add_rules(&end, &targets);
	add_rules(&end, &c->relabel_configs);
	return n ? relabel_new(rules, n, ret, &bad, err, sizeof(err)) : 0;
}

static int read_document(struct reader *rd, struct config *c)
{
	yaml_node_t *root = yaml_document_get_root_node(&rd->doc);

	return !root || is_null(root) ? 0 : read_mapping(rd, &config_options, c, root, "", "", read_lists);
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
	rules_fini(&c->relabel_configs);
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
	char key[2 * MAX_KEY];
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
	char where[MAX_KEY];
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
