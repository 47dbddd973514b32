/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/sym_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "symbolize/debug_file.h"
#include "symbolize/elf_symbols.h"
#include "symbolize/go_lines.h"
#include "symbolize/go_pclntab.h"
#include "symbolize/lines.h"
#include "symbolize/symcache.h"

/* An untyped or unsized symbol at the end of a section covers no more than this. */
#define MAX_UNSIZED (64 * KIB)
/* In one round no more than this is taken from Go's tables: a hostile one has a new name for every address. */
#define ROUND_NAME_BYTES (32 * MIB)
enum { MAX_CHAIN = 64 }; /* deepest inline chain handed out */

static void close_go(struct sym_image *img)
{
	img->go = go_lines_free(img->go);
	img->go_elf = elf_image_free(img->go_elf);
	closep(&img->go_fd);
	img->go_fd = -1;
}

void sym_elf_free(struct sym_image *img)
{
	close_go(img);
	symcache_free(img->cache);
	free(img->segments);
}

static int copy_segments(struct sym_image *img, const struct elf_image *elf)
{
	img->segments = calloc(elf->n_segments + 1, sizeof(*img->segments));
	if (!img->segments)
		return -ENOMEM;
	memcpy(img->segments, elf->segments, elf->n_segments * sizeof(*img->segments));
	img->n_segments = elf->n_segments;
	return 0;
}

/* Symbols of the image's debug file, when there is one. */
static int add_debug_file(struct sym_image *img, const struct elf_image *elf,
			  const struct build_id *id, const struct sym_source *src)
{
	const struct debug_file_search search = { .debug_dir = img->owner->debug_dir,
						  .root_fd = src->root_fd,
						  .path = src->path };
	_cleanup_(closep)
	int fd = debug_file_open(elf, id, &search);
	_cleanup_(elf_image_freep)
	struct elf_image *debug = NULL;
	int r;

	if (fd < 0)
		return fd == -ENOMEM ? fd : 0;
	r = elf_image_open(fd, &debug);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (!elf) { /* the image is gone: eu-strip's debug files still tell where its segments lay */
		r = copy_segments(img, debug);
		if (r < 0)
			return r;
	}
	return elf_symbols_add(debug, &img->table);
}

static int check_identity(const struct sym_source *src, struct build_id *ret)
{
	int r = build_id_of_file(src->fd, ret);

	if (r < 0)
		return r;
	return src->id.kind == BUILD_ID_GNU && !build_id_equal(&src->id, ret) ? -ESTALE : 0;
}

/* 0: img->go is set, if this is a Go binary and its pclntab is sound. */
static int open_go(struct sym_image *img, int fd)
{
	int r;

	img->go_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	r = img->go_fd < 0 ? -errno : elf_image_open(img->go_fd, &img->go_elf);
	if (r >= 0)
		r = go_lines_new(img->go_elf, &img->go);
	if (r < 0)
		close_go(img);
	return r == -ENOMEM ? r : 0;
}

/* Its own functions a Go binary names better; C's, which may be beside them, have symbols. */
static int add_symbols(struct sym_image *img, const struct elf_image *elf)
{
	uint64_t start = 0, end = 0;

	if (img->go && go_lines_range(img->go, &start, &end) < 0)
		close_go(img);
	return elf_symbols_add_outside(elf, &img->table, start, end);
}

/* Names come from the symbol tables until there is one. What has no identity is not kept. */
static int get_cache(struct sym_image *img, const struct build_id *id, const struct sym_source *src)
{
	const struct converter_source want = { .id = *id, .fd = src->fd, .root_fd = src->root_fd, .path = src->path };
	int r = img->owner->lines ? lines_get(img->owner->lines, &want, &img->cache) : -ENODATA;

	img->cache_id = *id;
	img->wants_cache = r == -EAGAIN;
	img->news = img->owner->lines ? lines_news(img->owner->lines) : 0;
	return r == -ENOMEM ? r : 0;
}

void sym_elf_upgrade(struct sym_image *img)
{
	struct lines *lines = img->owner->lines;

	if (!img->wants_cache || img->news == lines_news(lines))
		return;
	img->news = lines_news(lines);
	if (lines_get_made(lines, &img->cache_id, &img->cache))
		return;
	img->wants_cache = false;
	if (img->kind == SYM_KERNEL) /* which knows modules and BPF programs too */
		return;
	img->error = 0;
	symtab_fini(&img->table);
}

