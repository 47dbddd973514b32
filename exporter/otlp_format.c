/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/otlp_format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/gunzip.h"
#include "base/gzip.h"
#include "base/units.h"
#include "base/wire.h"
#include "base/wire_reader.h"
#include "exporter/pyroscope.h"
#include "exporter/receiver_opts.h"

enum { GZIP_LEVEL = 1, ZSTD_LEVEL = 1, FRAME_BYTES = 5, REQUEST_MAX = 64 << 20 };

static bool is(const char *text, const char *what)
{
	return text && !strcmp(text, what);
}

uint8_t parcel_encoding_of(const struct receiver_opts *o)
{
	uint8_t f = PARCEL_FORMAT_OTLP;

	if (!is(o->type, "otlp"))
		return PARCEL_FORMAT_PYROSCOPE;
	f |= is(o->proto, "1.9") ? PARCEL_FORMAT_1_9 : 0;
	f |= is(o->protocol, "grpc") ? PARCEL_FORMAT_GRPC : 0;
	f |= !o->compression || is(o->compression, "gzip") ? PARCEL_FORMAT_GZIP : is(o->compression, "zstd") ? PARCEL_FORMAT_ZSTD : 0;
	return f;
}

static const struct {
	const char *name, *items, *path, *service;
} signals[PARCEL_SIGNALS] = {
	[PARCEL_PROFILES] = { "profiles", "profiles", "/v1development/profiles",
			      "/opentelemetry.proto.collector.profiles.v1development."
			      "ProfilesService/Export" },
	[PARCEL_TRACES] = { "traces", "spans", "/v1/traces",
			    "/opentelemetry.proto.collector.trace.v1.TraceService/Export" },
	[PARCEL_METRICS] = { "metrics", "data points", "/v1/metrics",
			     "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" },
};

const char *parcel_signal_items(enum parcel_signal signal)
{
	return signals[signal].items;
}

char *parcel_count_items(enum parcel_signal signal, uint64_t n, char *out, size_t len)
{
	const char *items = signals[signal].items;

	snprintf(out, len, "%llu %.*s", (unsigned long long)n, (int)strlen(items) - (n == 1),
		 items);
	return out;
}

const char *parcel_signal_name(enum parcel_signal signal)
{
	return signals[signal].name;
}

