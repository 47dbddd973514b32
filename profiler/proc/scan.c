/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/scan.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/units.h"
#include "proc/executable.h"
#include "proc/process.h"

/* PROCMAP_QUERY, as in Linux 6.11's include/uapi/linux/fs.h; older headers lack it. */
struct map_query {
	__u64 size, query_flags, query_addr;
	__u64 vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
	__u32 dev_major, dev_minor, vma_name_size, build_id_size;
	__u64 vma_name_addr, build_id_addr;
};
_Static_assert(sizeof(struct map_query) == 104, "the kernel's struct procmap_query");
#define MAP_QUERY _IOWR('f', 17, struct map_query)
enum { QUERY_EXECUTABLE = 0x04, QUERY_COVERING_OR_NEXT = 0x10 };

/* One step of the ioctl: 1 and *ret filled, 0 at the end, negative errno (-ENOTTY: kernel < 6.11). */
static int query_next(int fd, uint64_t *addr, char path[PATH_MAX], struct process_mmap *ret)
{
	struct map_query q = { .size = sizeof(q), .query_flags = QUERY_EXECUTABLE | QUERY_COVERING_OR_NEXT,
			       .query_addr = *addr, .vma_name_size = PATH_MAX, .build_id_size = BUILD_ID_MAX };
	struct process_mmap m = { .path = path };

	q.vma_name_addr = (uintptr_t)path;
	q.build_id_addr = (uintptr_t)m.id.bytes;
	path[0] = '\0';
	if (ioctl(fd, MAP_QUERY, &q) < 0)
		return errno == ENOENT ? 0 : -errno;
	m.start = q.vma_start;
	m.len = q.vma_end - q.vma_start;
	m.pgoff = q.vma_offset;
	if (q.build_id_size) {
		m.id.kind = BUILD_ID_GNU;
		m.id.len = (uint8_t)q.build_id_size;
	} else {
		m.dev = makedev(q.dev_major, q.dev_minor);
		m.ino = q.inode;
	}
	*addr = q.vma_end;
	*ret = m;
	return 1;
}

int scan_query_probe(void)
{
	_cleanup_(closep) int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	char path[PATH_MAX];
	struct process_mmap m;
	uint64_t addr = 0;
	int r = fd < 0 ? -errno : query_next(fd, &addr, path, &m);

	return r < 0 ? r : 0;
}

static int scan_by_query(struct processes *t, struct process *p, int fd)
{
	char path[PATH_MAX];
	struct process_mmap m;
	uint64_t addr = 0;
	int r;

	while ((r = query_next(fd, &addr, path, &m)) > 0) {
		if (m.start >> 63) /* [vsyscall] lies in the kernel's half */
			break;
		r = process_map(t, p, &m);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : 0;
}

/* "7f00-7f10 r-xp 00001000 fe:00 123   /usr/lib/libc.so.6 (deleted)" */
static int scan_line(struct processes *t, struct process *p, char *line)
{
	unsigned int major, minor;
	uint64_t start, end, off, ino;
	struct process_mmap m;
	char perm[5];
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n", &start, &end, perm, &off,
		   &major, &minor, &ino, &at) < 7 || !at)
		return 0;
	if (perm[2] != 'x' || start >> 63)
		return 0;
	m = (struct process_mmap){ .start = start, .len = end - start, .pgoff = off,
				   .dev = makedev(major, minor), .ino = ino, .path = line + at };
	return process_map(t, p, &m);
}

static int scan_by_text(struct processes *t, struct process *p, int fd)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	char *line, *rest;
	int r;

	r = file_read_all(fd, 64 * MIB, &b);
	if (r < 0)
		return r;
	buf_putc(&b, '\0');
	if (buf_error(&b))
		return buf_error(&b);
	for (line = (char *)b.data; *line; line = rest) {
		rest = line + strcspn(line, "\n");
		if (*rest)
			*rest++ = '\0';
		r = scan_line(t, p, line);
		if (r < 0)
			return r;
	}
	return 0;
}

static void read_comm(struct process *p, pid_t tid)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)tid);
	if (file_read_path(AT_FDCWD, path, 64, &b) < 0 || !b.len)
		return;
	snprintf(p->comm, sizeof(p->comm), "%.*s", (int)b.len - 1, (char *)b.data);
}

/* The first of its mappings need not be its program's. */
static void read_exe(struct process *p)
{
	char path[PATH_MAX];

	if (executable_path(p, path, sizeof(path)))
		snprintf(p->exe, sizeof(p->exe), "%s", executable_name(path));
}

int scan_process(struct processes *t, pid_t pid, pid_t tid)
{
	_cleanup_(closep) int fd = -1;
	uint64_t now = time_boot_ns();
	struct process *p;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/maps", (int)pid, (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	p = process_add(t, (uint32_t)pid, now);
	if (!p)
		return -ENOMEM;
	p->scanned_ns = now;
	read_comm(p, tid);
	read_exe(p);
	r = scan_by_query(t, p, fd);
	if (r == -ENOTTY)
		r = scan_by_text(t, p, fd);
	/* -ESRCH: it has no memory (a kernel thread, a zombie): known, with nothing mapped. */
	return r == -ESRCH ? 0 : r;
}

int scan_all(struct processes *t)
{
	_cleanup_(closedirp) DIR *proc = opendir("/proc");
	struct dirent *e;
	int n = 0, r;

	if (!proc)
		return -errno;
	while ((e = readdir(proc))) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		r = scan_process(t, (pid_t)atoi(e->d_name), (pid_t)atoi(e->d_name));
		if (r == -ENOMEM)
			return r;
		n += r >= 0;
	}
	return n;
}
