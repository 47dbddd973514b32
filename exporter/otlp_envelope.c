/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/otlp_envelope.h"

#include <string.h>

#include "base/cleanup.h"
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

static uint8_t *put_slice(uint8_t *p, struct slice s)
{
	return mempcpy(wire_put_small(p, s.len), s.s, s.len);
}

/* An AnyValue. One that is there says something, even an empty text. */
static uint8_t *put_any(uint8_t *p, const struct attribute *a, struct slice text)
{
	switch (a->type) {
	case ATTRIBUTE_TEXT:
		return put_slice(wire_put_tag(p, ANY_STRING, WIRE_LEN), text);
	case ATTRIBUTE_INT:
		return wire_put(wire_put_tag(p, ANY_INT, WIRE_VARINT), (uint64_t)a->number);
	case ATTRIBUTE_DOUBLE:
		return wire_put_double(wire_put_tag(p, ANY_DOUBLE, WIRE_FIXED64), a->real);
	case ATTRIBUTE_BOOL:
		return wire_put(wire_put_tag(p, ANY_BOOL, WIRE_VARINT), a->truth);
	}
	return p;
}

/* Most of a span is these: room for the whole of one is looked for once. text: as it is to be written. */
static void put_pair(struct buf *b, uint32_t field, const struct attribute *a, struct slice text)
{
	uint8_t *p = buf_reserve(b, 6 * WIRE_VARINT_MAX + a->key.len + text.len), *pair, *value;

	if (!p)
		return;
	pair = p = wire_put_tag(p, field, WIRE_LEN);
	p = put_slice(wire_put_tag(p + 1, KEY_VALUE_KEY, WIRE_LEN), a->key);
	value = p = wire_put_tag(p, KEY_VALUE_VALUE, WIRE_LEN);
	p = wire_close(value, put_any(p + 1, a, text));
	b->len = (size_t)(wire_close(pair, p) - b->data);
}

/* Texts that are no UTF-8 are repaired beside. */
void otlp_put_attributes(struct buf *b, uint32_t field, const struct attribute *a, uint32_t n)
{
	_cleanup_(buf_fini) struct buf repaired = BUF_INIT;

	for (; n; a++, n--) {
		struct slice text = a->type == ATTRIBUTE_TEXT ? a->text : SLICE("");

		if (text.len && utf8_prefix(text.s, text.len) < text.len) {
			buf_reset(&repaired);
			buf_append_utf8(&repaired, text.s, text.len);
			b->error = b->error ? b->error : buf_error(&repaired);
			text = (struct slice){ (char *)repaired.data, repaired.len };
		}
		put_pair(b, field, a, text);
	}
}

/* Here the names are of others, too. */
static void put_resource(struct buf *b, const struct strmap *attributes)
{
	size_t mark = wire_begin(b, RESOURCE_ITEMS_RESOURCE);

	vec_foreach(e, &attributes->v) {
		size_t pair = wire_begin(b, RESOURCE_ATTRIBUTES), value;

		wire_utf8(b, KEY_VALUE_KEY, e->key);
		value = wire_begin(b, KEY_VALUE_VALUE);
		wire_utf8_present(b, ANY_STRING, e->value, strlen(e->value));
		wire_end(b, value);
		wire_end(b, pair);
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
