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
#include <stddef.h>
#include <stdint.h>

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

void wire_varint(struct buf *b, uint64_t v); /* bare, without a tag */
void wire_uint(struct buf *b, uint32_t field, uint64_t v);
void wire_int(struct buf *b, uint32_t field, int64_t v);   /* int64/int32/enum: two's complement */
void wire_sint(struct buf *b, uint32_t field, int64_t v);  /* zigzag */
void wire_bool(struct buf *b, uint32_t field, int v);
void wire_fixed64(struct buf *b, uint32_t field, uint64_t v);
void wire_fixed32(struct buf *b, uint32_t field, uint32_t v);
void wire_double(struct buf *b, uint32_t field, double v);
void wire_bytes(struct buf *b, uint32_t field, const void *data, size_t len); /* written even when empty */
void wire_string(struct buf *b, uint32_t field, const char *s);               /* left out when empty */

void wire_utf8(struct buf *b, uint32_t field, const char *s);                 /* the same; bytes that are no UTF-8 become U+FFFD */

/* Written even when zero: members of a oneof, optional fields, where being there says something. */
void wire_uint_present(struct buf *b, uint32_t field, uint64_t v);
void wire_fixed64_present(struct buf *b, uint32_t field, uint64_t v);
void wire_double_present(struct buf *b, uint32_t field, double v);

void wire_packed(struct buf *b, uint32_t field, const struct buf *varints);   /* of bare ones; left out when empty */
void wire_packed_fixed64(struct buf *b, uint32_t field, const uint64_t *v, size_t n); /* left out when empty */
void wire_packed_double(struct buf *b, uint32_t field, const double *v, size_t n);    /* left out when empty */

size_t wire_begin(struct buf *b, uint32_t field); /* returns a mark for wire_end() */
void wire_end(struct buf *b, size_t mark);
