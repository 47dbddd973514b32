/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * wire - protobuf's wire format, written straight into a buf.
 *
 * Zero scalars and empty strings are left out, as proto3 does. A nested message's length is not
 * known when its tag is written: wire_begin() leaves room for one byte, wire_end() fills it in and
 * moves the content only when it needs more.
 * Source: protobuf encoding guide (varint, tag = field << 3 | type, type 0 varint, 1 fixed64,
 * 2 length-delimited, 5 fixed32).
 */
#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"

enum { WIRE_VARINT, WIRE_FIXED64, WIRE_LEN, WIRE_FIXED32 = 5 };

#define WIRE_VARINT_MAX 10

/* The same without a buffer, for hot loops that have reserved what they may write: returns the end. Ids take one
 * or two bytes nearly always: two are written, and counted as one when the second is none. */
static inline uint8_t *wire_put(uint8_t *p, uint64_t v)
{
	if (v < 0x4000) {
		p[0] = (uint8_t)(v | (uint64_t)(v >= 0x80) << 7);
		p[1] = (uint8_t)(v >> 7);
		return p + 1 + (v >= 0x80);
	}
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)v | 0x80;
	*p++ = (uint8_t)v;
	return p;
}

/* The same of what takes one byte nearly always, and no more than a store then: tags, lengths of small things. */
static inline uint8_t *wire_put_small(uint8_t *p, uint64_t v)
{
	if (v >= 0x80)
		return wire_put(p, v);
	*p = (uint8_t)v;
	return p + 1;
}

static inline uint8_t *wire_put_tag(uint8_t *p, uint32_t field, uint32_t type)
{
	return wire_put_small(p, (uint64_t)field << 3 | type);
}

/* Fixed fields are little-endian. */
static inline uint8_t *wire_put_fixed64(uint8_t *p, uint64_t v)
{
	v = htole64(v);
	return (uint8_t *)memcpy(p, &v, sizeof(v)) + sizeof(v);
}

static inline uint8_t *wire_put_double(uint8_t *p, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return wire_put_fixed64(p, bits);
}

/* Ends what began behind the one byte of its length, and moves it where that takes more, which there is room for. Returns the end. */
uint8_t *wire_close_long(uint8_t *length, uint8_t *end);

static inline uint8_t *wire_close(uint8_t *length, uint8_t *end)
{
	size_t len = (size_t)(end - length) - 1;

	if (len >= 0x80)
		return wire_close_long(length, end);
	*length = (uint8_t)len;
	return end;
}

/* What spans are full of is inline. */

/* Written even when empty. */
static inline void wire_bytes(struct buf *b, uint32_t field, const void *data, size_t len)
{
	uint8_t *p = buf_reserve(b, 2 * WIRE_VARINT_MAX + len);

	if (!p)
		return;
	p = wire_put(wire_put_tag(p, field, WIRE_LEN), len);
	if (len)
		memcpy(p, data, len);
	b->len = (size_t)(p - b->data) + len;
}

static inline void wire_uint_present(struct buf *b, uint32_t field, uint64_t v)
{
	uint8_t *p = buf_reserve(b, 2 * WIRE_VARINT_MAX);

	if (p)
		b->len = (size_t)(wire_put(wire_put_tag(p, field, WIRE_VARINT), v) - b->data);
}

static inline void wire_uint(struct buf *b, uint32_t field, uint64_t v)
{
	if (v)
		wire_uint_present(b, field, v);
}

static inline void wire_fixed64_present(struct buf *b, uint32_t field, uint64_t v)
{
	uint8_t *p = buf_reserve(b, WIRE_VARINT_MAX + sizeof(v));

	if (p)
		b->len = (size_t)(wire_put_fixed64(wire_put_tag(p, field, WIRE_FIXED64), v) - b->data);
}

static inline void wire_fixed64(struct buf *b, uint32_t field, uint64_t v)
{
	if (v)
		wire_fixed64_present(b, field, v);
}

static inline void wire_fixed32(struct buf *b, uint32_t field, uint32_t v)
{
	uint8_t *p = v ? buf_reserve(b, WIRE_VARINT_MAX + sizeof(v)) : NULL;

	if (!p)
		return;
	p = wire_put_tag(p, field, WIRE_FIXED32);
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
	b->len = (size_t)(p - b->data) + sizeof(v);
}

void wire_varint(struct buf *b, uint64_t v); /* bare, without a tag */
void wire_int(struct buf *b, uint32_t field, int64_t v);   /* int64/int32/enum: two's complement */
void wire_sint(struct buf *b, uint32_t field, int64_t v);  /* zigzag */
void wire_bool(struct buf *b, uint32_t field, int v);
void wire_double(struct buf *b, uint32_t field, double v);
void wire_string(struct buf *b, uint32_t field, const char *s);               /* left out when empty */

void wire_utf8(struct buf *b, uint32_t field, const char *s);                 /* the same; bytes that are no UTF-8 become U+FFFD */

/* Written even when zero: members of a oneof, optional fields, where being there says something. */
void wire_double_present(struct buf *b, uint32_t field, double v);
void wire_utf8_present(struct buf *b, uint32_t field, const char *s, size_t len);

void wire_packed(struct buf *b, uint32_t field, const struct buf *varints);   /* of bare ones; left out when empty */
void wire_packed_fixed64(struct buf *b, uint32_t field, const uint64_t *v, size_t n); /* left out when empty */
void wire_packed_double(struct buf *b, uint32_t field, const double *v, size_t n);    /* left out when empty */

/* Inline: spans are made of small messages. Returns a mark for wire_end(). */
static inline size_t wire_begin(struct buf *b, uint32_t field)
{
	uint8_t *p = buf_reserve(b, WIRE_VARINT_MAX);

	if (p) {
		p = wire_put_tag(p, field, WIRE_LEN);
		*p++ = 0;
		b->len = (size_t)(p - b->data);
	}
	return b->len;
}

static inline void wire_end(struct buf *b, size_t mark)
{
	if (buf_reserve(b, WIRE_VARINT_MAX))
		b->len = (size_t)(wire_close(b->data + mark - 1, b->data + b->len) - b->data);
}
