/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * inflate - one compressed section into memory of the size it claims.
 *
 * 0: exactly len bytes were written. -EBADMSG: damaged, shorter or longer. -ENOMEM.
 */
#include <stddef.h>
#include <stdint.h>

int inflate_zlib(const uint8_t *in, size_t in_len, uint8_t *out, size_t len);
int inflate_zstd(const uint8_t *in, size_t in_len, uint8_t *out, size_t len);
