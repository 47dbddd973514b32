/* SPDX-License-Identifier: Apache-2.0 */
#include "base/gzip.h"

#include <errno.h>
#include <stdint.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/cleanup.h"

static void deflate_endp(z_stream *z)
{
	deflateEnd(z);
}

int gzip_compress(const void *data, size_t len, int level, struct buf *out)
{
	_cleanup_(deflate_endp) z_stream z = { 0 };
	size_t bound;

	/* 15 + 16: zlib's largest window, in a gzip wrapper. */
	if (deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	bound = deflateBound(&z, len);
	if (len > UINT32_MAX || bound > UINT32_MAX)
		return -EFBIG;
	z.next_out = buf_reserve(out, bound);
	if (!z.next_out)
		return buf_error(out);
	z.avail_out = (uInt)bound;
	z.next_in = (Bytef *)(uintptr_t)data;
	z.avail_in = (uInt)len;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		return -EIO;
	out->len += bound - z.avail_out;
	return 0;
}
