/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config.h"
#include "agent/options.h"
#include "base/cleanup.h"
#include "base/units.h"
#include "exporter/pyroscope.h"
#include "trace/route_pattern.h"

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
			option_amount(o->min, o->type, low, sizeof(low)), option_amount(o->max, o->type, high, sizeof(high)));
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

int option_set_text(void *to, const char *text)
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
	return option_set_text(to, name);
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
	strmap_fini(option_field(o, base));
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

void option_clear(const struct option *o, void *base)
{
	if (o->type == OPTION_LIST)
		strlist_fini(option_field(o, base));
	else if (o->type == OPTION_SET)
		*(uint32_t *)option_field(o, base) = 0;
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
	struct strlist *l = option_field(o, base);
	char **slot;
	int r;

	if (o->type == OPTION_SET)
		return add_to_set(o->unit, option_field(o, base), text, err, err_len);

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

int option_set(const struct option *o, void *base, const char *text, char *err, size_t err_len)
{
	void *to = option_field(o, base);

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
		return option_set_text(to, text);
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
	return r < 0 ? r : strmap_set(option_field(o, base), key, value);
}
