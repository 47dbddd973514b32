/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config.h"
#include "agent/config_reader.h"
#include "agent/options.h"
#include "agent/selector.h"
#include "base/cleanup.h"
#include "proc/relabel.h"

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
		return reader_fail(rd, at, where, "%s", err);
	if (e >= 0)
		relabel_free(r);
	return e;
}

int config_read_rules(struct reader *rd, struct config *c, const char *key, const yaml_node_t *value)
{
	char where[64];

	if (value->type != YAML_SEQUENCE_NODE)
		return reader_fail(rd, value, key, "it must be a list: begin each with `- source_labels:` or another key");
	for (yaml_node_item_t *i = value->data.sequence.items.start; i < value->data.sequence.items.top; i++) {
		yaml_node_t *n = reader_node(rd, *i);
		struct relabel_opts *o = vec_push(&c->relabel_configs);
		int r;

		snprintf(where, sizeof(where), "relabel_configs[%u]", c->relabel_configs.n - 1);
		r = reader_entry(rd, &relabel_options, o, n, where);
		if (r >= 0)
			r = check_rule(rd, o, n, where);
		if (r < 0)
			return r;
	}
	return 0;
}

void config_rules_fini(struct relabel_list *rules)
{
	vec_foreach(o, rules)
		options_fini(&relabel_options, o);
	vec_fini(rules);
}

/* An empty value would not be asked for: the entry would say of more processes than was meant. */
static const yaml_node_t *find_empty(struct reader *rd, const yaml_node_t *map)
{
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		const yaml_node_t *v = reader_node(rd, p->value), *found = v->type == YAML_MAPPING_NODE ? find_empty(rd, v) : NULL;

		if (found || (reader_scalar(v) && !*reader_scalar(v)))
			return found ? found : v;
	}
	return NULL;
}

static int check_selector(struct reader *rd, struct selector_opts *o, const yaml_node_t *at, const char *where)
{
	const struct selector_list one = { .v = o, .n = 1 }, none = { 0 };
	_cleanup_(config_rules_fini) struct relabel_list rules = { 0 };
	const yaml_node_t *empty = find_empty(rd, at);
	char err[256];
	int r;

	if (empty)
		return reader_fail(rd, empty, where, "a value is empty: give one, e.g. \"*\" for any, or leave the key out");
	r = selector_check(o, err, sizeof(err));
	if (r == -EINVAL)
		return reader_fail(rd, at, where, "%s", err);
	if (r >= 0)
		r = selectors_to_rules(&none, &one, &rules);
	return r < 0 ? r : check_rule(rd, rules.v, at, where);
}

int config_read_selectors(struct reader *rd, void *config, const char *key, const yaml_node_t *value)
{
	struct config *c = config;
	bool include = !strcmp(key, "include");
	struct selector_list *list = include ? &c->include : &c->exclude;
	char where[64];

	if (!include && strcmp(key, "exclude"))
		return reader_fail(rd, value, "targets", "there is no key '%s': it has include and exclude", key);
	snprintf(where, sizeof(where), "targets.%s", key);
	if (value->type != YAML_SEQUENCE_NODE)
		return reader_fail(rd, value, where, "it must be a list: begin each with `- service:` or another key");
	for (yaml_node_item_t *i = value->data.sequence.items.start; i < value->data.sequence.items.top; i++) {
		yaml_node_t *n = reader_node(rd, *i);
		struct selector_opts *o = vec_push(list);
		int r;

		snprintf(where, sizeof(where), "targets.%s[%u]", key, list->n - 1);
		r = reader_entry(rd, &selector_options, o, n, where);
		if (r >= 0)
			r = check_selector(rd, o, n, where);
		if (r < 0)
			return r;
	}
	return 0;
}

/* from stays the owner of what the rules point to. */
static void add_rules(struct relabel_rule **to, const struct relabel_list *from)
{
	for (uint32_t i = 0; i < from->n; i++)
		*(*to)++ = rule_of(&from->v[i]);
}

int config_rules(const struct config *c, struct relabel **ret)
{
	_cleanup_(config_rules_fini) struct relabel_list targets = { 0 };
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
