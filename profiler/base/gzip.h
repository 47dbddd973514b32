/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* gzip - bytes as one gzip member. */
#include <stddef.h>

struct buf;

/* Appends to out. level: 1 to 9. 0, -ENOMEM, -EFBIG above 4 GiB. */
int gzip_compress(const void *data, size_t len, int level, struct buf *out);
