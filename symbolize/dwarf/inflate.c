/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf/inflate.h"

#include <errno.h>
#include <limits.h>
#include <zlib.h>
#include <zstd.h>

#include "base/units.h"

/* zlib counts in 32 bits: what is larger goes in pieces. */
#define PIECE (1024 * MIB)

static uInt piece(size_t left)
{
	return left < PIECE ? (uInt)left : (uInt)PIECE;
}

int inflate_zlib(const uint8_t *in, size_t in_len, uint8_t *out, size_t len)
{
	z_stream z = { 0 };
	const uint8_t *in_end = in + in_len, *out_end = out + len;
	int r;

	if (inflateInit(&z) != Z_OK)
		return -ENOMEM;
	z.next_in = (Bytef *)in;
	z.next_out = out;
	do {
		z.avail_in = piece((size_t)(in_end - z.next_in));
		z.avail_out = piece((size_t)(out_end - z.next_out));
		r = inflate(&z, Z_NO_FLUSH);
		/* gold and ld -r write several streams one after another. */
		if (r == Z_STREAM_END && z.next_out < out_end && z.next_in < in_end)
			r = inflateReset(&z);
	} while (r == Z_OK && z.next_in < in_end && z.next_out < out_end);
	/* The checksum may come after the last byte of output. */
	if (r == Z_OK && z.next_out == out_end) {
		uint8_t more;

		z.next_out = &more;
		z.avail_out = 1;
		z.avail_in = piece((size_t)(in_end - z.next_in));
		r = inflate(&z, Z_NO_FLUSH);
		r = r == Z_STREAM_END && z.next_out == &more ? Z_STREAM_END : Z_DATA_ERROR;
		z.next_out = (Bytef *)out_end;
	}
	inflateEnd(&z);
	return r == Z_STREAM_END && z.next_out == out_end ? 0 : -EBADMSG;
}

int inflate_zstd(const uint8_t *in, size_t in_len, uint8_t *out, size_t len)
{
	size_t n = ZSTD_decompress(out, len, in, in_len);

	return !ZSTD_isError(n) && n == len ? 0 : -EBADMSG;
}
