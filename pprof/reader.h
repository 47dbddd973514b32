/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * reader - a file of any kind we read into a profile: pprof, folded stacks, `perf script`.
 *
 * The content tells the kind, not the name; each may be gzipped. What people hold out instead (an
 * ELF file, perf.data, a flame graph page) is refused with the way to get there.
 * Hostile files: PPROF_MAX_BYTES inflated, READER_MAX_FRAMES on all stacks together, inlined ones
 * counted, since views unfold them.
 */
#include <stddef.h>

struct profile;

#define READER_MAX_FRAMES (128u << 20)

/* 0; -EBADMSG with the reason in err, for text with its line; -EFBIG above a bound; -ENOMEM. */
int reader_decode(const void *data, size_t len, struct profile **ret, char *err, size_t err_len);
