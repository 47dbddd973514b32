/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * config_reader - a YAML document, by the tables of options.def, into structs. Used by the files of config.c only.
 *
 * Every error names file, line and the path of keys so far: "/etc/hotspan.yaml:7: receivers[0].tls_config: ...".
 */
#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

struct config;
struct option_table;
struct relabel_list;

enum { READER_MAX_KEY = 128 };

/* One file being read. */
struct reader {
	const char *path;
	yaml_document_t doc;
	char *err;
	size_t err_len;
};

/* What a key not in the table does: 0 when it took the value, -ENOENT when it knows no such key. */
typedef int read_other_fn(struct reader *rd, void *base, const char *key, const yaml_node_t *value);

/* where: the path of keys so far. -EINVAL. */
int reader_fail(struct reader *rd, const yaml_node_t *at, const char *where, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
yaml_node_t *reader_node(struct reader *rd, int id);
/* NULL: it is none. */
const char *reader_scalar(const yaml_node_t *n);
/* "~" and an empty value: the key is there, its value is not. */
bool reader_is_null(const yaml_node_t *n);

/* prefix: "" or "tls_config."; where: the mapping itself. other: NULL: there are no other keys. */
int reader_mapping(struct reader *rd, const struct option_table *t, void *base, const yaml_node_t *map, const char *prefix,
		   const char *where, read_other_fn *other);

/* One entry of a list into o, which is zero; NULL: there was no memory for it. */
int reader_entry(struct reader *rd, const struct option_table *t, void *o, const yaml_node_t *map, const char *where);

/* The lists of a configuration, each entry checked by itself: config_receivers.c, config_targets.c. */
int config_read_receivers(struct reader *rd, struct config *c, const char *key, const yaml_node_t *value);
int config_read_selectors(struct reader *rd, void *config, const char *key, const yaml_node_t *value);
int config_read_rules(struct reader *rd, struct config *c, const char *key, const yaml_node_t *value);
void config_rules_fini(struct relabel_list *rules);
