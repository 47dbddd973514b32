/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * file - reading files that others own: they may be FIFOs, links, devices, or shrink under us.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"

/*
 * Opens a regular file for reading without ever blocking on it (O_NONBLOCK, O_NOCTTY, O_CLOEXEC).
 * flags adds to those, e.g. O_NOFOLLOW. On success *ret_st (may be NULL) holds its stat.
 * Returns the descriptor, -EINVAL when it is no regular file, -ELOOP for a link under O_NOFOLLOW,
 * or another negative errno.
 */
int file_open_regular(int dirfd, const char *path, int flags, struct stat *ret_st);

/* Reads exactly len bytes at off. 0, -ENODATA when the file ends before, or negative errno. */
int file_pread(int fd, void *data, size_t len, uint64_t off);

/* Appends the whole file (proc files with size 0 included) to b, at most max bytes: -EFBIG above. */
int file_read_all(int fd, size_t max, struct buf *b);
int file_read_path(int dirfd, const char *path, size_t max, struct buf *b);

/* Calls fn with each name in a directory, in no order, until it answers below 0. 0, that, or negative errno. */
int file_each_name(int dirfd, int (*fn)(void *ctx, const char *name), void *ctx);

/* Writes all of it, through short writes and EINTR. 0 or negative errno. */
int file_write_all(int fd, const void *data, size_t len);

/*
 * The directory path[0..len), with those above it as mkdir -p would, but for us alone: whoever wants them shared has made
 * them. 0, also where it is there, or negative errno.
 */
int file_make_path(const char *path, size_t len);
