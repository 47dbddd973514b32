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

/* A file that was found, and where. */
struct found {
	int fd, root_fd;
	char path[PATH_MAX];
};

/*
 * Inside a container's root a link must not lead out of it. What is found is looked at before it is opened:
 * whoever may place a link beside a file could have us open a watchdog, or a tape.
 */
static int open_in(int root_fd, const char *path, int flags, struct stat *ret_st)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | (uint64_t)flags,
				.resolve = root_fd < 0 ? 0 : RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	_cleanup_(closep) int seen = (int)syscall(SYS_openat2, root_fd < 0 ? AT_FDCWD : root_fd, path, &how, sizeof(how));
	char again[32];
	int fd;

	if (seen < 0)
		return -errno;
	if (fstat(seen, ret_st) < 0 || !S_ISREG(ret_st->st_mode))
		return -EINVAL;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", seen);
	fd = open(again, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
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
	_cleanup_(closep) int fd = open_in(root_fd, path, 0, &st);

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

static int by_build_id(const struct search *s, int root_fd, char path[PATH_MAX])
{
	char hex[BUILD_ID_HEX_LEN];

	if (s->id->kind != BUILD_ID_GNU || s->id->len < 2)
		return -ENOENT;
	build_id_hex(s->id, hex);
	snprintf(path, PATH_MAX, "%s/.build-id/%.2s/%s.debug", s->opts->debug_dir, hex, hex + 2);
	return try_file(s, root_fd, path, false);
}

static int by_link(const struct search *s, int root_fd, char path[PATH_MAX])
{
	const struct {
		const char *prefix, *sub;
	} places[] = { { "", "" }, { "", "/.debug" }, { s->opts->debug_dir, "" } };
	const char *slash = s->opts->path ? strrchr(s->opts->path, '/') : NULL;
	int r = -ENOENT;

	if (!s->link || !slash || strchr(s->link, '/'))
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(places) && r < 0; i++) {
		if (snprintf(path, PATH_MAX, "%s%.*s%s/%s", places[i].prefix, (int)(slash - s->opts->path),
			     s->opts->path, places[i].sub, s->link) < PATH_MAX)
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

static int find(const struct elf_image *img, const struct build_id *id, const struct debug_file_search *search,
		struct found *ret)
{
	struct search s = { .opts = search, .id = id };
	const int roots[] = { search->root_fd, -1 };

	if (img) {
		if (img->fd >= 0 && fstat(img->fd, &s.own) < 0)
			return -errno;
		read_link(img, &s);
	}
	for (size_t i = search->root_fd < 0; i < ARRAY_SIZE(roots); i++) {
		ret->root_fd = roots[i];
		ret->fd = by_build_id(&s, roots[i], ret->path);
		if (ret->fd < 0)
			ret->fd = by_link(&s, roots[i], ret->path);
		if (ret->fd >= 0)
			return 0;
	}
	return -ENOENT;
}

int debug_file_open(const struct elf_image *img, const struct build_id *id, const struct debug_file_search *search)
{
	struct found f;
	int r = find(img, id, search, &f);

	return r < 0 ? -ENOENT : f.fd;
}

/* Not elf_image_section(), which knows a bound for what is read into memory: this is only asked for. */
static bool has_dwarf(const struct elf_image *img)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	size_t names;

	if (elf_getshdrstrndx(img->elf, &names) < 0)
		return false;
	while ((scn = elf_nextscn(img->elf, scn))) {
		const char *name = gelf_getshdr(scn, &sh) ? elf_strptr(img->elf, names, sh.sh_name) : NULL;

		if (name && sh.sh_type != SHT_NOBITS && (!strcmp(name, ".debug_info") || !strcmp(name, ".zdebug_info")))
			return true;
	}
	return false;
}

/* .gnu_debugaltlink: a path, NUL, a build id. */
static int read_alt_link(const struct elf_image *img, const char **ret_path, struct build_id *ret)
{
	GElf_Shdr sh;
	Elf_Scn *scn = elf_image_section(img, ".gnu_debugaltlink", &sh);
	Elf_Data *data = scn ? elf_image_data(scn) : NULL;
	size_t path, id;

	if (!data || data->d_size > PATH_MAX + BUILD_ID_MAX)
		return -ENOENT;
	path = strnlen(data->d_buf, data->d_size);
	if (!path || path + 2 >= data->d_size)
		return -ENOENT;
	id = data->d_size - path - 1;
	*ret = (struct build_id){ .kind = BUILD_ID_GNU, .len = (uint8_t)(id < BUILD_ID_MAX ? id : BUILD_ID_MAX) };
	memcpy(ret->bytes, (const char *)data->d_buf + path + 1, ret->len);
	*ret_path = data->d_buf;
	return 0;
}

int debug_file_alt_id(const struct elf_image *of, struct build_id *ret)
{
	const char *path;

	return read_alt_link(of, &path, ret);
}

/* of: the file that names it. */
static int open_alt(const struct elf_image *of, const struct found *at, const struct debug_file_search *search)
{
	struct build_id id;
	const struct search s = { .opts = search, .id = &id };
	const char *path, *slash = strrchr(at->path, '/');
	char full[PATH_MAX];
	int r = read_alt_link(of, &path, &id);

	if (r < 0)
		return r;
	r = by_build_id(&s, at->root_fd, full);
	if (r < 0 && path[0] == '/')
		return try_file(&s, at->root_fd, path, true);
	if (r < 0 && slash && snprintf(full, sizeof(full), "%.*s/%s", (int)(slash - at->path), at->path, path) < PATH_MAX)
		r = try_file(&s, at->root_fd, full, true);
	return r;
}

static int open_dwp(const struct found *image, const struct found *debug, const struct debug_file_search *search)
{
	const struct {
		const struct found *of;
		const char *prefix;
	} places[] = { { image, "" }, { debug, "" }, { image, search->debug_dir } };
	char path[PATH_MAX];
	struct stat st;
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(places) && r < 0; i++)
		if (places[i].of->path[0] &&
		    snprintf(path, sizeof(path), "%s%s.dwp", places[i].prefix, places[i].of->path) < PATH_MAX)
			r = open_in(places[i].of->root_fd, path, 0, &st);
	return r;
}