int sym_elf_load(struct sym_image *img, const struct sym_source *src)
{
	_cleanup_(elf_image_freep)
	struct elf_image *elf = NULL;
	struct build_id id = src->id;
	int r = 0;

	if (src->fd >= 0) {
		r = check_identity(src, &id);
		if (r >= 0)
			r = elf_image_open(src->fd, &elf);
		if (r >= 0)
			r = copy_segments(img, elf);
		if (r >= 0 && go_pclntab_likely(elf))
			r = open_go(img, src->fd);
		if (r >= 0 && !img->go)
			r = get_cache(img, &id, src);
		if (r >= 0 && !img->cache)
			r = add_symbols(img, elf);
		if (r < 0 || img->cache)
			return r;
	}
	r = add_debug_file(img, elf, &id, src);
	if (r < 0)
		return r;
	symtab_finish(&img->table, MAX_UNSIZED);
	return img->table.v.n || img->go ? 0 : src->fd < 0 ? -ENOENT : -ENODATA;
}

int sym_elf_load_vdso(struct sym_image *img)
{
	_cleanup_(elf_image_freep)
	struct elf_image *elf = NULL;
	int r = elf_image_open_vdso(&elf);

	if (r >= 0)
		r = copy_segments(img, elf);
	if (r >= 0)
		r = elf_symbols_add(elf, &img->table);
	if (r < 0)
		return r;
	symtab_finish(&img->table, MAX_UNSIZED);
	return img->table.v.n ? 0 : -ENODATA;
}

const struct elf_segment *sym_elf_segment(const struct sym_image *img, uint64_t offset)
{
	const struct elf_image view = { .n_segments = img->n_segments, .segments = img->segments };

	return elf_image_segment(&view, offset);
}

/* However many Go binaries a round meets, a few hold blocks of their files. */
static void make_active(struct symbolizer *s, struct sym_image *img)
{
	struct sym_image **slot = &s->go_active[s->go_next];

	for (int i = 0; i < SYM_GO_ACTIVE; i++)
		if (s->go_active[i] == img)
			return;
	if (*slot)
		go_lines_forget((*slot)->go);
	*slot = img;
	s->go_next = (s->go_next + 1) % SYM_GO_ACTIVE;
}

/* The pclntab's frames. 0: it covers no such address. */
static int resolve_go(struct sym_image *img, uint64_t addr, struct sym_frame *ret, size_t max)
{
	struct go_line chain[MAX_CHAIN];
	int n;

	if (img->owner->names.arena.used_bytes > ROUND_NAME_BYTES)
		return 0;
	make_active(img->owner, img);
	n = go_lines_find(img->go, addr, &img->owner->names, chain, max < MAX_CHAIN ? max : MAX_CHAIN);
	for (int i = 0; i < n; i++)
		ret[i] = (struct sym_frame){ .name = chain[i].name,
					     .system_name = chain[i].name,
					     .file = chain[i].file,
					     .line = chain[i].line,
					     .start_line = chain[i].start_line };
	return n < 0 ? 0 : n;
}

static const char *string_or_null(const struct symcache *c, uint32_t id)
{
	return id ? symcache_string(c, id) : NULL;
}

static int resolve_cache(struct sym_image *img, uint64_t addr, struct sym_frame *ret, size_t max)
{
	struct symcache_frame chain[MAX_CHAIN];
	int n = symcache_find(img->cache, addr, chain, max < MAX_CHAIN ? max : MAX_CHAIN);

	for (int i = 0; i < n; i++) {
		const char *system_name = symcache_string(img->cache, chain[i].linkage ? chain[i].linkage : chain[i].name);

		ret[i] = (struct sym_frame){ .system_name = system_name,
					     .name = sym_pretty_name(img->owner, system_name),
					     .file = string_or_null(img->cache, chain[i].file),
					     .line = chain[i].line,
					     .start_line = chain[i].start_line,
					     .language = chain[i].language };
	}
	return n;
}

int sym_elf_resolve(struct sym_image *img, uint64_t addr, struct sym_frame *ret, size_t max)
{
	if (img->cache)
		return resolve_cache(img, addr, ret, max);
	return img->go ? resolve_go(img, addr, ret, max) : 0;
}
