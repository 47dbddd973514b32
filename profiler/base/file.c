/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

int file_open_regular(int dirfd, const char *path, int flags, struct stat *ret_st)
{
	_cleanup_(closep) int fd = -1;
	struct stat st;

	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (ret_st)
		*ret_st = st;
	return take_fd(&fd);
}

int file_pread(int fd, void *data, size_t len, uint64_t off)
{
	uint8_t *p = data;

	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int file_read_all(int fd, size_t max, struct buf *b)
{
	size_t start = b->len;
	struct stat st;

	/* One reservation where the size is known: no doubling, no twice-copied large file. */
	if (!fstat(fd, &st) && st.st_size > 0 && (uint64_t)st.st_size <= max)
		buf_reserve(b, (size_t)st.st_size + 1);
	for (;;) {
		size_t room = b->cap - b->len;
		uint8_t *p = buf_reserve(b, room > 4096 ? room : 64 * 1024);
		ssize_t n;

		if (!p)
			return -ENOMEM;
		n = read(fd, p, b->cap - b->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		b->len += (size_t)n;
		if (b->len - start > max)
			return -EFBIG;
	}
}

int file_read_path(int dirfd, const char *path, size_t max, struct buf *b)
{
	_cleanup_(closep) int fd = file_open_regular(dirfd, path, 0, NULL);

	return fd < 0 ? fd : file_read_all(fd, max, b);
}

int file_write_all(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_make_path(const char *path, size_t len)
{
	char part[PATH_MAX];

	if (!len || len >= sizeof(part))
		return -ENAMETOOLONG;
	memcpy(part, path, len);
	part[len] = '\0';
	for (char *p = part + 1; p <= part + len; p++) {
		char c = *p;

		if (c != '/' && c)
			continue;
		*p = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return -errno;
		*p = c;
	}
	return 0;
}

int file_each_name(int dirfd, int (*fn)(void *ctx, const char *name), void *ctx)
{
	_cleanup_(closep) int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(closedirp) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (!dir)
		return -errno;
	fd = -1; /* the stream's now */
	while (r >= 0 && (e = readdir(dir)))
		r = fn(ctx, e->d_name);
	return r < 0 ? r : 0;
}
