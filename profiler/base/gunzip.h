/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * gunzip - the first member of a gzip file, within a bound.
 */
#include <stdbool.h>
#include <stddef.h>

struct buf;

bool is_gzip(const void *data, size_t len);

/* Appends to out. 0; -EBADMSG with the reason in err; -EFBIG above max bytes; -ENOMEM. len < 4 GiB. */
int gunzip(const void *data, size_t len, size_t max, struct buf *out, char *err, size_t err_len);
