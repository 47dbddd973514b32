/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * flags - a command's line as rows: what is parsed, `--help`, the man page and shell completion are
 * all made from the same table.
 *
 *	{ 'F', "frequency", "HZ", "samples per second and CPU (default 99)" }
 *	{ .heading = "Output" }            begins a group in --help
 *
 * A row's index is its name in the code: commands keep an enum in the order of their rows.
 */
#include <stddef.h>

struct buf;

struct flag {
	char letter;      /* 0: only the long form */
	const char *name; /* NULL: a heading. A _ in it is written - */
	const char *arg;  /* NULL: takes no value */
	const char *help; /* lines after the first begin behind a \n */
	const char *heading;
	const char *values; /* "process|thread|none": for completion; "FILE": a path */
	const char *def;    /* shown behind help; NULL or "": none, or help says it */
};

struct cli {
	const char *name;    /* "record" */
	const char *summary; /* one line, for the list of commands */
	const char *usage;   /* "[options] [-- COMMAND [args...]]" */
	const char *about;   /* a paragraph */
	const char *after;   /* exit status, examples: as they are */
	const struct flag *flags; /* --help is added to every command's */
	size_t n_flags;
};

enum { FLAGS_HELP = 1, FLAGS_MAX_NAME = 64 };

/*
 * Calls set(ctx, row, value) for each flag, in the order given; value is NULL for flags without one.
 * set may be NULL where there are no rows. Parsing ends at the first argument that is no flag, or behind
 * "--"; *ret_first is its index.
 * 0; FLAGS_HELP when help was printed; -EINVAL after one line on stderr that names flag and remedy
 * (set() says its own).
 */
int flags_parse(const struct cli *c, int argc, char **argv, int (*set)(void *ctx, size_t row, const char *value), void *ctx,
		int *ret_first);

/* One line on stderr, "what (see hotspan record --help)". Returns -EINVAL. */
int flags_complain(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "flush_interval" -> "flush-interval". Returns out. */
char *flags_name(const struct flag *f, char *out, size_t len);

void flags_help(const struct cli *c, struct buf *out);
