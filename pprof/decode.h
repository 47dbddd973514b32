/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * decode - a pprof file into a profile: ours, Go's runtime's, anybody's. Compressed or not.
 *
 * What google/pprof's reader rejects is rejected here, with one line that says where: a first string
 * that is not empty, values that do not match the types, ids that are zero, doubled or dangling,
 * strings out of range. Ids need not be dense. The kind of code is guessed from the mapping's name.
 * The file is hostile: it is inflated and parsed within bounds, see PPROF_MAX_BYTES.
 */
#include <stddef.h>

struct profile;

#define PPROF_MAX_BYTES (512u << 20) /* inflated */

/* 0; -EBADMSG with the reason in err; -EFBIG above the bound; -ENOMEM. The caller owns *ret. */
int pprof_decode(const void *data, size_t len, struct profile **ret, char *err, size_t err_len);
