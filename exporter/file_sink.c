/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/file_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static const char *remedy(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
		return ": free some space, or write elsewhere with -o";
	case EACCES:
	case EPERM:
	case EROFS:
		return ": choose a folder you may write to with -o";
	case ENOENT:
		return ": the folder does not exist, make it first";
	default:
		return "";
	}
}

static enum parcel_answer failed(const char *doing, const char *path, int error, char *err, size_t err_len)
{
	snprintf(err, err_len, "cannot %s %s: %s%s", doing, path, strerror(error), remedy(error));
	return PARCEL_DROP;
}

static enum parcel_answer write_through(int fd, const char *path, const struct parcel *p, char *err, size_t err_len)
{
	int r = file_write_all(fd, p->bytes.data, p->bytes.len);

	return r < 0 ? failed("write", path, -r, err, err_len) : PARCEL_OK;
}

static int fill(int fd, const struct file_sink *sink, const struct parcel *p)
{
	int r = file_write_all(fd, p->bytes.data, p->bytes.len);

	if (r >= 0 && sink->uid != (uid_t)-1 && fchown(fd, sink->uid, sink->gid) < 0)
		r = -errno;
	if (r >= 0 && fsync(fd) < 0 && errno != EINVAL)
		r = -errno;
	return r;
}

static enum parcel_answer replace(const struct file_sink *sink, const struct parcel *p, bool exists, char *err,
				  size_t err_len)
{
	char fresh[PATH_MAX], old[PATH_MAX];
	_cleanup_(closep) int fd = -1;
	int r;

	if (snprintf(fresh, sizeof(fresh), "%s.part-%d", sink->path, (int)getpid()) >= (int)sizeof(fresh) ||
	    snprintf(old, sizeof(old), "%s.old", sink->path) >= (int)sizeof(old))
		return failed("write", sink->path, ENAMETOOLONG, err, err_len);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return failed("create", sink->path, errno, err, err_len);
	r = fill(fd, sink, p);
	if (r >= 0 && exists && rename(sink->path, old) < 0)
		r = -errno;
	if (r >= 0 && rename(fresh, sink->path) < 0)
		r = -errno;
	if (r >= 0)
		return PARCEL_OK;
	unlink(fresh);
	return failed("write", sink->path, -r, err, err_len);
}

enum parcel_answer file_sink_send(const struct file_sink *sink, const struct parcel *p, char *err, size_t err_len)
{
	_cleanup_(closep) int fd = -1;
	struct stat st;
	bool exists;

	if (!strcmp(sink->path, "-"))
		return write_through(STDOUT_FILENO, "standard output", p, err, err_len);
	exists = !stat(sink->path, &st);
	if (!exists || S_ISREG(st.st_mode))
		return replace(sink, p, exists, err, err_len);
	fd = open(sink->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return failed("open", sink->path, errno, err, err_len);
	return write_through(fd, sink->path, p, err, err_len);
}
