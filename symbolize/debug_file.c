/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/debug_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "symbolize/elf_image.h"

struct search {
	const struct debug_file_search *opts;
	const struct build_id *id;
	struct stat own;    /* of the image: a link to itself is no debug file */
	uint32_t crc;       /* of .gnu_debuglink */
	const char *link;   /* its name, NULL: none */
};

/* Inside a container's root a symlink must not lead out of it. */
static int open_in(int root_fd, const char *path, struct stat *ret_st)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, .resolve = RESOLVE_IN_ROOT };
	_cleanup_(closep) int fd = -1;

	if (root_fd < 0)
		return file_open_regular(AT_FDCWD, path, 0, ret_st);
	fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	if (fd < 0)
		return -errno;
	if (fstat(fd, ret_st) < 0 || !S_ISREG(ret_st->st_mode))
		return -EINVAL;
	return take_fd(&fd);
}

static bool crc_matches(int fd, uint32_t want)
{
	uLong crc = crc32(0, NULL, 0);
	uint8_t bytes[64 * 1024];
	ssize_t n;
	off_t at = 0;

	while ((n = pread(fd, bytes, sizeof(bytes), at)) > 0) {
		crc = crc32(crc, bytes, (uInt)n);
		at += n;
	}
	return n == 0 && (uint32_t)crc == want;
}

static int try_file(const struct search *s, int root_fd, const char *path, bool by_link)
{
	struct build_id found;
	struct stat st;
	_cleanup_(closep) int fd = open_in(root_fd, path, &st);

	if (fd < 0)
		return fd;
	if (st.st_dev == s->own.st_dev && st.st_ino == s->own.st_ino)
		return -ELOOP;
	if (s->id->kind == BUILD_ID_GNU) {
		if (build_id_of_file(fd, &found) < 0 || !build_id_equal(&found, s->id))
			return -ESTALE;
	} else if (!by_link || !crc_matches(fd, s->crc)) {
		return -ESTALE;
	}
	return take_fd(&fd);
}

static int by_build_id(const struct search *s, int root_fd)
{
	char hex[BUILD_ID_HEX_LEN], path[PATH_MAX];

	if (s->id->kind != BUILD_ID_GNU || s->id->len < 2)
		return -ENOENT;
	build_id_hex(s->id, hex);
	snprintf(path, sizeof(path), "%s/.build-id/%.2s/%s.debug", s->opts->debug_dir, hex, hex + 2);
	return try_file(s, root_fd, path, false);
}

static int by_link(const struct search *s, int root_fd)
{
	const struct {
		const char *prefix, *sub;
	} places[] = { { "", "" }, { "", "/.debug" }, { s->opts->debug_dir, "" } };
	char path[PATH_MAX];
	const char *slash = s->opts->path ? strrchr(s->opts->path, '/') : NULL;
	int r = -ENOENT;

	if (!s->link || !slash || strchr(s->link, '/'))
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(places) && r < 0; i++) {
		if (snprintf(path, sizeof(path), "%s%.*s%s/%s", places[i].prefix, (int)(slash - s->opts->path),
			     s->opts->path, places[i].sub, s->link) < (int)sizeof(path))
			r = try_file(s, root_fd, path, true);
	}
	return r;
}

/* .gnu_debuglink: a name, NUL, padding to 4, CRC-32 of the whole debug file. */
static void read_link(const struct elf_image *img, struct search *s)
{
	GElf_Shdr sh;
	Elf_Scn *scn = elf_image_section(img, ".gnu_debuglink", &sh);
	Elf_Data *data = scn ? elf_image_data(scn) : NULL;
	size_t len;

	if (!data || data->d_size < 8 || data->d_size > PATH_MAX)
		return;
	len = strnlen(data->d_buf, data->d_size);
	if (!len || ((len + 4) & ~3ul) + 4 > data->d_size)
		return;
	s->link = data->d_buf;
	memcpy(&s->crc, (const char *)data->d_buf + ((len + 4) & ~3ul), 4);
}

int debug_file_open(const struct elf_image *img, const struct build_id *id, const struct debug_file_search *search)
{
	struct search s = { .opts = search, .id = id };
	const int roots[] = { search->root_fd, -1 };
	int fd = -ENOENT;

	if (img) {
		if (img->fd >= 0 && fstat(img->fd, &s.own) < 0)
			return -errno;
		read_link(img, &s);
	}
	for (size_t i = search->root_fd < 0; i < ARRAY_SIZE(roots); i++) {
		fd = by_build_id(&s, roots[i]);
		if (fd < 0)
			fd = by_link(&s, roots[i]);
		if (fd >= 0)
			return fd;
	}
	return -ENOENT;
}
