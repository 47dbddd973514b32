/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/otlp_format.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/gzip.h"
#include "base/units.h"
#include "exporter/pyroscope.h"
#include "exporter/receiver_opts.h"

enum { GZIP_LEVEL = 1, ZSTD_LEVEL = 3, FRAME_BYTES = 5 };

static bool is(const char *text, const char *what)
{
	return text && !strcmp(text, what);
}

uint8_t parcel_format_of(const struct receiver_opts *o)
{
	uint8_t f = PARCEL_FORMAT_OTLP;

	if (!is(o->type, "otlp"))
		return PARCEL_FORMAT_PYROSCOPE;
	f |= is(o->proto, "1.9") ? PARCEL_FORMAT_1_9 : 0;
	f |= is(o->protocol, "grpc") ? PARCEL_FORMAT_GRPC : 0;
	f |= !o->compression || is(o->compression, "gzip") ? PARCEL_FORMAT_GZIP : is(o->compression, "zstd") ? PARCEL_FORMAT_ZSTD : 0;
	return f;
}

const char *parcel_format_path(uint8_t format)
{
	if (!(format & PARCEL_FORMAT_OTLP))
		return PYROSCOPE_PUSH_PATH;
	return format & PARCEL_FORMAT_GRPC ? "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export" : "/v1development/profiles";
}

const char *parcel_format_type(uint8_t format)
{
	if (!(format & PARCEL_FORMAT_OTLP))
		return PYROSCOPE_CONTENT_TYPE;
	return format & PARCEL_FORMAT_GRPC ? "application/grpc" : "application/x-protobuf";
}

static int put_zstd(const struct buf *in, struct buf *out)
{
	size_t bound = ZSTD_compressBound(in->len), n;
	uint8_t *to = buf_reserve(out, bound);

	if (!to)
		return -ENOMEM;
	n = ZSTD_compress(to, bound, in->data, in->len, ZSTD_LEVEL);
	if (ZSTD_isError(n))
		return -ENOMEM;
	out->len += n;
	return 0;
}

/* The frame: whether the message is compressed, its length, big-endian. */
static int fill_frame(uint8_t format, struct buf *out)
{
	size_t len = out->len - FRAME_BYTES;

	if (len > UINT32_MAX)
		return -EFBIG;
	out->data[0] = (format & (PARCEL_FORMAT_GZIP | PARCEL_FORMAT_ZSTD)) != 0;
	for (int i = 0; i < 4; i++)
		out->data[1 + i] = (uint8_t)(len >> (24 - 8 * i));
	return 0;
}

int otlp_pack(uint8_t format, const struct buf *request, struct buf *out)
{
	static const uint8_t frame[FRAME_BYTES];
	int r = 0;

	if (format & PARCEL_FORMAT_GRPC)
		buf_append(out, frame, sizeof(frame));
	if (format & PARCEL_FORMAT_GZIP)
		r = gzip_compress(request->data, request->len, GZIP_LEVEL, out);
	else if (format & PARCEL_FORMAT_ZSTD)
		r = put_zstd(request, out);
	else
		buf_append(out, request->data, request->len);
	if (r >= 0 && buf_error(out))
		r = buf_error(out);
	return r >= 0 && format & PARCEL_FORMAT_GRPC ? fill_frame(format, out) : r;
}

/* ---- answers ---- */

struct reader {
	const uint8_t *at, *end;
};

struct field {
	uint32_t number;
	uint64_t value; /* of a varint */
	struct reader bytes;
};

static bool take_varint(struct reader *r, uint64_t *ret)
{
	*ret = 0;
	for (unsigned int shift = 0; shift < 64 && r->at < r->end; shift += 7) {
		uint8_t c = *r->at++;

		*ret |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80))
			return true;
	}
	return false;
}

/* The next field; false at the end, and where it is none. */
static bool next_field(struct reader *r, struct field *ret)
{
	uint64_t tag, skip;

	if (!take_varint(r, &tag))
		return false;
	*ret = (struct field){ .number = (uint32_t)(tag >> 3) };
	switch (tag & 7) {
	case 0:
		return take_varint(r, &ret->value);
	case 1:
	case 5:
		skip = (tag & 7) == 1 ? 8 : 4;
		break;
	case 2:
		if (!take_varint(r, &skip))
			return false;
		break;
	default:
		return false;
	}
	if (skip > (uint64_t)(r->end - r->at))
		return false;
	ret->bytes = (struct reader){ r->at, r->at + skip };
	r->at += skip;
	return true;
}

