/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/symbolizer.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/strpool.h"
#include "base/units.h"
#include "base/vec.h"
#include "symbolize/debug_file.h"
#include "symbolize/demangle.h"
#include "symbolize/elf_image.h"
#include "symbolize/elf_symbols.h"
#include "symbolize/kallsyms.h"
#include "symbolize/perf_map.h"
#include "symbolize/symtab.h"

/* Demangled names of more than this are made anew rather than kept. */
#define MAX_NAME_BYTES (4 * MIB)

/* An untyped or unsized symbol at the end of a section covers no more than this. */
#define MAX_UNSIZED (64 * KIB)
/* The vDSO is two to four pages; its headers say how far. */

struct sym_image {
	struct symbolizer *owner;
	enum sym_kind kind;
	struct build_id id;
	uint64_t key;
	int error;
	uint64_t used; /* the round that asked for it last */
	struct symtab table;
	uint32_t n_segments;
	struct elf_segment *segments;
};

struct symbolizer {
	char *kallsyms, *debug_dir;
	vec(struct sym_image *) images;
	struct htable index;
	struct strpool names;       /* demangled */
	vec(uint32_t) demangled_of; /* by id in `mangled`: id in names */
	struct strpool mangled;
	uint64_t round; /* counts trims */
	struct symbolizer_stats stats;
};

