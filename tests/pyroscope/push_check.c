/* SPDX-License-Identifier: Apache-2.0 */
#include "pyroscope/push_check.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

int push_check_headers(const struct push_headers *h, struct refusal *why)
{
	if (strcmp(h->method, "POST")) {
		refuse(why, CONNECT_UNKNOWN, "method %s is not allowed", h->method);
		why->status = 405;
		return -1;
	}
	/* A real server takes application/json too; we send none, so that here it is a mistake. */
	if (!h->content_type || strcmp(h->content_type, "application/proto")) {
		refuse(why, CONNECT_UNKNOWN, "Content-Type %s", h->content_type ? h->content_type : "is missing");
		why->status = 415;
		return -1;
	}
	if (h->connect_version && strcmp(h->connect_version, "1"))
		return refuse(why, CONNECT_INVALID_ARGUMENT, "connect-protocol-version must be \"1\": got \"%s\"", h->connect_version);
	if (h->content_encoding && strcmp(h->content_encoding, "gzip") && strcmp(h->content_encoding, "identity"))
		return refuse(why, CONNECT_UNIMPLEMENTED, "unknown compression \"%s\": supported encodings are gzip", h->content_encoding);
	return 0;
}

/* How many bytes of a sequence follow this one and which bits of it count; 0 for no first byte. */
static int utf8_more(uint8_t c, uint32_t *ret_bits)
{
	if (c >= 0xc2 && c <= 0xdf)
		return *ret_bits = c & 0x1f, 1;
	if (c >= 0xe0 && c <= 0xef)
		return *ret_bits = c & 0x0f, 2;
	if (c >= 0xf0 && c <= 0xf4)
		return *ret_bits = c & 0x07, 3;
	return 0;
}

bool utf8_valid(const uint8_t *s, size_t len)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };

	for (size_t i = 0; i < len;) {
		uint32_t code = 0;
		int more;

		if (s[i] < 0x80) {
			i++;
			continue;
		}
		more = utf8_more(s[i++], &code);
		if (!more || len - i < (size_t)more)
			return false;
		for (int j = 0; j < more; j++, i++) {
			if ((s[i] & 0xc0) != 0x80)
				return false;
			code = code << 6 | (s[i] & 0x3f);
		}
		if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
			return false;
	}
	return true;
}

static bool is_reserved(const char *name)
{
	static const char *const names[] = { "__profile_type__", "__type__", "__unit__", "__period_type__", "__period_unit__",
					     "__service_name__", "__order__", "__sampled__", "__otel__" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static int check_one(const struct push_label *l, struct refusal *why)
{
	if (!l->name_len)
		return refuse(why, CONNECT_INVALID_ARGUMENT, "a label has an empty name");
	if (l->name_len > PUSH_MAX_NAME)
		return refuse(why, CONNECT_INVALID_ARGUMENT, "a label's name has %zu bytes, over %d", l->name_len, PUSH_MAX_NAME);
	if (l->value_len > PUSH_MAX_VALUE)
		return refuse(why, CONNECT_INVALID_ARGUMENT, "the value of label '%.*s' has %zu bytes, over %d", (int)l->name_len,
			      l->name, l->value_len, PUSH_MAX_VALUE);
	if (!utf8_valid(l->name, l->name_len))
		return refuse(why, CONNECT_INVALID_ARGUMENT, "a label's name is not UTF-8");
	if (!utf8_valid(l->value, l->value_len))
		return refuse(why, CONNECT_INVALID_ARGUMENT, "the value of label '%.*s' is not UTF-8", (int)l->name_len, l->name);
	return 0;
}

int push_check_count(size_t n, struct refusal *why)
{
	if (n > PUSH_MAX_LABELS)
		return refuse(why, CONNECT_INVALID_ARGUMENT, "the series has %zu label names, over %d", n, PUSH_MAX_LABELS);
	return 0;
}

static int add_label(const struct push_label *l, struct strmap *ret, int *ret_reserved, struct refusal *why)
{
	_cleanup_(freep) char *name = strndup((const char *)l->name, l->name_len);
	_cleanup_(freep) char *value = l->value_len ? strndup((const char *)l->value, l->value_len) : strdup("");

	if (!name || !value)
		abort();
	if (strmap_get(ret, name))
		return refuse(why, CONNECT_INVALID_ARGUMENT, "label '%s' is there twice", name);
	*ret_reserved += is_reserved(name);
	if (strmap_set(ret, name, value) < 0)
		abort();
	return 0;
}

static void take_out(struct strmap *m, const char *name)
{
	for (uint32_t i = 0; i < m->v.n; i++) {
		if (strcmp(m->v.v[i].key, name))
			continue;
		free(m->v.v[i].key);
		free(m->v.v[i].value);
		memmove(&m->v.v[i], &m->v.v[i + 1], (m->v.n - i - 1) * sizeof(m->v.v[0]));
		m->v.n--;
		return;
	}
}

int push_check_labels(const struct push_label *labels, size_t n, struct strmap *ret, int *ret_reserved,
		      struct refusal *why)
{
	const char *name, *service;

	for (size_t i = 0; i < n; i++)
		if (check_one(&labels[i], why) < 0 || add_label(&labels[i], ret, ret_reserved, why) < 0)
			return -1;
	service = strmap_get(ret, "service_name");
	if (service && !*service)
		return refuse(why, CONNECT_INVALID_ARGUMENT, "service name is not provided");
	if (!service && strmap_set(ret, "service_name", "unknown_service") < 0)
		abort();
	if (push_check_count(ret->v.n, why) < 0)
		return -1;
	name = strmap_get(ret, "__name__");
	if (!name || !*name)
		return refuse(why, CONNECT_INVALID_ARGUMENT, "label '__name__' is missing: profile name is not provided");
	take_out(ret, "__session_id__");
	take_out(ret, "__delta__");
	return 0;
}
