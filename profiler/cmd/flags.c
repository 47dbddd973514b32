/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/flags.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"

/* getopt's values for rows; letters and '?' lie below. */
enum { FIRST_ROW = 1000, WIDTH = 24 };

static const struct flag help_flag = { 'h', "help", NULL, "this text" };

int flags_complain(const struct cli *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("%s (see hotspan %s --help)", text, c->name);
	return -EINVAL;
}

static void help_row(const struct flag *f, struct buf *out)
{
	size_t begin = out->len;
	const char *s = f->help, *end;

	buf_printf(out, "  %c%c%c --%s%s%s", f->letter ? '-' : ' ', f->letter ? f->letter : ' ', f->letter ? ',' : ' ', f->name,
		   f->arg ? " " : "", f->arg ? f->arg : "");
	if (out->len - begin >= WIDTH) {
		buf_putc(out, '\n');
		begin = out->len;
	}
	for (; s; s = *end ? end + 1 : NULL) {
		end = s + strcspn(s, "\n");
		buf_printf(out, "%*s%.*s\n", WIDTH - (int)(out->len - begin), "", (int)(end - s), s);
		begin = out->len;
	}
}

void flags_help(const struct cli *c, struct buf *out)
{
	buf_printf(out, "Usage: hotspan %s%s%s\n\n%s\n", c->name, *c->usage ? " " : "", c->usage, c->about);
	if (c->n_flags && c->flags[0].name)
		buf_putc(out, '\n');
	for (size_t i = 0; i < c->n_flags; i++) {
		if (c->flags[i].name)
			help_row(&c->flags[i], out);
		else
			buf_printf(out, "\n%s\n", c->flags[i].heading);
	}
	if (!c->n_flags)
		buf_putc(out, '\n');
	help_row(&help_flag, out);
	buf_printf(out, "\n%s", c->after);
}

static int print_help(const struct cli *c)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	flags_help(c, &b);
	fwrite(b.data, 1, b.len, stdout);
	return FLAGS_HELP;
}

/* What getopt found wrong, in our words. */
static int wrong_flag(const struct cli *c, char **argv, bool no_value)
{
	const char *word = argv[optind - 1];

	if (no_value)
		return flags_complain(c, "%s needs a value", word);
	if (strncmp(word, "--", 2) && optopt)
		return flags_complain(c, "there is no option -%c", optopt);
	return flags_complain(c, optopt ? "%s takes no value" : "there is no option %s", word);
}

static size_t row_of(const struct cli *c, int value)
{
	for (size_t i = 0; value < FIRST_ROW && i < c->n_flags; i++)
		if (c->flags[i].letter == value)
			return i;
	return (size_t)(value - FIRST_ROW);
}

static void make_tables(const struct cli *c, struct option *longs, char *letters)
{
	size_t n = 0;

	*letters++ = '+'; /* a command's own flags are not ours */
	*letters++ = ':';
	for (size_t i = 0; i < c->n_flags; i++) {
		const struct flag *f = &c->flags[i];

		if (!f->name)
			continue;
		longs[n++] = (struct option){ f->name, f->arg ? required_argument : no_argument, NULL, FIRST_ROW + (int)i };
		if (!f->letter)
			continue;
		*letters++ = f->letter;
		if (f->arg)
			*letters++ = ':';
	}
	longs[n++] = (struct option){ help_flag.name, no_argument, NULL, help_flag.letter };
	*letters++ = help_flag.letter;
	*letters = '\0';
}

int flags_parse(const struct cli *c, int argc, char **argv, int (*set)(void *ctx, size_t row, const char *value), void *ctx,
		int *ret_first)
{
	_cleanup_(freep) struct option *longs = calloc(c->n_flags + 2, sizeof(*longs));
	_cleanup_(freep) char *letters = calloc(c->n_flags + 3, 2);
	int opt, r = 0;

	if (!longs || !letters)
		return -ENOMEM;
	make_tables(c, longs, letters);
	optind = 0; /* also resets GNU getopt's state */
	opterr = 0;
	while (r >= 0 && (opt = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (opt == help_flag.letter)
			return print_help(c);
		r = opt == '?' || opt == ':' ? wrong_flag(c, argv, opt == ':') : set(ctx, row_of(c, opt), optarg);
	}
	*ret_first = optind;
	return r < 0 ? r : 0;
}
