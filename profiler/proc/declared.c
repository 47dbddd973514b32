/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/declared.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/pairs.h"
#include "base/wire.h"
#include "base/wire_reader.h"

void declared_make_printable(char *s)
{
	size_t left = strlen(s), n;

	for (; left; s += n, left -= n) {
		n = utf8_len(s, left);
		if (!n || (unsigned char)*s < ' ' || *s == 0x7f) {
			*s = '?';
			n = 1;
		}
	}
}

/* Neither ends in the middle of a character: what is cut off there is no UTF-8 any more. */
static void cut_character(char *s)
{
	size_t n = strlen(s), at = n;

	while (at && ((unsigned char)s[at - 1] & 0xc0) == 0x80)
		at--;
	if (at && (unsigned char)s[at - 1] >= 0xc0 && !utf8_len(s + at - 1, n - at + 1))
		s[at - 1] = '\0';
}

/* name and value need no NUL; the first of them ends them. Empty ones say nothing. */
static int add(struct strmap *to, const char *name, size_t name_len, const char *value, size_t value_len)
{
	char key[DECLARED_NAME_MAX + 1], text[DECLARED_VALUE_MAX + 1];

	name_len = strnlen(name, name_len);
	value_len = strnlen(value, value_len);
	if (!name_len || !value_len || name_len > DECLARED_NAME_MAX || memchr(name, '=', name_len))
		return 0;
	snprintf(key, sizeof(key), "%.*s", (int)name_len, name);
	snprintf(text, sizeof(text), "%.*s", (int)(value_len < sizeof(text) ? value_len : sizeof(text)), value);
	if (value_len > DECLARED_VALUE_MAX)
		cut_character(text);
	declared_make_printable(key);
	declared_make_printable(text);
	if (to->v.n >= DECLARED_MAX && !strmap_get(to, key) && strcmp(key, "service.name"))
		return 0;
	return strmap_set(to, key, text);
}

/* ---- the environment ---- */

/* NULL: there is no such variable. */
static const char *find(const char *env, size_t len, const char *name, size_t *ret_len)
{
	size_t name_len = strlen(name), n;

	for (; len; env += n, len -= n) {
		const char *nul = memchr(env, 0, len);

		n = nul ? (size_t)(nul - env) + 1 : len;
		if (n <= name_len || memcmp(env, name, name_len) || env[name_len] != '=')
			continue;
		*ret_len = n - name_len - 1 - (nul != NULL);
		return env + name_len + 1;
	}
	return NULL;
}

int declared_add_service_name(struct strmap *to, const char *env, size_t len)
{
	const char *value = find(env, len, "OTEL_SERVICE_NAME", &len);

	int r = value ? add(to, "service.name", strlen("service.name"), value, len) : 0;

	return r < 0 ? r : value && len && *value;
}

static int add_pair(void *ctx, const char *key, const char *value)
{
	return key ? add(ctx, key, strlen(key), value, strlen(value)) : 0;
}

int declared_add_attributes(struct strmap *to, const char *env, size_t len)
{
	const char *s = find(env, len, "OTEL_RESOURCE_ATTRIBUTES", &len);

	return s ? pairs_each(s, len, add_pair, to) : 0;
}

/* ---- the process context ---- */

/* Numbers of fields: opentelemetry/proto/{common,resource}/v1, processcontext/v1development. */
enum { CONTEXT_RESOURCE = 1, CONTEXT_ATTRIBUTES = 2, RESOURCE_ATTRIBUTES = 1, KEY = 1, VALUE = 2 };
enum { VALUE_STRING = 1, VALUE_BOOL = 2, VALUE_INT = 3 };

static int add_value(struct strmap *to, const struct wire_field *key, const struct wire_field *value)
{
	struct wire_reader r = wire_reader_of(value->data, value->value);
	struct wire_field f;
	char number[24];

	if (wire_next(&r, &f) <= 0)
		return 0;
	if (f.number == VALUE_STRING && f.type == WIRE_LEN)
		return add(to, (const char *)key->data, key->value, (const char *)f.data, f.value);
	if (f.type != WIRE_VARINT || (f.number != VALUE_BOOL && f.number != VALUE_INT))
		return 0;
	if (f.number == VALUE_BOOL)
		snprintf(number, sizeof(number), "%s", f.value ? "true" : "false");
	else
		snprintf(number, sizeof(number), "%lld", (long long)f.value);
	return add(to, (const char *)key->data, key->value, number, strlen(number));
}

static int add_key_value(struct strmap *to, const struct wire_field *pair)
{
	struct wire_reader r = wire_reader_of(pair->data, pair->value);
	struct wire_field f, key = { 0 }, value = { 0 };

	while (wire_next(&r, &f) > 0) {
		if (f.type == WIRE_LEN && f.number == KEY)
			key = f;
		else if (f.type == WIRE_LEN && f.number == VALUE)
			value = f;
	}
	return key.data && value.data ? add_value(to, &key, &value) : 0;
}

static int add_resource(struct strmap *to, const struct wire_field *resource)
{
	struct wire_reader r = wire_reader_of(resource->data, resource->value);
	struct wire_field f;
	int e = 0;

	while (e >= 0 && wire_next(&r, &f) > 0)
		if (f.type == WIRE_LEN && f.number == RESOURCE_ATTRIBUTES)
			e = add_key_value(to, &f);
	return e;
}

int declared_add_context(struct strmap *to, const void *message, size_t len)
{
	struct wire_reader r = wire_reader_of(message, len);
	struct wire_field f;
	int e = 0;

	while (e >= 0 && wire_next(&r, &f) > 0) {
		if (f.type != WIRE_LEN)
			continue;
		if (f.number == CONTEXT_RESOURCE)
			e = add_resource(to, &f);
		else if (f.number == CONTEXT_ATTRIBUTES)
			e = add_key_value(to, &f);
	}
	return e;
}
