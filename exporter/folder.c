/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static int open_directory(const char *path)
{
	_cleanup_(closep) int fd = -1;
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
		return -EPERM;
	return take_fd(&fd);
}

static int lock(struct folder *f, int *ret_pid)
{
	char pid[16] = "";
	ssize_t n;

	f->lock_fd = openat(f->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (f->lock_fd < 0)
		return -errno;
	if (flock(f->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		n = pread(f->lock_fd, pid, sizeof(pid) - 1, 0);
		*ret_pid = n > 0 ? atoi(pid) : 0;
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	}
	n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(f->lock_fd, 0) < 0 || pwrite(f->lock_fd, pid, (size_t)n, 0) != n)
		return -errno;
	return 0;
}

int folder_open(const char *path, struct folder *ret, int *ret_pid)
{
	struct folder f = FOLDER_INIT;
	int r;

	*ret_pid = 0;
	r = f.fd = open_directory(path);
	if (r >= 0)
		r = lock(&f, ret_pid);
	if (r < 0) {
		folder_close(&f);
		return r;
	}
	*ret = f;
	return 0;
}

void folder_close(struct folder *f)
{
	closep(&f->fd);
	closep(&f->lock_fd);
	*f = FOLDER_INIT;
}

int folder_complain(const char *key, const char *path, int r, int pid, char *err, size_t err_len)
{
	if (r == -EBUSY && pid)
		snprintf(err, err_len, "%s: %s is in use by another agent, process %d: give each one its own", key, path, pid);
	else
		snprintf(err, err_len, "%s: %s: %s", key, path,
			 r == -EBUSY ? "it is in use by another agent: give each one its own" :
			 r == -EPERM ? "it is another user's, or others may write to it: make it ours alone (chown, chmod 700)" :
			 r == -ELOOP || r == -ENOTDIR ? "it is a link, or no directory: name a directory" :
			 r == -ENOENT ? "the directory above it is not there: make that first" : strerror(-r));
	return r;
}
