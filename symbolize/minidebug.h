/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * minidebug - the ELF file that an image carries in its own .gnu_debugdata, compressed by xz.
 *
 * Fedora puts the symbols of static functions there, Android .debug_frame. It is inflated piece by
 * piece into a buffer of bounded size, whatever it claims to hold.
 * Memory: owns the bytes and the ELF handle on them; nothing is borrowed from the image that carried it.
 */
#include "base/buf.h"
#include "symbolize/elf_image.h"

#define MINIDEBUG_MAX (32u << 20)            /* inflated; libjvm's would be 5 MiB */
#define MINIDEBUG_COMPRESSED_MAX (16u << 20) /* in the image */
/* The dictionary of `xz -9` is 64 MiB: asked for at once, but touched only as far as the output reaches. */
#define MINIDEBUG_DECODER_MAX (72u << 20)

struct minidebug {
	struct buf bytes;
	struct elf_image *img;
};

/*
 * 0; -ENODATA: the image carries none; -EBADMSG: it is damaged, or no ELF file; -EFBIG: larger than the
 * bounds; -ENOMEM.
 */
int minidebug_open(const struct elf_image *img, struct minidebug **ret);
struct minidebug *minidebug_free(struct minidebug *m);
