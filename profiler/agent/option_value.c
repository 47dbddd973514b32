/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config.h"
#include "agent/options.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/units.h"
#include "base/url.h"

char *option_amount(uint64_t v, enum option_type type, char *out, size_t len)
{
	struct unit {
		uint64_t factor;
		const char *suffix;
	};
	static const struct unit times[] = { { 60 * NSEC_PER_SEC, "m" }, { NSEC_PER_SEC, "s" }, { NSEC_PER_MSEC, "ms" } };
	static const struct unit sizes[] = { { 1024 * MIB, "GiB" }, { MIB, "MiB" }, { KIB, "KiB" }, { 1, "" } };
	bool time = type == OPTION_DURATION;
	const struct unit *units = time ? times : sizes;
	size_t n = time ? ARRAY_SIZE(times) : ARRAY_SIZE(sizes), i = 0;

	while (i + 1 < n && (v % units[i].factor || !v))
		i++;
	snprintf(out, len, "%llu%s", (unsigned long long)(v / units[i].factor), units[i].suffix);
	return out;
}

static bool lists_equal(const struct strlist *a, const struct strlist *b)
{
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i], b->v[i]))
			return false;
	return true;
}

static bool strings_equal(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

bool option_equal(const struct option *o, const void *a, const void *b)
{
	const void *x = option_cfield(o, a), *y = option_cfield(o, b);

	switch (o->type) {
	case OPTION_U32:
	case OPTION_SET:
		return *(const uint32_t *)x == *(const uint32_t *)y;
	case OPTION_BOOL:
		return *(const bool *)x == *(const bool *)y;
	case OPTION_DURATION:
	case OPTION_BYTES:
		return *(const uint64_t *)x == *(const uint64_t *)y;
	case OPTION_PERCENT:
		return !(*(const double *)x < *(const double *)y) && !(*(const double *)x > *(const double *)y);
	case OPTION_MAP:
		return strmap_equal(x, y);
	case OPTION_LIST:
		return lists_equal(x, y);
	default:
		return strings_equal(*(char *const *)x, *(char *const *)y);
	}
}

/* Of those that point nowhere. */
static size_t value_size(const struct option *o)
{
	static const size_t sizes[] = {
		[OPTION_U32] = sizeof(uint32_t),      [OPTION_BOOL] = sizeof(bool),
		[OPTION_DURATION] = sizeof(uint64_t), [OPTION_BYTES] = sizeof(uint64_t),
		[OPTION_PERCENT] = sizeof(double),    [OPTION_SET] = sizeof(uint32_t)
	};

	return sizes[o->type];
}

static int copy_map(const struct strmap *from, struct strmap *to)
{
	struct strmap copy = { 0 };
	int r = strmap_copy(from, &copy);

	if (r < 0) {
		strmap_fini(&copy);
		return r;
	}
	strmap_fini(to);
	*to = copy;
	return 0;
}

static int copy_list(const struct strlist *from, struct strlist *to)
{
	struct strlist copy = { 0 };

	vec_foreach(s, from) {
		char **slot = vec_push(&copy);

		if (!slot || !(*slot = strdup(*s))) {
			copy.n -= slot != NULL;
			strlist_fini(&copy);
			return -ENOMEM;
		}
	}
	strlist_fini(to);
	*to = copy;
	return 0;
}

int option_copy(const struct option *o, const void *from, void *to)
{
	const char *text;

	switch (o->type) {
	case OPTION_MAP:
		return copy_map(option_cfield(o, from), option_field(o, to));
	case OPTION_STRING:
	case OPTION_SECRET:
	case OPTION_CHOICE:
		text = *(char *const *)option_cfield(o, from);
		return option_set_text(option_field(o, to), text ? text : "");
	case OPTION_LIST:
		return copy_list(option_cfield(o, from), option_field(o, to));
	default:
		memcpy(option_field(o, to), option_cfield(o, from), value_size(o));
		return 0;
	}
}

bool option_is_set(const struct option *o, const void *base)
{
	const void *x = option_cfield(o, base);

	if (o->type == OPTION_U32)
		return *o->def || *(const uint32_t *)x;
	if (o->type == OPTION_MAP)
		return ((const struct strmap *)x)->v.n > 0;
	if (o->type == OPTION_LIST)
		return ((const struct strlist *)x)->n > 0;
	if (o->type == OPTION_STRING || o->type == OPTION_SECRET || o->type == OPTION_CHOICE)
		return *(char *const *)x != NULL;
	return true;
}

/* secret: the values of headers may be tokens, whatever they are called. */
static void print_map(const struct strmap *m, bool secret, struct buf *out)
{
	const char *comma = "";

	buf_putc(out, '{');
	vec_foreach(e, &m->v)
	{
		buf_puts(out, comma);
		buf_json_string(out, e->key, strlen(e->key));
		buf_puts(out, ": ");
		if (secret)
			buf_puts(out, "<secret>");
		else
			buf_json_string(out, e->value, strlen(e->value));
		comma = ", ";
	}
	buf_putc(out, '}');
}

static void print_list(const struct strlist *l, struct buf *out)
{
	buf_putc(out, '[');
	for (uint32_t i = 0; i < l->n; i++) {
		buf_puts(out, i ? ", " : "");
		buf_json_string(out, l->v[i], strlen(l->v[i]));
	}
	buf_putc(out, ']');
}

static void print_set(const char *choices, uint32_t set, struct buf *out)
{
	const char *comma = "";

	buf_putc(out, '[');
	for (uint32_t i = 0; *choices; i++) {
		size_t len = strcspn(choices, "|");

		if (set >> i & 1) {
			buf_printf(out, "%s%.*s", comma, (int)len, choices);
			comma = ", ";
		}
		choices += len + (choices[len] == '|');
	}
	buf_putc(out, ']');
}

static void print_text(const struct option *o, const char *s, struct buf *out)
{
	char shown[4096];

	if (s && !strcmp(o->unit, "url"))
		s = url_shown(s, shown, sizeof(shown));
	buf_json_string(out, s, s ? strlen(s) : 0);
}

void option_print(const struct option *o, const void *base, struct buf *out)
{
	const void *x = option_cfield(o, base);
	char text[32];

	switch (o->type) {
	case OPTION_U32:
		buf_printf(out, "%u", *(const uint32_t *)x);
		break;
	case OPTION_BOOL:
		buf_puts(out, *(const bool *)x ? "true" : "false");
		break;
	case OPTION_DURATION:
	case OPTION_BYTES:
		buf_puts(out, option_amount(*(const uint64_t *)x, o->type, text, sizeof(text)));
		break;
	case OPTION_PERCENT:
		buf_printf(out, "%g", *(const double *)x);
		break;
	case OPTION_SECRET:
		buf_puts(out, *(char *const *)x ? "<secret>" : "\"\"");
		break;
	case OPTION_MAP:
		print_map(x, !strcmp(o->unit, "header"), out);
		break;
	case OPTION_LIST:
		print_list(x, out);
		break;
	case OPTION_SET:
		print_set(o->unit, *(const uint32_t *)x, out);
		break;
	default:
		print_text(o, *(char *const *)x, out);
	}
}
