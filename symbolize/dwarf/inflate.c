/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf/inflate.h"

#include <elf.h>
#include <errno.h>
#include <sys/mman.h>
#include <zlib.h>
#include <zstd.h>

#include "base/units.h"

/* What one section may claim: Chromium's .debug_info has 3 GB. */
#define LEN_MAX (8ull << 30)
/* zlib's best; zstd's is 32 times that on zeros, but nothing that is DWARF comes near either. */
#define RATIO_MAX 1032
#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2 /* newer than glibc 2.36 */
#endif

/* Pages of the output that are ours at a time. (zlib counts in 32 bits, so some piece there must be.) */
#define PIECE (32 * MIB)

static uInt piece(size_t left)
{
	return left < PIECE ? (uInt)left : (uInt)PIECE;
}

/* Written pages go to the file they are mapped from. out is the start of a mapping. */
static void let_go(uint8_t *out, const uint8_t *end)
{
	madvise(out, (size_t)(end - out), MADV_DONTNEED);
}

static int inflate_zlib(const uint8_t *in, size_t in_len, uint8_t *out, size_t len, bool file)
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
		if (file && !z.avail_out)
			let_go(out, z.next_out);
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

static int inflate_zstd(const uint8_t *in, size_t in_len, uint8_t *out, size_t len)
{
	size_t n = ZSTD_decompress(out, len, in, in_len);

	return !ZSTD_isError(n) && n == len ? 0 : -EBADMSG;
}

int inflate_header_read(struct bytes *b, bool zdebug, bool elf64, struct inflate_header *ret)
{
	if (zdebug) {
		const uint8_t *magic = bytes_take(b, 4);

		ret->how = INFLATE_ZLIB;
		ret->len = __builtin_bswap64(bytes_uint(b, 8));
		if (!magic || memcmp(magic, "ZLIB", 4))
			return -EBADMSG;
	} else {
		uint64_t type = bytes_uint(b, 4);

		bytes_take(b, elf64 ? 4 : 0);
		ret->len = bytes_uint(b, elf64 ? 8 : 4);
		bytes_take(b, elf64 ? 8 : 4); /* alignment */
		if (type != ELFCOMPRESS_ZLIB && type != ELFCOMPRESS_ZSTD)
			return -EBADMSG;
		ret->how = type == ELFCOMPRESS_ZLIB ? INFLATE_ZLIB : INFLATE_ZSTD;
	}
	return b->bad || ret->len > LEN_MAX || ret->len / RATIO_MAX > bytes_left(b) ? -EBADMSG : 0;
}

int inflate_bytes(const struct bytes *b, enum inflate_how how, uint8_t *out, size_t len, bool file)
{
	int r = how == INFLATE_ZLIB ? inflate_zlib(b->at, bytes_left(b), out, len, file)
				    : inflate_zstd(b->at, bytes_left(b), out, len);

	if (!r && file)
		let_go(out, out + len);
	return r;
}
