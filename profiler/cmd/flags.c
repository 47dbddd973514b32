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
enum { FIRST_ROW = 1000, MAX_COLUMN = 32, HELP_WIDTH = 100 };

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

char *flags_name(const struct flag *f, char *out, size_t len)
{
	snprintf(out, len, "%s", f->name);
	for (char *s = out; *s; s++)
		*s = *s == '_' || *s == '.' ? '-' : *s;
	return out;
}

/* "  -F, --frequency HZ" */
static void help_left(const struct flag *f, struct buf *out)
{
	char name[FLAGS_MAX_NAME];

	buf_printf(out, "  %c%c%c --%s%s%s", f->letter ? '-' : ' ', f->letter ? f->letter : ' ', f->letter ? ',' : ' ',
		   flags_name(f, name, sizeof(name)), f->arg ? " " : "", f->arg ? f->arg : "");
}

/* Where the right column begins: behind the longest left one, within reason. */
static size_t help_column(const struct cli *c)
{
	_cleanup_(buf_fini) struct buf left = BUF_INIT;
	size_t widest = 0;

	for (size_t i = 0; i < c->n_flags; i++) {
		buf_reset(&left);
		if (c->flags[i].name)
			help_left(&c->flags[i], &left);
		widest = left.len > widest ? left.len : widest;
	}
	return widest + 2 < MAX_COLUMN ? widest + 2 : MAX_COLUMN;
}

/* How much of s goes on one line: up to its end, a newline, or the last space that fits. */
static size_t line_length(const char *s, size_t room)
{
	size_t n = strcspn(s, "\n"), fits = n;

	while (fits > room) {
		size_t cut = fits - 1;

		while (cut > 0 && s[cut] != ' ')
			cut--;
		if (!cut)
			return n;
		fits = cut;
	}
	return fits;
}

static void help_row(const struct flag *f, size_t column, struct buf *out)
{
	_cleanup_(buf_fini) struct buf text = BUF_INIT;
	size_t begin = out->len;
	const char *s;

	help_left(f, out);
	buf_puts(&text, f->help);
	if (f->def && *f->def)
		buf_printf(&text, " (default %s)", f->def);
	buf_putc(&text, '\0');
	s = buf_error(&text) ? f->help : (const char *)text.data;
	if (out->len - begin >= column) {
		buf_putc(out, '\n');
		begin = out->len;
	}
	do {
		size_t n = line_length(s, HELP_WIDTH - column);

		buf_printf(out, "%*s%.*s\n", (int)(column - (out->len - begin)), "", (int)n, s);
		begin = out->len;
		s += n + (s[n] != '\0');
	} while (*s);
}

void flags_help(const struct cli *c, struct buf *out)
{
	size_t column = help_column(c);

	buf_printf(out, "Usage: hotspan %s%s%s\n\n%s\n", c->name, *c->usage ? " " : "", c->usage, c->about);
	if (!c->n_flags || c->flags[0].name)
		buf_putc(out, '\n');
	for (size_t i = 0; i < c->n_flags; i++) {
		if (c->flags[i].name)
			help_row(&c->flags[i], column, out);
		else
			buf_printf(out, "\n%s\n", c->flags[i].heading);
	}
	help_row(&help_flag, column, out);
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

/* names: room for FLAGS_MAX_NAME bytes a row. */
static void make_tables(const struct cli *c, struct option *longs, char *names, char *letters)
{
	size_t n = 0;

	*letters++ = '+'; /* a command's own flags are not ours */
	*letters++ = ':';
	for (size_t i = 0; i < c->n_flags; i++) {
		const struct flag *f = &c->flags[i];

		if (!f->name)
			continue;
		longs[n++] = (struct option){ flags_name(f, names + i * FLAGS_MAX_NAME, FLAGS_MAX_NAME), f->arg ? required_argument : no_argument, NULL, FIRST_ROW + (int)i };
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
	_cleanup_(freep) char *letters = calloc(c->n_flags + 3, 2), *names = calloc(c->n_flags + 1, FLAGS_MAX_NAME);
	int opt, r = 0;

	if (!longs || !letters || !names)
		return -ENOMEM;
	make_tables(c, longs, names, letters);
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
