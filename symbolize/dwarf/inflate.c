/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf/inflate.h"

#include <elf.h>
#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/units.h"

/* What one section may claim: Chromium's .debug_info has 3 GB. */
#define LEN_MAX (8ull << 30)
/* zlib's best; zstd's is 32 times that on zeros, but nothing that is DWARF comes near either. */
#define RATIO_MAX 1032
#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2 /* newer than glibc 2.36 */
#endif

/* What is written, or read, at a time, and then let go. (ISA-L counts in 32 bits, so some piece there must be.) */
#define PIECE (32 * MIB)

static uint32_t piece(const void *from, const void *to)
{
	size_t left = (size_t)((const char *)to - (const char *)from);

	return left < PIECE ? (uint32_t)left : (uint32_t)PIECE;
}

/* Whole pages of what is mapped from a file: they are there when they are wanted again. */
static void let_go(const uint8_t *from, const uint8_t *to)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = ((uintptr_t)from + page - 1) / page * page, end = (uintptr_t)to / page * page;

	if (begin < end)
		madvise((void *)begin, end - begin, MADV_DONTNEED);
}

static bool at_end(const struct inflate_state *z)
{
	return z->block_state == ISAL_BLOCK_FINISH;
}

/* False: damaged, or cut short: then it takes nothing, and gives nothing, for ever. */
static bool step(struct inflate_state *z, const uint8_t *in_end, const uint8_t *out_end, bool files)
{
	const uint8_t *in = z->next_in, *out = z->next_out;
	int r;

	z->avail_in = piece(in, in_end);
	z->avail_out = piece(out, out_end);
	r = isal_inflate(z);
	if (files) {
		let_go(in, z->next_in);
		let_go(out, z->next_out);
	}
	return r == ISAL_DECOMP_OK && (at_end(z) || z->next_in != in || z->next_out != out);
}

/* gold and ld -r write several streams one after another. Of the next one it has read some bytes ahead. */
static void next_stream(struct inflate_state *z)
{
	z->next_in -= z->read_in_length / 8;
	isal_inflate_reset(z);
}

/* The end of the stream, and its checksum, may come after the last byte of output. */
static bool ends_here(struct inflate_state *z, const uint8_t *in_end)
{
	uint8_t more;

	z->next_out = &more;
	return at_end(z) || (step(z, in_end, &more + 1, false) && at_end(z) && z->next_out == &more);
}

static int inflate_zlib(const uint8_t *in, size_t in_len, uint8_t *out, size_t len, bool files)
{
	struct inflate_state *z = malloc(sizeof(*z));
	const uint8_t *in_end = in + in_len, *out_end = out + len;
	bool good;

	if (!z)
		return -ENOMEM;
	isal_inflate_init(z);
	z->crc_flag = ISAL_ZLIB;
	z->next_in = (uint8_t *)in;
	z->next_out = out;
	do {
		good = step(z, in_end, out_end, files);
		if (good && at_end(z) && z->next_out < out_end)
			next_stream(z);
	} while (good && z->next_out < out_end);
	good = good && ends_here(z, in_end);
	free(z);
	return good ? 0 : -EBADMSG;
}

static size_t up_to(size_t at, size_t end)
{
	return end - at < PIECE ? end : at + PIECE;
}

/* One frame after another, until both sides are used up. */
static size_t run_zstd(ZSTD_DStream *z, ZSTD_inBuffer *in, size_t in_len, ZSTD_outBuffer *out, size_t len, bool files)
{
	size_t left, was_in, was_out;

	do {
		was_in = in->pos;
		was_out = out->pos;
		in->size = up_to(was_in, in_len);
		out->size = up_to(was_out, len);
		left = ZSTD_decompressStream(z, out, in);
		if (files) {
			let_go((const uint8_t *)in->src + was_in, (const uint8_t *)in->src + in->pos);
			let_go((uint8_t *)out->dst + was_out, (uint8_t *)out->dst + out->pos);
		}
	} while (!ZSTD_isError(left) && (left || in->pos < in_len) && (in->pos != was_in || out->pos != was_out));
	return left;
}

static int inflate_zstd(const uint8_t *in, size_t in_len, uint8_t *out, size_t len, bool files)
{
	ZSTD_DStream *z = ZSTD_createDStream();
	ZSTD_inBuffer i = { .src = in };
	ZSTD_outBuffer o = { .dst = out };
	size_t left;

	if (!z)
		return -ENOMEM;
	left = run_zstd(z, &i, in_len, &o, len, files);
	ZSTD_freeDStream(z);
	if (ZSTD_isError(left))
		return ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation ? -ENOMEM : -EBADMSG;
	return !left && i.pos == in_len && o.pos == len ? 0 : -EBADMSG;
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

int inflate_bytes(const struct bytes *b, enum inflate_how how, uint8_t *out, size_t len, bool files)
{
	int r = how == INFLATE_ZLIB ? inflate_zlib(b->at, bytes_left(b), out, len, files)
				    : inflate_zstd(b->at, bytes_left(b), out, len, files);

	if (!r && files)
		let_go(out, out + len);
	return r;
}
