/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way from a mapping to its file. Each path may lead to another file by now (an upgrade, another
 * mount namespace), so whatever opens is compared with what was mapped before it is believed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "proc/image.h"
#include "symbolize/perf_map.h"

/* Overlay file systems report other numbers to stat than to the side-band: there the link's own text,
 * the path that is mapped at that address right now, has to do. */
static bool same_link(const struct image *i, const char *link)
{
	char path[PATH_MAX];
	ssize_t n = readlink(link, path, sizeof(path) - 1);

	if (n < 0)
		return false;
	path[n] = '\0';
	return !strcmp(path, i->path);
}

/* Is the open file the one that was mapped? Learns the build id on the way. */
static int check_identity(struct image *i, const char *path, int fd, const struct stat *st)
{
	struct build_id found;
	int r;

	if (i->ino && (st->st_ino != i->ino || (i->dev && st->st_dev != i->dev)) && !same_link(i, path))
		return -ESTALE;
	r = build_id_of_file(fd, &found);
	if (r < 0)
		return i->ino ? 0 : r; /* no ELF, but the right inode: the symbolizer will say so */
	if (i->id.kind != BUILD_ID_NONE && !build_id_equal(&i->id, &found))
		return -ESTALE;
	i->id = found;
	return 0;
}

static int try_path(struct image *i, const char *path)
{
	struct stat st;
	_cleanup_(closep) int fd = file_open_regular(AT_FDCWD, path, 0, &st);
	int r;

	if (fd < 0)
		return fd;
	r = check_identity(i, path, fd, &st);
	if (r < 0)
		return r;
	i->fd = take_fd(&fd);
	return 0;
}

static bool same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	return !stat(a, &sa) && !stat(b, &sb) && sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev;
}

/* A root of its own (container, chroot): debug files are looked for there too. */
static void open_foreign_root(struct image *i, pid_t pid)
{
	char root[64], ns[64];

	snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
	snprintf(ns, sizeof(ns), "/proc/%d/ns/mnt", (int)pid);
	if (same_file(ns, "/proc/self/ns/mnt") && same_file(root, "/proc/self/root"))
		return;
	i->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int open_file(struct image *i, const struct image_owner *o)
{
	char path[PATH_MAX + 64];
	int r, last;

	open_foreign_root(i, o->pid);
	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", (int)o->pid,
		 (unsigned long long)o->vma_start, (unsigned long long)o->vma_end);
	r = try_path(i, path);
	if (r == 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)o->pid, i->path);
	last = try_path(i, path);
	if (last == 0)
		return 0;
	r = i->path[0] == '/' ? try_path(i, i->path) : -ENOENT;
	return r == 0 ? 0 : last == -ENOENT ? r : last;
}

/* Second number of "NSpid:\t4711\t12": the pid inside the innermost namespace. */
static int namespace_pid(pid_t pid, pid_t *ret)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	char path[64], *line, *tab;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	r = file_read_path(AT_FDCWD, path, 64 * 1024, &b);
	if (r < 0)
		return r;
	buf_putc(&b, '\0');
	if (buf_error(&b))
		return buf_error(&b);
	*ret = pid;
	line = strstr((char *)b.data, "\nNSpid:");
	if (!line)
		return 0;
	line[strcspn(line + 1, "\n") + 1] = '\0';
	tab = strrchr(line, '\t');
	if (tab)
		*ret = (pid_t)strtol(tab + 1, NULL, 10);
	return 0;
}

static int open_perf_map(struct image *i, const struct image_owner *o)
{
	_cleanup_(closep) int root = -1;
	char path[64];
	struct stat st;
	pid_t nspid = 0;
	int fd, r;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)o->pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d", (int)o->pid);
	if (stat(path, &st) < 0)
		return -errno;
	r = namespace_pid(o->pid, &nspid);
	if (r < 0)
		return r;
	fd = perf_map_open(root, nspid, st.st_uid);
	if (fd < 0)
		return fd;
	i->fd = fd;
	return 0;
}

/* In the process's root, where a link must not lead out of it. */
static int open_in_root(pid_t pid, const char *file, struct stat *ret_st)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, .resolve = RESOLVE_IN_ROOT };
	_cleanup_(closep) int root = -1, fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = root < 0 ? -1 : (int)syscall(SYS_openat2, root, file, &how, sizeof(how));
	if (fd < 0 || fstat(fd, ret_st) < 0)
		return -errno;
	return S_ISREG(ret_st->st_mode) ? take_fd(&fd) : -EINVAL;
}

/* The file that is mapped, of the process's own user or root: anyone may have named it jit-1.dump. */
static int open_dump(struct image *i, pid_t pid)
{
	_cleanup_(closep) int fd = -1;
	struct stat st, process;
	char path[128];

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (stat(path, &process) < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", (int)pid, (unsigned long long)i->dump->start,
		 (unsigned long long)i->dump->end);
	fd = file_open_regular(AT_FDCWD, path, 0, &st);
	if (fd < 0)
		fd = open_in_root(pid, i->dump->path, &st);
	if (fd < 0)
		return fd;
	if (i->dump->ino && st.st_ino != i->dump->ino)
		return -ESTALE;
	if (st.st_uid != process.st_uid && st.st_uid != 0)
		return -EPERM;
	i->dump_fd = take_fd(&fd);
	return 0;
}

/* The first time, the second, the fourth ...: a perf map may begin to be written at any time. */
static bool is_time_to_look(struct image *i)
{
	i->asked++;
	return i->fd < 0 && !(i->asked & (i->asked - 1));
}

static int open_jit(struct image *i, const struct image_owner *o)
{
	if (i->dump && !i->dump_opened) {
		i->dump_opened = true;
		open_dump(i, o->pid);
	}
	if (i->dump_fd < 0 && is_time_to_look(i))
		open_perf_map(i, o);
	return i->dump_fd >= 0 || i->fd >= 0 ? 0 : -ENOENT;
}

int image_open(struct images *t, uint32_t id, const struct image_owner *owner)
{
	struct image *i = image_get(t, id);

	if (i->kind == IMAGE_JIT)
		return open_jit(i, owner);
	if (i->opened)
		return i->fd >= 0 ? 0 : -ENOENT;
	i->opened = true;
	return i->kind == IMAGE_FILE ? open_file(i, owner) : 0;
}
