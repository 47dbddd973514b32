/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config.h"
#include "base/cleanup.h"
#include "base/distance.h"
#include "base/units.h"

#define LIVE OPTION_LIVE
#define RESTART OPTION_RESTART
#define ROW(in, field, key_, type_, def_, min_, max_, unit_, live_, help_)                         \
	{ .key = key_, .type = OPTION_##type_, .def = def_, .min = min_, .max = max_, .unit = unit_, .live = live_, \
	  .help = help_, .offset = offsetof(struct in, field) },

static const struct option config_rows[] = {
#define OPTION(...) ROW(config, __VA_ARGS__)
#include "agent/options.def"
#undef OPTION
};

static const struct option receiver_rows[] = {
#define RECEIVER(...) ROW(receiver_opts, __VA_ARGS__)
#include "agent/options.def"
#undef RECEIVER
};

static const struct option selector_rows[] = {
#define SELECTOR(...) ROW(selector_opts, __VA_ARGS__)
#include "agent/options.def"
#undef SELECTOR
};

static const struct option relabel_rows[] = {
#define RELABEL(...) ROW(relabel_opts, __VA_ARGS__)
#include "agent/options.def"
#undef RELABEL
};

const struct option_table config_options = { config_rows, ARRAY_SIZE(config_rows) };
const struct option_table receiver_options = { receiver_rows, ARRAY_SIZE(receiver_rows) };
const struct option_table selector_options = { selector_rows, ARRAY_SIZE(selector_rows) };
const struct option_table relabel_options = { relabel_rows, ARRAY_SIZE(relabel_rows) };

const struct option *option_find(const struct option_table *t, const char *key)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->v[i].key, key))
			return &t->v[i];
	return NULL;
}

const char *option_nearest(const struct option_table *t, const char *key)
{
	unsigned int best = (unsigned int)strlen(key) / 3 + 2;
	const char *found = NULL;

	for (size_t i = 0; i < t->n; i++) {
		unsigned int d = distance(key, strlen(key), t->v[i].key, strlen(t->v[i].key));

		if (d < best) {
			best = d;
			found = t->v[i].key;
		}
	}
	return found;
}

void strlist_fini(struct strlist *l)
{
	vec_foreach(s, l)
		free(*s);
	vec_fini(l);
}

int options_init(const struct option_table *t, void *base)
{
	char err[256];
	int r = 0;

	for (size_t i = 0; i < t->n && r >= 0; i++)
		if (*t->v[i].def)
			r = option_set(&t->v[i], base, t->v[i].def, err, sizeof(err));
	return r;
}

void options_fini(const struct option_table *t, void *base)
{
	for (size_t i = 0; i < t->n; i++) {
		void *x = option_field(&t->v[i], base);

		if (t->v[i].type == OPTION_MAP)
			strmap_fini(x);
		else if (t->v[i].type == OPTION_LIST)
			strlist_fini(x);
		else if (t->v[i].type == OPTION_STRING || t->v[i].type == OPTION_SECRET || t->v[i].type == OPTION_CHOICE)
			free(*(char **)x);
	}
}

static char *spell(const char *prefix, const char *key, char from, char to, bool upper, char *out, size_t len)
{
	snprintf(out, len, "%s%s", prefix, key);
	for (char *s = out + strlen(prefix); *s; s++) {
		if (*s == from || *s == '.')
			*s = to;
		if (upper)
			*s = (char)toupper((unsigned char)*s);
	}
	return out;
}

char *option_flag(const struct option *o, char *out, size_t len)
{
	return spell("--", o->key, '_', '-', false, out, len);
}

char *option_env(const struct option *o, char *out, size_t len)
{
	return spell("HOTSPAN_", o->key, '_', '_', true, out, len);
}