/* One line for people. */
static void take_text(struct reader r, struct otlp_answer *ret)
{
	size_t n = 0;

	for (; r.at < r.end && *r.at && n + 1 < sizeof(ret->message); r.at++)
		ret->message[n++] = *r.at < 0x20 || *r.at >= 0x7f ? '?' : (char)*r.at;
	ret->message[n] = '\0';
}

static void take_partial_success(struct reader r, struct otlp_answer *ret)
{
	struct field f;

	while (next_field(&r, &f)) {
		if (f.number == 1)
			ret->rejected = (int64_t)f.value;
		else if (f.number == 2)
			take_text(f.bytes, ret);
	}
}

static void take_duration(struct reader r, struct otlp_answer *ret)
{
	struct field f;
	uint64_t ns = 0;

	while (next_field(&r, &f)) {
		if (f.number == 1 && f.value < 1u << 30)
			ns += f.value * NSEC_PER_SEC;
		else if (f.number == 2 && f.value < NSEC_PER_SEC)
			ns += f.value;
	}
	ret->retry_ns = ns ? ns : 1;
}

static bool ends_with(struct reader r, const char *text)
{
	size_t n = strlen(text);

	return (size_t)(r.end - r.at) >= n && !memcmp(r.end - n, text, n);
}

/* A detail: an Any. */
static void take_detail(struct reader r, struct otlp_answer *ret)
{
	bool is_retry = false;
	struct field f, inner;

	while (next_field(&r, &f)) {
		if (f.number == 1)
			is_retry = ends_with(f.bytes, "/google.rpc.RetryInfo");
		else if (f.number == 2 && is_retry)
			while (next_field(&f.bytes, &inner))
				if (inner.number == 1)
					take_duration(inner.bytes, ret);
	}
}

static void take_status(struct reader r, struct otlp_answer *ret)
{
	struct field f;

	while (next_field(&r, &f)) {
		if (f.number == 2)
			take_text(f.bytes, ret);
		else if (f.number == 3)
			take_detail(f.bytes, ret);
	}
}

void otlp_read_answer(const void *data, size_t len, bool ok, struct otlp_answer *ret)
{
	struct reader r = { data, len ? (const uint8_t *)data + len : data };
	struct field f;

	if (!ok) {
		take_status(r, ret);
		return;
	}
	while (next_field(&r, &f))
		if (f.number == 1)
			take_partial_success(f.bytes, ret);
}

void grpc_read_answer(const void *data, size_t len, struct otlp_answer *ret)
{
	if (len > FRAME_BYTES && !((const uint8_t *)data)[0])
		otlp_read_answer((const uint8_t *)data + FRAME_BYTES, len - FRAME_BYTES, true, ret);
}

static int hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

void grpc_read_message(const char *text, size_t len, struct otlp_answer *ret)
{
	char out[sizeof(ret->message)];
	size_t n = 0;

	for (size_t i = 0; i < len && n < sizeof(out); i++) {
		if (text[i] == '%' && i + 2 < len && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
			out[n++] = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
			i += 2;
		} else {
			out[n++] = text[i];
		}
	}
	take_text((struct reader){ (uint8_t *)out, (uint8_t *)out + n }, ret);
}

static int base64(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* With padding or without. */
void grpc_read_details(const char *text, size_t len, struct otlp_answer *ret)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	uint32_t bits = 0, n = 0;

	for (size_t i = 0; i < len && base64(text[i]) >= 0; i++) {
		bits = bits << 6 | (uint32_t)base64(text[i]);
		n += 6;
		if (n >= 8) {
			n -= 8;
			buf_putc(&b, (char)(bits >> n));
		}
	}
	if (!buf_error(&b))
		otlp_read_answer(b.data, b.len, false, ret);
}

const char *grpc_status_name(int status)
{
	static const char *const names[] = { "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
					     "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
					     "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED" };

	return status >= 0 && status < (int)ARRAY_SIZE(names) ? names[status] : "UNKNOWN";
}
