/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * relabel - Prometheus' relabelling: rules, in their order, over a set of labels; the set is changed, or dropped.
 *
 *	replace     regex matches the joined source labels: target_label = replacement, with $1, ${name} of the match
 *	keep, drop  the set goes on, or not, where it matches
 *	keepequal, dropequal    where the joined source labels equal target_label's value
 *	hashmod     target_label = MD5 of the joined source labels modulo modulus
 *	labelmap    each label whose name matches is copied to the name that replacement makes of it
 *	labeldrop, labelkeep    labels whose name matches go, or stay alone
 *	lowercase, uppercase    target_label = the joined source labels
 *
 * Regular expressions match the whole text; they are RE2's (relabel_regex.h), matched by PCRE2. A label with an empty
 * value is none; a label that is not there is empty.
 * Time: a match takes so many steps at most; beyond that it is no match, and counted. Memory of a set: rules can double
 * a value or the labels again and again, so what goes beyond the limits below is not set, and counted.
 * Threads: one, since a match needs room. Memory: owns what it makes; rules are borrowed until relabel_new() returns.
 * Source: the documentation of Prometheus' relabel_config; its behaviour, which tests/unit/relabel_oracle.py asks.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/strmap.h"

enum relabel_action {
	RELABEL_REPLACE,
	RELABEL_KEEP,
	RELABEL_DROP,
	RELABEL_KEEPEQUAL,
	RELABEL_DROPEQUAL,
	RELABEL_HASHMOD,
	RELABEL_LABELMAP,
	RELABEL_LABELDROP,
	RELABEL_LABELKEEP,
	RELABEL_LOWERCASE,
	RELABEL_UPPERCASE,
	RELABEL_ACTIONS,
};

/* As written: NULL is what the documentation calls the default, "" is empty. */
struct relabel_rule {
	enum relabel_action action;
	const char *const *source_labels;
	size_t n_source_labels;
	const char *separator;    /* ";" */
	const char *regex;        /* "(.*)" */
	uint64_t modulus;
	const char *target_label;
	const char *replacement;  /* "$1" */
};

struct relabel;

/* 0; -EINVAL: *ret_bad is the number of the wrong rule, err says which key and what it may be; -ENOMEM. */
int relabel_new(const struct relabel_rule *rules, size_t n, struct relabel **ret, size_t *ret_bad, char *err, size_t err_len);
struct relabel *relabel_free(struct relabel *r);

/* 1: the labels go on, changed; 0: they are dropped; -ENOMEM: some rules have been applied, some not. */
int relabel_apply(struct relabel *r, struct strmap *labels);

enum { RELABEL_MAX_LABELS = 1024, RELABEL_MAX_BYTES = 65536 /* of a name or a value */ };

struct relabel_losses {
	uint64_t too_long;  /* matches given up because they took too many steps */
	uint64_t too_large; /* labels not set, beyond the limits */
};

/* Adds its own to *sum. NULL has none. */
void relabel_losses(const struct relabel *r, struct relabel_losses *sum);

/* "labelmap"; -1: there is no such action. */
const char *relabel_action_name(enum relabel_action a);
int relabel_action_find(const char *name);
