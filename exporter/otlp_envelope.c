/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/otlp_envelope.h"

#include <string.h>

#include "base/strmap.h"
#include "base/wire.h"
#include "exporter/attribute.h"

/* The conventions that names of attributes and metrics are of. */
#define SCHEMA_URL "https://opentelemetry.io/schemas/1.44.0"

/* Field numbers of each message. */
enum { REQUEST_RESOURCES = 1 };
enum { RESOURCE_ITEMS_RESOURCE = 1, RESOURCE_ITEMS_SCOPES, RESOURCE_ITEMS_SCHEMA };
enum { SCOPE_ITEMS_SCOPE = 1, SCOPE_ITEMS_SCHEMA = 3 };
enum { RESOURCE_ATTRIBUTES = 1 };
enum { SCOPE_NAME = 1, SCOPE_VERSION };
enum { KEY_VALUE_KEY = 1, KEY_VALUE_VALUE };
enum { ANY_STRING = 1, ANY_BOOL, ANY_INT, ANY_DOUBLE };

void otlp_envelope_init(struct otlp_envelope *e, const struct otlp_opts *opts)
{
	*e = (struct otlp_envelope){ .opts = *opts };
	if (!e->opts.max_bytes)
		e->opts.max_bytes = OTLP_REQUEST_BYTES;
}

void otlp_envelope_fini(struct otlp_envelope *e)
{
	buf_fini(&e->out);
}

/* A value that is there says something, even an empty one. */
static void put_text(struct buf *b, const char *text)
{
	size_t mark = wire_begin(b, ANY_STRING);

	buf_append_utf8(b, text, strlen(text));
	wire_end(b, mark);
}

static void put_any(struct buf *b, const struct attribute *a)
{
	switch (a->type) {
	case ATTRIBUTE_TEXT:
		put_text(b, a->text);
		break;
	case ATTRIBUTE_INT:
		wire_uint_present(b, ANY_INT, (uint64_t)a->number);
		break;
	case ATTRIBUTE_DOUBLE:
		wire_double_present(b, ANY_DOUBLE, a->real);
		break;
	case ATTRIBUTE_BOOL:
		wire_uint_present(b, ANY_BOOL, a->truth);
		break;
	}
}

void otlp_put_attributes(struct buf *b, uint32_t field, const struct attribute *a, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		size_t pair = wire_begin(b, field), value;

		wire_utf8(b, KEY_VALUE_KEY, a[i].key);
		value = wire_begin(b, KEY_VALUE_VALUE);
		put_any(b, &a[i]);
		wire_end(b, value);
		wire_end(b, pair);
	}
}

static void put_resource(struct buf *b, const struct strmap *attributes)
{
	size_t mark = wire_begin(b, RESOURCE_ITEMS_RESOURCE);

	vec_foreach(e, &attributes->v) {
		struct attribute a = { .key = e->key, .type = ATTRIBUTE_TEXT, .text = e->value };

		otlp_put_attributes(b, RESOURCE_ATTRIBUTES, &a, 1);
	}
	wire_end(b, mark);
}

void otlp_envelope_open(struct otlp_envelope *e, const struct strmap *resource)
{
	size_t mark;

	e->resource = wire_begin(&e->out, REQUEST_RESOURCES);
	put_resource(&e->out, resource);
	e->scope = wire_begin(&e->out, RESOURCE_ITEMS_SCOPES);
	mark = wire_begin(&e->out, SCOPE_ITEMS_SCOPE);
	wire_string(&e->out, SCOPE_NAME, e->opts.scope_name);
	wire_string(&e->out, SCOPE_VERSION, e->opts.scope_version);
	wire_end(&e->out, mark);
	e->is_open = true;
}

void otlp_envelope_close(struct otlp_envelope *e)
{
	if (!e->is_open)
		return;
	wire_string(&e->out, SCOPE_ITEMS_SCHEMA, SCHEMA_URL);
	wire_end(&e->out, e->scope);
	wire_string(&e->out, RESOURCE_ITEMS_SCHEMA, SCHEMA_URL);
	wire_end(&e->out, e->resource);
	e->is_open = false;
}

bool otlp_envelope_is_full(const struct otlp_envelope *e)
{
	return e->out.len >= e->opts.max_bytes;
}

int otlp_envelope_send(struct otlp_envelope *e)
{
	int r;

	otlp_envelope_close(e);
	r = buf_error(&e->out);
	if (!r && e->items)
		r = e->opts.send(e->opts.ctx, &e->out, e->items);
	buf_reset(&e->out);
	e->items = 0;
	return r;
}
