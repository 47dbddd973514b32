/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wire.h"

#include <string.h>

void wire_varint(struct buf *b, uint64_t v)
{
	uint8_t *p = buf_reserve(b, WIRE_VARINT_MAX);

	if (p)
		b->len += (size_t)(wire_put(p, v) - p);
}

void wire_int(struct buf *b, uint32_t field, int64_t v)
{
	wire_uint(b, field, (uint64_t)v);
}

void wire_sint(struct buf *b, uint32_t field, int64_t v)
{
	wire_uint(b, field, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

void wire_bool(struct buf *b, uint32_t field, int v)
{
	wire_uint(b, field, !!v);
}

void wire_double_present(struct buf *b, uint32_t field, double v)
{
	uint8_t *p = buf_reserve(b, WIRE_VARINT_MAX + sizeof(v));

	if (p)
		b->len = (size_t)(wire_put_double(wire_put_tag(p, field, WIRE_FIXED64), v) - b->data);
}

void wire_double(struct buf *b, uint32_t field, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	wire_fixed64(b, field, bits);
}

void wire_string(struct buf *b, uint32_t field, const char *s)
{
	if (s && *s)
		wire_bytes(b, field, s, strlen(s));
}

void wire_utf8(struct buf *b, uint32_t field, const char *s)
{
	if (s && *s)
		wire_utf8_present(b, field, s, strlen(s));
}

void wire_utf8_present(struct buf *b, uint32_t field, const char *s, size_t len)
{
	size_t mark;

	if (utf8_prefix(s, len) == len) {
		wire_bytes(b, field, s, len);
		return;
	}
	mark = wire_begin(b, field);
	buf_append_utf8(b, s, len);
	wire_end(b, mark);
}

/* Room for n fixed fields behind their length; NULL: there are none, or no memory. */
static uint8_t *begin_packed(struct buf *b, uint32_t field, size_t n)
{
	uint8_t *p = n ? buf_reserve(b, 2 * WIRE_VARINT_MAX + 8 * n) : NULL;

	return p ? wire_put(wire_put_tag(p, field, WIRE_LEN), 8 * n) : NULL;
}

void wire_packed_fixed64(struct buf *b, uint32_t field, const uint64_t *v, size_t n)
{
	uint8_t *p = begin_packed(b, field, n);

	for (size_t i = 0; p && i < n; i++)
		p = wire_put_fixed64(p, v[i]);
	if (p)
		b->len = (size_t)(p - b->data);
}

void wire_packed_double(struct buf *b, uint32_t field, const double *v, size_t n)
{
	uint8_t *p = begin_packed(b, field, n);

	for (size_t i = 0; p && i < n; i++)
		p = wire_put_double(p, v[i]);
	if (p)
		b->len = (size_t)(p - b->data);
}

void wire_packed(struct buf *b, uint32_t field, const struct buf *varints)
{
	if (buf_error(varints))
		b->error = buf_error(varints);
	else if (varints->len)
		wire_bytes(b, field, varints->data, varints->len);
}

uint8_t *wire_close_long(uint8_t *length, uint8_t *end)
{
	uint8_t bytes[WIRE_VARINT_MAX];
	size_t len = (size_t)(end - length) - 1, n = (size_t)(wire_put(bytes, len) - bytes);

	memmove(length + n, length + 1, len);
	memcpy(length, bytes, n);
	return length + n + len;
}
