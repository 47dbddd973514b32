/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/kernel_debug.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "symbolize/debug_file.h"

enum { DEPTH_MAX = 16 }; /* the deepest module of Linux 6.1 lies 6 folders down */

static int open_if_right(int dir, const char *path, const struct build_id *id)
{
	_cleanup_(closep) int fd = file_open_regular(dir, path, 0, NULL);
	struct build_id found;

	if (fd < 0 || build_id_of_file(fd, &found) < 0 || !build_id_equal(&found, id))
		return -ENOENT;
	return take_fd(&fd);
}

/* "snd-hda-intel.ko" is snd_hda_intel. */
static bool is_of(const char *file, const char *module)
{
	for (; *module; module++, file++)
		if (*file != *module && (*file != '-' || *module != '_'))
			return false;
	return !strcmp(file, ".ko") || !strcmp(file, ".ko.debug");
}

/* Below a folder; a thousand files of a kernel take a few milliseconds. */
static int search(int parent, const char *name, const struct build_id *id, const char *module, int depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_(closedirp) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int r = -ENOENT;

	if (!dir) {
		closep(&fd);
		return -ENOENT;
	}
	while (r < 0 && (e = readdir(dir))) {
		if (is_of(e->d_name, module))
			r = open_if_right(fd, e->d_name, id);
		else if (depth < DEPTH_MAX && e->d_name[0] != '.' && !strchr(e->d_name, '.'))
			r = search(fd, e->d_name, id, module, depth + 1);
	}
	return r;
}

static int open_by_name(const char *debug_dir, const char *release, const struct build_id *id, const char *module)
{
	static const char *const places[] = { "%s/lib/modules/%s/vmlinux", "%s/boot/vmlinux-%s" };
	char path[PATH_MAX];
	int r = -ENOENT;

	if (module)
		return snprintf(path, sizeof(path), "%s/lib/modules/%s/kernel", debug_dir, release) < PATH_MAX
			       ? search(AT_FDCWD, path, id, module, 0) : -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(places) && r < 0; i++)
		if (snprintf(path, sizeof(path), places[i], debug_dir, release) < PATH_MAX)
			r = open_if_right(AT_FDCWD, path, id);
	return r;
}

int kernel_debug_open(const char *debug_dir, const struct build_id *id, const char *module)
{
	const struct debug_file_search by_id = { .debug_dir = debug_dir, .root_fd = -1 };
	int fd = debug_file_open(NULL, id, &by_id);
	struct utsname u;

	return fd >= 0 || uname(&u) < 0 ? fd : open_by_name(debug_dir, u.release, id, module);
}
