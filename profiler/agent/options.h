/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * options - the rows of options.def as tables, and what can be done with any row: set it from text,
 * print it, describe it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct strlist;

enum option_type {
	OPTION_U32,
	OPTION_BOOL,
	OPTION_DURATION,
	OPTION_BYTES,
	OPTION_PERCENT,
	OPTION_STRING,
	OPTION_SECRET,
	OPTION_CHOICE,
	OPTION_MAP,
	OPTION_LIST,
	OPTION_SET
};
enum option_live { OPTION_RESTART, OPTION_LIVE };

struct option {
	const char *key; /* "flush_interval"; "tls_config.ca_file": a key of a nested mapping */
	enum option_type type;
	const char *def; /* "": not set */
	uint64_t min, max;
	const char *unit; /* or what a type leaves open: a choice's names, whose names a map has, that a string is a "url" */
	enum option_live live;
	const char *help;
	size_t offset; /* of the field */
};

struct option_table {
	const struct option *v;
	size_t n;
};

extern const struct option_table config_options;   /* struct config */
extern const struct option_table receiver_options; /* struct receiver_opts */
extern const struct option_table selector_options; /* struct selector_opts */
extern const struct option_table relabel_options;  /* struct relabel_opts */

/* NULL when there is none. */
const struct option *option_find(const struct option_table *t, const char *key);
/* The key a misspelt one may have meant, NULL when none is near. */
const char *option_nearest(const struct option_table *t, const char *key);

/* base: the struct. On failure err says what the value may be. 0, -EINVAL or -ENOMEM. */
int option_set(const struct option *o, void *base, const char *text, char *err, size_t err_len);
/* Of a LIST or SET: none. */
void option_clear(const struct option *o, void *base);
/* One more entry of a LIST, behind those there are, or of a SET. 0, -EINVAL or -ENOMEM. */
int option_add(const struct option *o, void *base, const char *text, char *err, size_t err_len);
/* One entry of a MAP. */
int option_set_entry(const struct option *o, void *base, const char *key, const char *value, char *err, size_t err_len);
bool option_equal(const struct option *o, const void *a, const void *b);
/* Gives `to` the value of `from`. 0 or -ENOMEM. */
int option_copy(const struct option *o, const void *from, void *to);

/* The value as YAML; secrets, and the values of headers, as "<secret>", users and passwords in URLs as "***". */
void option_print(const struct option *o, const void *base, struct buf *out);
bool option_is_set(const struct option *o, const void *base);

/* All rows to their defaults (the struct is zero before), or let go of. */
int options_init(const struct option_table *t, void *base);
void options_fini(const struct option_table *t, void *base);

/* "flush_interval" -> "--flush-interval", "HOTSPAN_FLUSH_INTERVAL". Returns out. */
char *option_flag(const struct option *o, char *out, size_t len);
char *option_env(const struct option *o, char *out, size_t len);

/* ---- between the files of options.c ---- */

static inline void *option_field(const struct option *o, void *base)
{
	return (char *)base + o->offset;
}

static inline const void *option_cfield(const struct option *o, const void *base)
{
	return (const char *)base + o->offset;
}

/* Of a DURATION or BYTES, in whole units, which read best: 15s, not 15000000000. Returns out. */
char *option_amount(uint64_t v, enum option_type type, char *out, size_t len);
void strlist_fini(struct strlist *l);
/* Takes the place of the text at `to`, a char **; "": none. 0 or -ENOMEM. */
int option_set_text(void *to, const char *text);
