/* SPDX-License-Identifier: Apache-2.0 */
#include "base/gunzip.h"

#include <errno.h>
#include <stdio.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/cleanup.h"

bool is_gzip(const void *data, size_t len)
{
	const uint8_t *bytes = data;

	return len >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

static void inflate_endp(z_stream *z)
{
	inflateEnd(z);
}

int gunzip(const void *data, size_t len, size_t max, struct buf *out, char *err, size_t err_len)
{
	_cleanup_(inflate_endp) z_stream z = { .next_in = (Bytef *)data, .avail_in = (uInt)len };
	int r = inflateInit2(&z, 15 + 16);

	if (r != Z_OK)
		return -ENOMEM;
	while (r != Z_STREAM_END) {
		uint8_t *to = buf_reserve(out, 64 * 1024);

		if (!to)
			return -ENOMEM;
		z.next_out = to;
		z.avail_out = (uInt)(out->cap - out->len > max ? max : out->cap - out->len);
		r = inflate(&z, Z_NO_FLUSH);
		out->len = (size_t)(z.next_out - out->data);
		if (r == Z_BUF_ERROR || (r == Z_OK && !z.avail_in && z.avail_out)) {
			snprintf(err, err_len, "the compressed data ends in the middle: the file is truncated");
			return -EBADMSG;
		}
		if (r != Z_OK && r != Z_STREAM_END) {
			snprintf(err, err_len, "the compressed data is damaged (%s)", z.msg ? z.msg : "unknown");
			return -EBADMSG;
		}
		if (out->len > max) {
			snprintf(err, err_len, "it inflates to more than %zu MiB", max >> 20);
			return -EFBIG;
		}
	}
	return 0;
}