const char *parcel_format_path(uint8_t format)
{
	enum parcel_signal signal = parcel_format_signal(format);

	if (!(format & PARCEL_FORMAT_OTLP))
		return PYROSCOPE_PUSH_PATH;
	return format & PARCEL_FORMAT_GRPC ? signals[signal].service : signals[signal].path;
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
	out->data[0] = (format & PARCEL_FORMAT_CODINGS) != 0;
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

static int take_zstd(const uint8_t *data, size_t len, struct buf *out)
{
	unsigned long long n = ZSTD_getFrameContentSize(data, len);
	uint8_t *to;

	if (n == ZSTD_CONTENTSIZE_UNKNOWN || n == ZSTD_CONTENTSIZE_ERROR || n > REQUEST_MAX)
		return -EBADMSG;
	to = buf_reserve(out, n + 1);
	if (!to)
		return -ENOMEM;
	if (ZSTD_decompress(to, n, data, len) != n)
		return -EBADMSG;
	out->len += n;
	return 0;
}

static int unpack(uint8_t format, const struct buf *packed, struct buf *out)
{
	size_t frame = format & PARCEL_FORMAT_GRPC ? FRAME_BYTES : 0;
	char why[128];

	if (packed->len < frame)
		return -EBADMSG;
	if (format & PARCEL_FORMAT_GZIP)
		return gunzip(packed->data + frame, packed->len - frame, REQUEST_MAX, out, why,
			      sizeof(why));
	if (format & PARCEL_FORMAT_ZSTD)
		return take_zstd(packed->data + frame, packed->len - frame, out);
	buf_append(out, packed->data + frame, packed->len - frame);
	return buf_error(out);
}

static bool is_one_layout(uint8_t a, uint8_t b)
{
	return parcel_format_signal(a) == parcel_format_signal(b) && a & b & PARCEL_FORMAT_OTLP &&
	       !((a ^ b) & PARCEL_FORMAT_1_9);
}

int otlp_repack(uint8_t from, const struct buf *packed, uint8_t to, struct buf *out)
{
	_cleanup_(buf_fini) struct buf request = BUF_INIT;
	int r = is_one_layout(from, to) ? unpack(from, packed, &request) : -EPROTONOSUPPORT;

	return r < 0 ? r : otlp_pack(to, &request, out);
}

/* Of every receiver of OTLP gzip is asked, but not all do it. */
uint8_t parcel_format_without(uint8_t format, uint8_t accepted)
{
	bool gzip = format & PARCEL_FORMAT_ZSTD && (!accepted || accepted & PARCEL_FORMAT_GZIP);

	return (uint8_t)((format & ~PARCEL_FORMAT_CODINGS) | (gzip ? PARCEL_FORMAT_GZIP : 0));
}

const char *parcel_format_coding(uint8_t format)
{
	return format & PARCEL_FORMAT_GZIP ? "gzip" : format & PARCEL_FORMAT_ZSTD ? "zstd" : "none";
}

/* ---- answers ---- */

static struct wire_reader content(const struct wire_field *f)
{
	return wire_reader_of(f->data, f->type == WIRE_LEN ? f->value : 0);
}

static uint64_t number(const struct wire_field *f)
{
	return f->type == WIRE_VARINT ? f->value : 0;
}

/* One line for people. */
static void take_text(struct wire_reader r, struct otlp_answer *ret)
{
	size_t n = 0;

	for (; r.at < r.end && *r.at && n + 1 < sizeof(ret->message); r.at++)
		ret->message[n++] = *r.at < 0x20 || *r.at >= 0x7f ? '?' : (char)*r.at;
	ret->message[n] = '\0';
}

static void take_partial_success(struct wire_reader r, struct otlp_answer *ret)
{
	struct wire_field f;

	while (wire_next(&r, &f) > 0) {
		if (f.number == 1)
			ret->rejected = (int64_t)number(&f);
		else if (f.number == 2)
			take_text(content(&f), ret);
	}
}

static void take_duration(struct wire_reader r, struct otlp_answer *ret)
{
	struct wire_field f;
	uint64_t ns = 0;

	while (wire_next(&r, &f) > 0) {
		if (f.number == 1 && number(&f) < 1u << 30)
			ns += number(&f) * NSEC_PER_SEC;
		else if (f.number == 2 && number(&f) < NSEC_PER_SEC)
			ns += number(&f);
	}
	ret->retry_ns = ns ? ns : 1;
}

static bool ends_with(struct wire_reader r, const char *text)
{
	size_t n = strlen(text);

	return (size_t)(r.end - r.at) >= n && !memcmp(r.end - n, text, n);
}

static void take_retry_info(struct wire_reader r, struct otlp_answer *ret)
{
	struct wire_field f;

	while (wire_next(&r, &f) > 0)
		if (f.number == 1)
			take_duration(content(&f), ret);
}

/* A detail: an Any. */
static void take_detail(struct wire_reader r, struct otlp_answer *ret)
{
	bool is_retry = false;
	struct wire_field f;

	while (wire_next(&r, &f) > 0) {
		if (f.number == 1)
			is_retry = ends_with(content(&f), "/google.rpc.RetryInfo");
		else if (f.number == 2 && is_retry)
			take_retry_info(content(&f), ret);
	}
}

static void take_status(struct wire_reader r, struct otlp_answer *ret)
{
	struct wire_field f;

	while (wire_next(&r, &f) > 0) {
		if (f.number == 2)
			take_text(content(&f), ret);
		else if (f.number == 3)
			take_detail(content(&f), ret);
	}
}

void otlp_read_answer(const void *data, size_t len, bool ok, struct otlp_answer *ret)
{
	struct wire_reader r = wire_reader_of(data, len);
	struct wire_field f;

	if (!ok) {
		take_status(r, ret);
		return;
	}
	while (wire_next(&r, &f) > 0)
		if (f.number == 1)
			take_partial_success(content(&f), ret);
}

void grpc_read_answer(const void *data, size_t len, struct otlp_answer *ret)
{
	if (len > FRAME_BYTES && !((const uint8_t *)data)[0])
		otlp_read_answer((const uint8_t *)data + FRAME_BYTES, len - FRAME_BYTES, true, ret);
}

void grpc_read_message(const char *text, size_t len, struct otlp_answer *ret)
{
	char out[sizeof(ret->message)];
	size_t n = 0;

	for (size_t i = 0; i < len && n < sizeof(out); i++) {
		if (text[i] == '%' && i + 2 < len && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
			out[n++] = (char)(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
			i += 2;
		} else {
			out[n++] = text[i];
		}
	}
	take_text(wire_reader_of(out, n), ret);
}

uint8_t grpc_read_codings(const char *text, size_t len)
{
	uint8_t set = PARCEL_FORMAT_OTLP;

	for (size_t i = 0, n; i < len; i += n + 1) {
		for (n = 0; i + n < len && text[i + n] != ',' && text[i + n] != ' ';)
			n++;
		if (n == 4 && !memcmp(text + i, "gzip", n))
			set |= PARCEL_FORMAT_GZIP;
		else if (n == 4 && !memcmp(text + i, "zstd", n))
			set |= PARCEL_FORMAT_ZSTD;
	}
	return set;
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
