/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wire_reader.h"

#include <errno.h>

#include "base/wire.h"

enum { FIXED32 = 5 };

static int read_varint(struct wire_reader *r, uint64_t *ret)
{
	uint64_t v = 0;

	for (int i = 0; i < WIRE_VARINT_MAX && r->at < r->end; i++) {
		uint8_t b = *r->at++;

		v |= (uint64_t)(b & 0x7f) << (7 * i);
		if (!(b & 0x80)) {
			*ret = v;
			return 0;
		}
	}
	return -EBADMSG;
}

static int read_fixed(struct wire_reader *r, uint32_t bytes, uint64_t *ret)
{
	if ((size_t)(r->end - r->at) < bytes)
		return -EBADMSG;
	*ret = 0;
	for (uint32_t i = 0; i < bytes; i++)
		*ret |= (uint64_t)*r->at++ << (8 * i);
	return 0;
}

static int read_bytes(struct wire_reader *r, struct wire_field *f)
{
	int e = read_varint(r, &f->value);

	if (e < 0 || f->value > (size_t)(r->end - r->at))
		return -EBADMSG;
	f->data = r->at;
	r->at += f->value;
	return 0;
}

static int read_value(struct wire_reader *r, struct wire_field *f)
{
	switch (f->type) {
	case WIRE_VARINT:
		return read_varint(r, &f->value);
	case WIRE_FIXED64:
		return read_fixed(r, 8, &f->value);
	case FIXED32:
		return read_fixed(r, 4, &f->value);
	case WIRE_LEN:
		return read_bytes(r, f);
	default: /* groups, long gone */
		return -EBADMSG;
	}
}

int wire_next(struct wire_reader *r, struct wire_field *ret)
{
	struct wire_field f = { 0 };
	uint64_t tag;
	int e;

	if (r->at == r->end)
		return 0;
	e = read_varint(r, &tag);
	if (e < 0 || tag >> 35)
		return -EBADMSG;
	f.number = (uint32_t)(tag >> 3);
	f.type = tag & 7;
	e = f.number ? read_value(r, &f) : -EBADMSG;
	if (e < 0)
		return e;
	*ret = f;
	return 1;
}
