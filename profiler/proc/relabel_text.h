/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * relabel_text - what relabelling does to single texts: names, templates, cases, hashes. Pure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* A label's name: letters, digits and _, not a digit first. */
bool relabel_is_name(const char *s, size_t len);
/* The same with $1, ${name} in place of any part. */
bool relabel_is_name_template(const char *s);

/* One group of a match by its number, or by its name (number < 0): where it is, or NULL for one that matched nothing. */
typedef const char *relabel_group_fn(void *ctx, int number, const char *name, size_t name_len, size_t *ret_len);

/*
 * A template with its groups: $1, $name, ${1x}, $$ for a dollar. A name is as long as letters, digits and _ go; a
 * dollar before anything else is itself.
 * Source: Go's regexp, Regexp.Expand.
 */
void relabel_expand(const char *template, relabel_group_fn *group, void *ctx, struct buf *out);

/* Letters of any script; what is no UTF-8 stays. */
void relabel_change_case(const char *s, size_t len, bool upper, struct buf *out);

/* The last 8 bytes of its MD5, big-endian. */
uint64_t relabel_hash(const char *s, size_t len);
