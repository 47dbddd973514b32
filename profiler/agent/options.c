/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/distance.h"
#include "base/units.h"
#include "base/url.h"
#include "exporter/pyroscope.h"
#include "trace/route_pattern.h"

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

static void *field(const struct option *o, void *base)
{
	return (char *)base + o->offset;
}

static const void *cfield(const struct option *o, const void *base)
{
	return (const char *)base + o->offset;
}

static int complain(char *err, size_t len, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int complain(char *err, size_t len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, len, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int set_u32(const struct option *o, void *to, const char *text, char *err, size_t len)
{
	uint64_t v;

	if (parse_u64(text, o->min, o->max, &v) < 0)
		return complain(err, len, "'%s' is not a number from %llu to %llu", text, (unsigned long long)o->min,
				(unsigned long long)o->max);
	*(uint32_t *)to = (uint32_t)v;
	return 0;
}

static int set_bool(void *to, const char *text, char *err, size_t len)
{
	if (strcmp(text, "true") && strcmp(text, "false"))
		return complain(err, len, "'%s' is neither true nor false", text);
	*(bool *)to = !strcmp(text, "true");
	return 0;
}

/* Whole units read best: 15s, not 15000000000. */
static char *amount(uint64_t v, enum option_type type, char *out, size_t len)
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

static int set_amount(const struct option *o, void *to, const char *text, char *err, size_t len)
{
	bool time = o->type == OPTION_DURATION;
	char low[32], high[32];
	uint64_t v;
	int r = time ? parse_duration(text, &v) : parse_bytes(text, &v);

	if (r >= 0 && v >= o->min && v <= o->max) {
		*(uint64_t *)to = v;
		return 0;
	}
	return complain(err, len, "'%s' is not a %s from %s to %s", text, time ? "time" : "size",
			amount(o->min, o->type, low, sizeof(low)), amount(o->max, o->type, high, sizeof(high)));
}

/* "0.5" or "0.5%". */
static int set_percent(const struct option *o, void *to, const char *text, char *err, size_t len)
{
	char *end;
	double v = strtod(text, &end);

	end += *end == '%';
	if (end == text || *end || !isdigit((unsigned char)*text) || v < (double)o->min || v > (double)o->max)
		return complain(err, len, "'%s' is not a percentage from %llu to %llu", text, (unsigned long long)o->min,
				(unsigned long long)o->max);
	*(double *)to = v;
	return 0;
}

static int set_string(void *to, const char *text)
{
	char *copy = *text ? strdup(text) : NULL;

	if (*text && !copy)
		return -ENOMEM;
	free(*(char **)to);
	*(char **)to = copy;
	return 0;
}

/* Which of "a|b|c" a text is, whatever the case, and its spelling there; -1: none. */
static int find_choice(const char *choices, const char *text, const char **ret, size_t *ret_len)
{
	int i = 0;

	for (const char *s = choices; *s; i++) {
		size_t len = strcspn(s, "|");

		if (len == strlen(text) && !strncasecmp(s, text, len)) {
			*ret = s;
			*ret_len = len;
			return i;
		}
		s += len + (s[len] == '|');
	}
	return -1;
}

/* As it is spelled among the choices: Kubernetes' operators write `action: Drop`. */
static int set_choice(const char *choices, void *to, const char *text, char *err, size_t err_len)
{
	const char *found;
	char name[32];
	size_t len;

	if (find_choice(choices, text, &found, &len) < 0)
		return complain(err, err_len, "'%s' is none of %s", text, choices);
	snprintf(name, sizeof(name), "%.*s", (int)len, found);
	return set_string(to, name);
}

static int add_to_set(const char *choices, uint32_t *to, const char *text, char *err,
		      size_t err_len)
{
	const char *found;
	size_t len;
	int i = find_choice(choices, text, &found, &len);

	if (i < 0)
		return complain(err, err_len, "'%s' is none of %s", text, choices);
	*to |= 1u << i;
	return 0;
}

/* "env=prod,region=eu": as variables and flags have it. */
static int set_map(const struct option *o, void *base, const char *text, char *err, size_t len)
{
	_cleanup_(freep) char *copy = strdup(text);
	char *rest = copy, *one;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	strmap_fini(field(o, base));
	while (r >= 0 && (one = strsep(&rest, ","))) {
		char *eq = strchr(one, '=');

		if (!*one && !rest)
			break;
		if (!eq || eq == one)
			return complain(err, len, "'%s' is not name=value", one);
		*eq = '\0';
		r = option_set_entry(o, base, one, eq + 1, err, len);
	}
	return r;
}

static void list_fini(struct strlist *l)
{
	vec_foreach(s, l)
		free(*s);
	vec_fini(l);
}

void option_clear(const struct option *o, void *base)
{
	if (o->type == OPTION_LIST)
		list_fini(field(o, base));
	else if (o->type == OPTION_SET)
		*(uint32_t *)field(o, base) = 0;
}

static int check_route(const char *text, char *err, size_t err_len)
{
	struct route_patterns p = { 0 };
	int r = route_patterns_add(&p, text, err, err_len);

	route_patterns_fini(&p);
	return r;
}

int option_add(const struct option *o, void *base, const char *text, char *err, size_t err_len)
{
	struct strlist *l = field(o, base);
	char **slot;
	int r;

	if (o->type == OPTION_SET)
		return add_to_set(o->unit, field(o, base), text, err, err_len);

	if (o->type != OPTION_LIST)
		return complain(err, err_len, "it takes one value, not a list");
	r = strcmp(o->unit, "route") ? 0 : check_route(text, err, err_len);
	if (r < 0)
		return r;
	slot = vec_push(l);
	if (slot && (*slot = strdup(text)))
		return 0;
	l->n -= slot != NULL;
	return -ENOMEM;
}

/* "a,b": as variables and flags have it. */
static int set_list(const struct option *o, void *base, const char *text, char *err, size_t len)
{
	_cleanup_(freep) char *copy = strdup(text);
	char *rest = copy, *one;
	int r = copy ? 0 : -ENOMEM;

	option_clear(o, base);
	while (r >= 0 && (one = strsep(&rest, ",")))
		r = *one ? option_add(o, base, one, err, len) : 0;
	return r;
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

int option_set(const struct option *o, void *base, const char *text, char *err, size_t err_len)
{
	void *to = field(o, base);

	snprintf(err, err_len, "out of memory");
	switch (o->type) {
	case OPTION_U32:
		return set_u32(o, to, text, err, err_len);
	case OPTION_BOOL:
		return set_bool(to, text, err, err_len);
	case OPTION_DURATION:
	case OPTION_BYTES:
		return set_amount(o, to, text, err, err_len);
	case OPTION_PERCENT:
		return set_percent(o, to, text, err, err_len);
	case OPTION_CHOICE:
		return set_choice(o->unit, to, text, err, err_len);
	case OPTION_STRING:
	case OPTION_SECRET:
		return set_string(to, text);
	case OPTION_MAP:
		return set_map(o, base, text, err, err_len);
	case OPTION_LIST:
	case OPTION_SET:
		return set_list(o, base, text, err, err_len);
	}
	return -EINVAL;
}

static int check_header(const char *name, const char *value, char *err, size_t len)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (name[strspn(name, token)])
		return complain(err, len, "'%s' is no name of an HTTP header", name);
	if (value[strcspn(value, "\r\n")])
		return complain(err, len, "header '%s': a value is one line", name);
	return 0;
}

/* As Kubernetes names them: "app.kubernetes.io/name". */
static int check_pod_label(const char *name, char *err, size_t len)
{
	for (const char *s = name; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("-._/", *s))
			return complain(err, len, "'%s' is no name of a pod's label: letters, digits, - . _ and /", name);
	return 0;
}

int option_set_entry(const struct option *o, void *base, const char *key, const char *value, char *err, size_t err_len)
{
	int r;

	if (o->type != OPTION_MAP)
		return complain(err, err_len, "it takes one value, not a mapping");
	if (!*key)
		return complain(err, err_len, "a name must not be empty");
	if (!strcmp(o->unit, "label"))
		r = pyroscope_check_label(key, value, err, err_len);
	else if (!strcmp(o->unit, "pod label"))
		r = check_pod_label(key, err, err_len);
	else if (!strcmp(o->unit, "path"))
		r = 0; /* any path to any other, even to none */
	else
		r = check_header(key, value, err, err_len);
	return r < 0 ? r : strmap_set(field(o, base), key, value);
}

static bool strings_equal(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

bool option_equal(const struct option *o, const void *a, const void *b)
{
	const void *x = cfield(o, a), *y = cfield(o, b);

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
			list_fini(&copy);
			return -ENOMEM;
		}
	}
	list_fini(to);
	*to = copy;
	return 0;
}

int option_copy(const struct option *o, const void *from, void *to)
{
	const char *text;

	switch (o->type) {
	case OPTION_MAP:
		return copy_map(cfield(o, from), field(o, to));
	case OPTION_STRING:
	case OPTION_SECRET:
	case OPTION_CHOICE:
		text = *(char *const *)cfield(o, from);
		return set_string(field(o, to), text ? text : "");
	case OPTION_LIST:
		return copy_list(cfield(o, from), field(o, to));
	default:
		memcpy(field(o, to), cfield(o, from), value_size(o));
		return 0;
	}
}

bool option_is_set(const struct option *o, const void *base)
{
	const void *x = cfield(o, base);

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
	const void *x = cfield(o, base);
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
		buf_puts(out, amount(*(const uint64_t *)x, o->type, text, sizeof(text)));
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
		void *x = field(&t->v[i], base);

		if (t->v[i].type == OPTION_MAP)
			strmap_fini(x);
		else if (t->v[i].type == OPTION_LIST)
			list_fini(x);
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
