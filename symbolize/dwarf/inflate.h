/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * inflate - a compressed section: what it says of itself, and its bytes into memory of that size.
 *
 *	SHF_COMPRESSED   Elf64_Chdr or Elf32_Chdr: zlib or zstd, the size; the stream
 *	.zdebug_*        "ZLIB", the size in 8 bytes, big-endian; a zlib stream
 *
 * A zlib stream is inflated by ISA-L, in half of zlib's time: nothing else that a large debug file needs takes as long. (libdeflate
 * is as fast, but wants the whole of input and output in memory at once.) Memory: 90 KiB while it runs.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolize/bytes.h"

enum inflate_how { INFLATE_ZLIB, INFLATE_ZSTD };

struct inflate_header {
	enum inflate_how how;
	uint64_t len; /* inflated */
};

/* b is behind the header then. 0; -EBADMSG: no such header, or a size that no honest stream has. */
int inflate_header_read(struct bytes *b, bool zdebug, bool elf64, struct inflate_header *ret);

/*
 * files: the stream and out are mapped from some, whose pages need not stay with us.
 * 0: exactly len bytes were written. -EBADMSG: damaged, shorter or longer. -ENOMEM.
 */
int inflate_bytes(const struct bytes *b, enum inflate_how how, uint8_t *out, size_t len, bool files);