int symbolizer_new(const struct symbolizer_opts *opts, struct symbolizer **ret)
{
	const char *sysroot = opts && opts->sysroot ? opts->sysroot : "";
	const char *debug = opts && opts->debug_dir ? opts->debug_dir : "/usr/lib/debug";
	struct symbolizer *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	if (asprintf(&s->kallsyms, "%s/proc/kallsyms", sysroot) < 0)
		s->kallsyms = NULL;
	if (asprintf(&s->debug_dir, "%s%s", sysroot, debug) < 0)
		s->debug_dir = NULL;
	if (!s->kallsyms || !s->debug_dir) {
		symbolizer_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

static struct sym_image *image_free(struct sym_image *img)
{
	symtab_fini(&img->table);
	free(img->segments);
	free(img);
	return NULL;
}

struct symbolizer *symbolizer_free(struct symbolizer *s)
{
	if (!s)
		return NULL;
	vec_foreach(img, &s->images)
		image_free(*img);
	vec_fini(&s->images);
	htable_fini(&s->index);
	strpool_fini(&s->names);
	strpool_fini(&s->mangled);
	vec_fini(&s->demangled_of);
	free(s->kallsyms);
	free(s->debug_dir);
	free(s);
	return NULL;
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

static int load_elf(struct sym_image *img, const struct sym_source *src)
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
		if (r >= 0)
			r = elf_symbols_add(elf, &img->table);
		if (r < 0)
			return r;
	}
	r = add_debug_file(img, elf, &id, src);
	if (r < 0)
		return r;
	symtab_finish(&img->table, MAX_UNSIZED);
	return img->table.v.n ? 0 : src->fd < 0 ? -ENOENT : -ENODATA;
}

static int load_vdso(struct sym_image *img)
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

static int load_perf_map(struct sym_image *img, const struct sym_source *src)
{
	uint64_t bad;
	int r = src->fd < 0 ? -ENOENT : perf_map_read(src->fd, &img->table, &bad);

	return r < 0 ? r : img->table.v.n ? 0 : -ENODATA;
}

static int load(struct sym_image *img, const struct sym_source *src)
{
	switch (src->kind) {
	case SYM_ELF:
		return load_elf(img, src);
	case SYM_KERNEL:
		return kallsyms_read(img->owner->kallsyms, &img->table);
	case SYM_VDSO:
		return load_vdso(img);
	case SYM_PERF_MAP:
		return load_perf_map(img, src);
	}
	return -EINVAL;
}

struct query {
	const struct symbolizer *s;
	const struct sym_source *src;
};

static bool same_image(const void *ctx, uint32_t id)
{
	const struct query *q = ctx;
	const struct sym_image *img = q->s->images.v[id];

	return img->kind == q->src->kind && build_id_equal(&img->id, &q->src->id) &&
	       img->key == q->src->key;
}

/* Files without an identity, and maps that grow, are read anew each time. */
static bool is_cacheable(enum sym_kind kind, const struct build_id *id)
{
	return kind == SYM_KERNEL || kind == SYM_VDSO || id->kind != BUILD_ID_NONE;
}

static uint64_t key_hash(enum sym_kind kind, const struct build_id *id, uint64_t key)
{
	return hash_bytes(id->bytes, id->len, hash_u64(key) + kind);
}

static int add_image(struct symbolizer *s, const struct sym_source *src, uint64_t hash,
		     struct sym_image **ret)
{
	struct sym_image *img = calloc(1, sizeof(*img)), **slot;
	uint64_t begin = time_boot_ns();

	if (!img)
		return -ENOMEM;
	*img = (struct sym_image){
		.owner = s, .kind = src->kind, .id = src->id, .key = src->key, .used = s->round
	};
	img->error = load(img, src);
	slot = img->error == -ENOMEM ? NULL : vec_push(&s->images);
	if (!slot) {
		image_free(img);
		return -ENOMEM;
	}
	*slot = img;
	s->stats.load_ns += time_boot_ns() - begin;
	s->stats.images++;
	s->stats.symbols += img->table.v.n;
	s->stats.table_bytes += symtab_bytes(&img->table);
	*ret = img;
	return is_cacheable(src->kind, &src->id) ? htable_insert(&s->index, hash, s->images.n - 1)
						 : 0;
}

int symbolizer_load(struct symbolizer *s, const struct sym_source *src, struct sym_image **ret)
{
	struct query q = { s, src };
	uint64_t hash = key_hash(src->kind, &src->id, src->key);
	uint32_t id = is_cacheable(src->kind, &src->id)
			      ? htable_find(&s->index, hash, same_image, &q)
			      : HTABLE_NONE;

	if (id != HTABLE_NONE) {
		*ret = s->images.v[id];
		(*ret)->used = s->round;
		return 0;
	}
	return add_image(s, src, hash, ret);
}

int sym_image_error(const struct sym_image *img)
{
	return img->error;
}

static const struct elf_segment *find_segment(const struct sym_image *img, uint64_t offset)
{
	const struct elf_image view = { .n_segments = img->n_segments, .segments = img->segments };

	return elf_image_segment(&view, offset);
}

int sym_image_segment(const struct sym_image *img, uint64_t offset, struct sym_segment *ret)
{
	const struct elf_segment *seg = find_segment(img, offset);

	if (!seg)
		return -ENOENT;
	*ret = (struct sym_segment){ .vaddr = seg->vaddr,
				     .size = seg->filesz,
				     .offset = seg->offset };
	return 0;
}

/* Each mangled name is demangled once, however many addresses and images carry it. */
static const char *pretty_name(struct symbolizer *s, const char *system_name)
{
	uint32_t id = strpool_add(&s->mangled, system_name);
	_cleanup_(freep)
	char *pretty = NULL;

	if (strpool_error(&s->mangled))
		return system_name;
	while (s->demangled_of.n <= id)
		if (!vec_push(&s->demangled_of))
			return system_name;
	if (!s->demangled_of.v[id]) {
		pretty = demangle(system_name);
		s->demangled_of.v[id] = strpool_add(&s->names, pretty ? pretty : system_name);
	}
	return strpool_error(&s->names) ? system_name
					: strpool_str(&s->names, s->demangled_of.v[id]);
}

int sym_image_resolve(struct sym_image *img, uint64_t offset, struct sym_frame *ret, size_t max)
{
	const struct elf_segment *seg;
	uint64_t addr = offset;

	if (img->kind == SYM_ELF || img->kind == SYM_VDSO) {
		seg = find_segment(img, offset);
		if (!seg)
			return -ENOENT;
		addr = offset - seg->offset + seg->vaddr;
	}
	return sym_image_resolve_address(img, addr, ret, max);
}

int sym_image_resolve_address(struct sym_image *img, uint64_t addr, struct sym_frame *ret, size_t max)
{
	const struct symbol *sym = max ? symtab_find(&img->table, addr) : NULL;

	if (!sym)
		return -ENOENT;
	ret[0] = (struct sym_frame){ .system_name = symtab_str(&img->table, sym->name) };
	ret[0].name = pretty_name(img->owner, ret[0].system_name);
	if (sym->module)
		ret[0].module = symtab_str(&img->table, sym->module);
	return 1;
}

void symbolizer_stats(const struct symbolizer *s, struct symbolizer_stats *ret)
{
	*ret = s->stats;
}

static void forget(struct symbolizer *s, uint32_t at)
{
	struct sym_image *img = s->images.v[at];

	s->stats.images--;
	s->stats.symbols -= img->table.v.n;
	s->stats.table_bytes -= symtab_bytes(&img->table);
	image_free(img);
	s->images.v[at] = s->images.v[--s->images.n];
}

static int by_use(const void *a, const void *b)
{
	const struct sym_image *x = *(struct sym_image *const *)a,
			       *y = *(struct sym_image *const *)b;

	return x->used < y->used ? 1 : x->used > y->used ? -1 : 0;
}

/* What no longer fits in the index stays loaded and is loaded again when asked for: never wrong. */
static void index_again(struct symbolizer *s)
{
	htable_reset(&s->index);
	for (uint32_t i = 0; i < s->images.n; i++) {
		const struct sym_image *img = s->images.v[i];

		htable_insert(&s->index, key_hash(img->kind, &img->id, img->key), i);
	}
}

static void trim_names(struct symbolizer *s)
{
	if (s->names.arena.used_bytes + s->mangled.arena.used_bytes <= MAX_NAME_BYTES)
		return;
	strpool_reset(&s->names);
	strpool_reset(&s->mangled);
	s->demangled_of.n = 0;
}

void symbolizer_trim(struct symbolizer *s, size_t max_bytes)
{
	for (uint32_t i = s->images.n; i-- > 0;)
		if (!is_cacheable(s->images.v[i]->kind, &s->images.v[i]->id))
			forget(s, i);
	if (s->images.n)
		qsort(s->images.v, s->images.n, sizeof(*s->images.v), by_use);
	while (s->stats.table_bytes > max_bytes && s->images.n > 1)
		forget(s, s->images.n - 1);
	index_again(s);
	trim_names(s);
	s->round++;
}
