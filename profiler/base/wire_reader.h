/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * wire_reader - protobuf's wire format, field by field, for the few small messages that others write and we read.
 *
 *	struct wire_reader r = wire_reader_of(data, len);
 *	while (wire_next(&r, &f) > 0) ...
 *
 * Hostile bytes: nothing is read outside of data, every step moves on. Source: see wire.h.
 */
#include <stddef.h>
#include <stdint.h>

struct wire_reader {
	const uint8_t *at, *end;
};

struct wire_field {
	uint32_t number;
	uint32_t type;       /* WIRE_VARINT, WIRE_FIXED64, WIRE_LEN, or 5: fixed32 */
	uint64_t value;      /* of scalars; of WIRE_LEN its length */
	const uint8_t *data; /* of WIRE_LEN: borrowed */
};

static inline struct wire_reader wire_reader_of(const void *data, size_t len)
{
	return (struct wire_reader){ data, len ? (const uint8_t *)data + len : data };
}

/* 1 and *ret; 0 at the end; -EBADMSG: cut short, or none of the four types. */
int wire_next(struct wire_reader *r, struct wire_field *ret);