static int open_debug_of(const struct elf_image *img, const struct build_id *id, const struct debug_file_search *search,
			 const struct found *image, struct debug_files *ret)
{
	_cleanup_(elf_image_freep) struct elf_image *opened = NULL;
	struct found debug = { .fd = -1, .root_fd = -1 };
	const struct elf_image *dwarf = img;
	int r = 0;

	if (!img || !has_dwarf(img)) {
		r = find(img, id, search, &debug);
		if (r < 0)
			return -ENODATA;
		ret->debug = debug.fd;
		r = elf_image_open(debug.fd, &opened);
		if (r < 0)
			return r == -ENOMEM ? r : -ENODATA;
		dwarf = opened;
	}
	if (!has_dwarf(dwarf))
		return -ENODATA;
	ret->alt = open_alt(dwarf, dwarf == img ? image : &debug, search);
	ret->dwp = open_dwp(image, &debug, search);
	return 0;
}

int debug_files_open(const struct elf_image *img, const struct build_id *id, const struct debug_file_search *search,
		     struct debug_files *ret)
{
	struct debug_files files = { -1, -1, -1 };
	struct found image = { .fd = -1, .root_fd = search->root_fd };
	int r;

	if (search->path)
		snprintf(image.path, sizeof(image.path), "%s", search->path);
	r = open_debug_of(img, id, search, &image, &files);
	if (r < 0)
		debug_files_close(&files);
	else
		*ret = files;
	return r;
}

void debug_files_close(struct debug_files *f)
{
	int *const all[] = { &f->debug, &f->alt, &f->dwp };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		closep(all[i]);
		*all[i] = -1;
	}
}

int debug_file_open_dwo(const struct debug_file_search *search, const char *comp_dir, const char *name)
{
	size_t len = strlen(name);
	char path[PATH_MAX];
	struct stat st;
	int r;

	if (len < 4 || strcmp(name + len - 4, ".dwo"))
		return -EINVAL;
	if (name[0] == '/' ? snprintf(path, sizeof(path), "%s", name) >= PATH_MAX
			   : comp_dir[0] != '/' || snprintf(path, sizeof(path), "%s/%s", comp_dir, name) >= PATH_MAX)
		return -EINVAL;
	r = open_in(search->root_fd, path, O_NOFOLLOW, &st);
	return r < 0 && search->root_fd >= 0 ? open_in(-1, path, O_NOFOLLOW, &st) : r;
}
