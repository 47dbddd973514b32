/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wire.h"

#include <string.h>

void wire_varint(struct buf *b, uint64_t v)
{
	uint8_t *p = buf_reserve(b, WIRE_VARINT_MAX);

	if (p)
		b->len += (size_t)(wire_put(p, v) - p);
}

/* Fields 1 to 15 have a tag of one byte. */
static inline void tag(struct buf *b, uint32_t field, uint32_t type)
{
	if (field < 16)
		buf_putc(b, (char)(field << 3 | type));
	else
		wire_varint(b, (uint64_t)field << 3 | type);
}

void wire_uint_present(struct buf *b, uint32_t field, uint64_t v)
{
	tag(b, field, WIRE_VARINT);
	wire_varint(b, v);
}

void wire_uint(struct buf *b, uint32_t field, uint64_t v)
{
	if (v)
		wire_uint_present(b, field, v);
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

static void little_endian(struct buf *b, uint64_t v, uint32_t bytes)
{
	uint8_t le[8];

	for (uint32_t i = 0; i < bytes; i++)
		le[i] = (uint8_t)(v >> (8 * i));
	buf_append(b, le, bytes);
}

static uint64_t bits_of(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

void wire_fixed64_present(struct buf *b, uint32_t field, uint64_t v)
{
	tag(b, field, WIRE_FIXED64);
	little_endian(b, v, 8);
}

void wire_fixed64(struct buf *b, uint32_t field, uint64_t v)
{
	if (v)
		wire_fixed64_present(b, field, v);
}

void wire_fixed32(struct buf *b, uint32_t field, uint32_t v)
{
	if (!v)
		return;
	tag(b, field, WIRE_FIXED32);
	little_endian(b, v, 4);
}

void wire_double_present(struct buf *b, uint32_t field, double v)
{
	wire_fixed64_present(b, field, bits_of(v));
}

void wire_double(struct buf *b, uint32_t field, double v)
{
	wire_fixed64(b, field, bits_of(v));
}

void wire_bytes(struct buf *b, uint32_t field, const void *data, size_t len)
{
	tag(b, field, WIRE_LEN);
	wire_varint(b, len);
	buf_append(b, data, len);
}

void wire_string(struct buf *b, uint32_t field, const char *s)
{
	if (s && *s)
		wire_bytes(b, field, s, strlen(s));
}

void wire_utf8(struct buf *b, uint32_t field, const char *s)
{
	size_t mark;

	if (!s || !*s)
		return;
	mark = wire_begin(b, field);
	buf_append_utf8(b, s, strlen(s));
	wire_end(b, mark);
}

void wire_packed_fixed64(struct buf *b, uint32_t field, const uint64_t *v, size_t n)
{
	if (!n)
		return;
	tag(b, field, WIRE_LEN);
	wire_varint(b, 8 * n);
	for (size_t i = 0; i < n; i++)
		little_endian(b, v[i], 8);
}

void wire_packed_double(struct buf *b, uint32_t field, const double *v, size_t n)
{
	if (!n)
		return;
	tag(b, field, WIRE_LEN);
	wire_varint(b, 8 * n);
	for (size_t i = 0; i < n; i++)
		little_endian(b, bits_of(v[i]), 8);
}

void wire_packed(struct buf *b, uint32_t field, const struct buf *varints)
{
	if (buf_error(varints))
		b->error = buf_error(varints);
	else if (varints->len)
		wire_bytes(b, field, varints->data, varints->len);
}

size_t wire_begin(struct buf *b, uint32_t field)
{
	tag(b, field, WIRE_LEN);
	buf_putc(b, 0);
	return b->len;
}

void wire_end(struct buf *b, size_t mark)
{
	uint8_t len[WIRE_VARINT_MAX];
	size_t content = b->len - mark, n;

	if (b->error)
		return;
	n = (size_t)(wire_put(len, content) - len);
	if (n > 1) {
		if (!buf_reserve(b, n - 1))
			return;
		memmove(b->data + mark + n - 1, b->data + mark, content);
		b->len += n - 1;
	}
	memcpy(b->data + mark - 1, len, n);
}
