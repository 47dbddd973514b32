/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config_reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/config.h"
#include "agent/options.h"
#include "base/cleanup.h"

int reader_fail(struct reader *rd, const yaml_node_t *at, const char *where, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(rd->err, rd->err_len, "%s:%zu: %s%s%s", rd->path, at->start_mark.line + 1, where, *where ? ": " : "", text);
	return -EINVAL;
}

yaml_node_t *reader_node(struct reader *rd, int id)
{
	return yaml_document_get_node(&rd->doc, id);
}

const char *reader_scalar(const yaml_node_t *n)
{
	return n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

bool reader_is_null(const yaml_node_t *n)
{
	const char *s = reader_scalar(n);

	return s && n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && (!*s || !strcmp(s, "~") || !strcmp(s, "null"));
}

static int read_map_value(struct reader *rd, const struct option *o, void *base, const yaml_node_t *value, const char *where)
{
	char err[256];

	if (value->type != YAML_MAPPING_NODE)
		return reader_fail(rd, value, where, "it must be a mapping: write {name: value}");
	for (yaml_node_pair_t *p = value->data.mapping.pairs.start; p < value->data.mapping.pairs.top; p++) {
		yaml_node_t *k = reader_node(rd, p->key), *v = reader_node(rd, p->value);
		int r;

		if (!reader_scalar(k) || !reader_scalar(v))
			return reader_fail(rd, k, where, "its entries must be name: value, with plain text on both sides");
		r = option_set_entry(o, base, reader_scalar(k), reader_scalar(v), err, sizeof(err));
		if (r < 0)
			return r == -ENOMEM ? r : reader_fail(rd, k, where, "%s", err);
	}
	return 0;
}

static int read_list_value(struct reader *rd, const struct option *o, void *base, const yaml_node_t *value, const char *where)
{
	char err[256];
	int r = 0;

	option_clear(o, base);
	for (yaml_node_item_t *i = value->data.sequence.items.start; i < value->data.sequence.items.top && r >= 0; i++) {
		yaml_node_t *n = reader_node(rd, *i);

		r = reader_scalar(n) ? option_add(o, base, reader_scalar(n), err, sizeof(err)) : reader_fail(rd, n, where, "its entries must be plain text");
		if (r == -EINVAL && reader_scalar(n))
			r = reader_fail(rd, n, where, "%s", err);
	}
	return r;
}

static int read_value(struct reader *rd, const struct option *o, void *base, const yaml_node_t *value, const char *where)
{
	char err[256];
	int r;

	if (reader_is_null(value))
		return reader_fail(rd, value, where, "it has no value: give one, or leave the line out");
	if (o->type == OPTION_MAP)
		return read_map_value(rd, o, base, value, where);
	if ((o->type == OPTION_LIST || o->type == OPTION_SET) && value->type == YAML_SEQUENCE_NODE)
		return read_list_value(rd, o, base, value, where);
	if (!reader_scalar(value))
		return reader_fail(rd, value, where, "it takes one value, not a %s", value->type == YAML_MAPPING_NODE ? "mapping" : "list");
	r = option_set(o, base, reader_scalar(value), err, sizeof(err));
	return r == -EINVAL ? reader_fail(rd, value, where, "%s", err) : r;
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
		return reader_fail(rd, at, where, "there is no key '%s': did you mean '%s'?", key, near);
	return reader_fail(rd, at, where, "there is no key '%s': `hotspan config --reference` lists all", key);
}

int reader_mapping(struct reader *rd, const struct option_table *t, void *base, const yaml_node_t *map, const char *prefix,
		   const char *where, read_other_fn *other)
{
	char key[READER_MAX_KEY], at[2 * READER_MAX_KEY];

	if (map->type != YAML_MAPPING_NODE)
		return reader_fail(rd, map, where, "it must be a mapping of keys to values");
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		yaml_node_t *k = reader_node(rd, p->key), *v = reader_node(rd, p->value);
		const struct option *o;
		int r;

		if (!reader_scalar(k))
			return reader_fail(rd, k, where, "a key must be plain text");
		for (yaml_node_pair_t *q = map->data.mapping.pairs.start; q < p; q++)
			if (!strcmp(reader_scalar(reader_node(rd, q->key)), reader_scalar(k)))
				return reader_fail(rd, k, where, "'%s' stands here twice", reader_scalar(k));
		snprintf(key, sizeof(key), "%s%s", prefix, reader_scalar(k));
		snprintf(at, sizeof(at), "%s%s%s", where, *where ? "." : "", reader_scalar(k));
		o = option_find(t, key);
		if (o) {
			r = read_value(rd, o, base, v, at);
		} else if (is_group(t, key)) {
			strncat(key, ".", sizeof(key) - strlen(key) - 1);
			r = reader_mapping(rd, t, base, v, key, at, NULL);
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

int reader_entry(struct reader *rd, const struct option_table *t, void *o, const yaml_node_t *map, const char *where)
{
	int r = o ? options_init(t, o) : -ENOMEM;

	return r < 0 ? r : reader_mapping(rd, t, o, map, "", where, NULL);
}
