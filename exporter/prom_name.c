/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/prom_name.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

enum { UNIT_MAX = 64 };

static const char *unit_word(const char *unit)
{
	static const struct {
		const char *unit, *word;
	} known[] = {
		{ "d", "days" },          { "h", "hours" },
		{ "min", "minutes" },     { "s", "seconds" },
		{ "ms", "milliseconds" }, { "us", "microseconds" },
		{ "ns", "nanoseconds" },  { "By", "bytes" },
		{ "KiBy", "kibibytes" },  { "MiBy", "mebibytes" },
		{ "GiBy", "gibibytes" },  { "Hz", "hertz" },
		{ "%", "percent" },       { "1", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(known[i].unit, unit))
			return known[i].word;
	return strchr(unit, '{') ? "" : unit; /* {request} says what is counted, not in what */
}

static const char *per_word(const char *unit)
{
	return !strcmp(unit, "s")     ? "second"
	       : !strcmp(unit, "min") ? "minute"
	       : !strcmp(unit, "h")   ? "hour"
				      : unit_word(unit);
}

static bool is_of_name(char c)
{
	return isalnum((unsigned char)c) || c == ':';
}

/* The next word of a name, its length; 0 at the end. */
static size_t next_word(const char **s)
{
	size_t n = 0;

	while (**s && !is_of_name(**s))
		++*s;
	while ((*s)[n] && is_of_name((*s)[n]))
		n++;
	return n;
}

static bool is_word(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && !memcmp(s, word, n);
}

static bool has_word(const char *name, const char *word)
{
	for (size_t n; (n = next_word(&name)); name += n)
		if (is_word(name, n, word))
			return true;
	return false;
}

static void put_word(struct buf *b, size_t begin, const char *word, size_t n)
{
	if (b->len > begin)
		buf_putc(b, '_');
	else if (n && isdigit((unsigned char)*word))
		buf_putc(b, '_'); /* no name begins with a digit */
	buf_append(b, word, n);
}

/* but: a word that comes at the end, if at all. */
static void put_words(struct buf *b, size_t begin, const char *name, const char *but)
{
	for (size_t n; (n = next_word(&name)); name += n)
		if (!is_word(name, n, but))
			put_word(b, begin, name, n);
}

static void put_unit(struct buf *b, size_t begin, const char *name, const char *text)
{
	char unit[UNIT_MAX], *per;
	const char *word;

	snprintf(unit, sizeof(unit), "%s", text);
	per = strchr(unit, '/');
	if (per)
		*per++ = '\0';
	word = unit_word(unit);
	if (*word && !has_word(name, word))
		put_words(b, begin, word, "");
	word = per ? per_word(per) : "";
	if (*word && !has_word(name, word)) {
		put_word(b, begin, "per", 3);
		put_words(b, begin, word, "");
	}
}

static const char *last_word(const struct metric_family *f)
{
	if (f->kind == METRIC_COUNTER)
		return "total";
	return f->kind == METRIC_GAUGE && f->unit && !strcmp(f->unit, "1") ? "ratio" : "";
}

void prom_metric_name(struct buf *b, const struct metric_family *f)
{
	const char *last = last_word(f);
	size_t begin = b->len;

	put_words(b, begin, f->name, last);
	if (f->unit)
		put_unit(b, begin, f->name, f->unit);
	if (*last)
		put_word(b, begin, last, strlen(last));
}

static char of_label(char c)
{
	return isalnum((unsigned char)c) ? c : '_';
}

void prom_label_name(struct buf *b, struct slice key)
{
	if (key.len && isdigit((unsigned char)*key.s))
		buf_puts(b, "key_");
	for (size_t i = 0; i < key.len; i++)
		buf_putc(b, of_label(key.s[i]));
}

bool prom_labels_clash(struct slice a, struct slice b)
{
	size_t same = 0;

	while (same < a.len && same < b.len && of_label(a.s[same]) == of_label(b.s[same]))
		same++;
	return same == a.len && same == b.len;
}
