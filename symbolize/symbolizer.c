/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/symbolizer.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
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
#include "symbolize/go_lines.h"
#include "symbolize/go_pclntab.h"
#include "symbolize/jitdump.h"
#include "symbolize/kallsyms.h"
#include "symbolize/perf_map.h"
#include "symbolize/symtab.h"

/* Demangled names of more than this are made anew rather than kept. */
#define MAX_NAME_BYTES (4 * MIB)
/* In one round no more than this is taken from Go's tables: a hostile one has a new name for every address. */
#define ROUND_NAME_BYTES (32 * MIB)

/* An untyped or unsized symbol at the end of a section covers no more than this. */
#define MAX_UNSIZED (64 * KIB)
/* While tables are larger than this together, no more JIT code is read: it waits for a trim. */
#define JIT_ROOM_BYTES (96 * MIB)
/* What a Go binary costs while it is held: a descriptor, its section headers. */
#define GO_BYTES (64 * KIB)
enum {
	MAX_CHAIN = 64,        /* deepest inline chain handed out */
	KERNEL_WAIT_MAX = 256, /* rounds, from 1 on twice as many each time */
	KERNEL_STALE = 4,      /* rounds for which names of loaded code may be those of what was there before */
	GO_ACTIVE = 4,         /* Go binaries that hold blocks of their files at a time */
	JIT_IDLE_ROUNDS = 8,   /* a process whose JIT code was not asked for in so many is taken for gone */
};
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
	/* A Go binary's pclntab is read when it is asked, from a descriptor of our own. */
	int go_fd;
	struct elf_image *go_elf;
	struct go_lines *go;
	struct perf_map perf;
	struct jitdump dump;
	/* Of the kernel: what was met since kallsyms was read, and when to look again for what is never named. */
	bool met_unnamed, met_loaded;
	uint64_t read_in, look_again, wait; /* rounds */
};

struct symbolizer {
	char *kallsyms, *debug_dir;
	vec(struct sym_image *) images;
	struct htable index;
	struct strpool names;       /* demangled */
	vec(uint32_t) demangled_of; /* by id in `mangled`: id in names */
	struct strpool mangled;
	uint64_t round; /* counts trims */
	struct sym_image *go_active[GO_ACTIVE];
	uint32_t go_next; /* of these, to give way */
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

static void close_go(struct sym_image *img)
{
	img->go = go_lines_free(img->go);
	img->go_elf = elf_image_free(img->go_elf);
	closep(&img->go_fd);
	img->go_fd = -1;
}

static struct sym_image *image_free(struct sym_image *img)
{
	close_go(img);
	symtab_fini(&img->table);
	perf_map_fini(&img->perf);
	jitdump_fini(&img->dump);
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
		if (r >= 0 && go_pclntab_likely(elf))
			r = open_go(img, src->fd);
		if (r >= 0)
			r = add_symbols(img, elf);
		if (r < 0)
			return r;
	}
	r = add_debug_file(img, elf, &id, src);
	if (r < 0)
		return r;
	symtab_finish(&img->table, MAX_UNSIZED);
	return img->table.v.n || img->go ? 0 : src->fd < 0 ? -ENOENT : -ENODATA;
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

static bool is_jit(enum sym_kind kind)
{
	return kind == SYM_PERF_MAP || kind == SYM_JITDUMP;
}

static const struct jit_map *jit_of(const struct sym_image *img)
{
	return img->kind == SYM_JITDUMP ? &img->dump.map : &img->perf.map;
}

static int read_on(struct sym_image *img, int fd)
{
	if (fd < 0)
		return -ENOENT;
	if (img->owner->stats.table_bytes > JIT_ROOM_BYTES)
		return -EFBIG;
	return img->kind == SYM_JITDUMP ? jitdump_update(&img->dump, fd) : perf_map_update(&img->perf, fd);
}

/* What is known stays known when the file is gone. */
static int load_jit(struct sym_image *img, const struct sym_source *src)
{
	int r = read_on(img, src->fd);

	if (r == -ENOMEM)
		return r;
	return jit_of(img)->pieces.n ? 0 : r < 0 ? r : -ENODATA;
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
	case SYM_JITDUMP:
		return load_jit(img, src);
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
	       (img->key == q->src->key || img->kind == SYM_KERNEL);
}

/* Files without an identity are read anew each time. */
static bool is_cacheable(enum sym_kind kind, const struct build_id *id, uint64_t key)
{
	return kind == SYM_KERNEL || kind == SYM_VDSO || id->kind != BUILD_ID_NONE || (is_jit(kind) && key);
}

static uint64_t key_hash(enum sym_kind kind, const struct build_id *id, uint64_t key)
{
	return hash_bytes(id->bytes, id->len, hash_u64(kind == SYM_KERNEL ? 0 : key) + kind);
}

static size_t image_bytes(const struct sym_image *img)
{
	return symtab_bytes(&img->table) + (img->go ? GO_BYTES : 0) +
	       (is_jit(img->kind) ? jit_map_bytes(jit_of(img)) : 0);
}

static uint32_t image_symbols(const struct sym_image *img)
{
	return is_jit(img->kind) ? jit_of(img)->pieces.n : img->table.v.n;
}

static int add_image(struct symbolizer *s, const struct sym_source *src, uint64_t hash,
		     struct sym_image **ret)
{
	struct sym_image *img = calloc(1, sizeof(*img)), **slot;
	uint64_t begin = time_boot_ns();

	if (!img)
		return -ENOMEM;
	*img = (struct sym_image){
		.owner = s, .kind = src->kind, .id = src->id, .key = src->key, .used = s->round, .read_in = s->round,
		.go_fd = -1
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
	s->stats.symbols += image_symbols(img);
	s->stats.table_bytes += image_bytes(img);
	*ret = img;
	return is_cacheable(src->kind, &src->id, src->key) ? htable_insert(&s->index, hash, s->images.n - 1)
						 : 0;
}

/* Reads on where the last round ended. */
static int update_image(struct symbolizer *s, struct sym_image *img, const struct sym_source *src)
{
	uint64_t begin = time_boot_ns(), bytes = image_bytes(img), symbols = image_symbols(img);
	int r = load_jit(img, src);

	s->stats.load_ns += time_boot_ns() - begin;
	s->stats.symbols += image_symbols(img) - symbols;
	s->stats.table_bytes += image_bytes(img) - bytes;
	if (r == -ENOMEM)
		return r;
	img->error = r;
	return 0;
}

/*
 * Whether kallsyms, 50 ms of reading, may say more by now. A BPF program or a trampoline that came or went is
 * announced (another key), and matters when the last round was in such code: at once when it had no name. Modules
 * are not announced: an address without a name is reason enough, ever more seldom while it does not get one.
 */
static bool may_name_more(const struct symbolizer *s, const struct sym_image *img, const struct sym_source *src)
{
	if (img->used == s->round) /* not in the middle of a round: its names are in use */
		return false;
	if (img->key != src->key && (img->met_unnamed || (img->met_loaded && s->round - img->read_in >= KERNEL_STALE)))
		return true;
	return img->met_unnamed && s->round >= img->look_again;
}

static int load_kernel_again(struct symbolizer *s, struct sym_image *img, const struct sym_source *src)
{
	uint64_t begin = time_boot_ns(), bytes = image_bytes(img), symbols = image_symbols(img);
	struct symtab fresh = { 0 };
	int r = kallsyms_read(s->kallsyms, &fresh);

	s->stats.load_ns += time_boot_ns() - begin;
	img->wait = img->key != src->key ? 1 : img->wait < KERNEL_WAIT_MAX / 2 ? 2 * img->wait + !img->wait : KERNEL_WAIT_MAX;
	img->look_again = s->round + img->wait;
	img->read_in = s->round;
	img->key = src->key;
	img->met_unnamed = img->met_loaded = false;
	if (r < 0) {
		symtab_fini(&fresh);
		return r == -ENOMEM ? r : 0;
	}
	symtab_fini(&img->table);
	img->table = fresh;
	img->error = 0;
	s->stats.symbols += image_symbols(img) - symbols;
	s->stats.table_bytes += image_bytes(img) - bytes;
	return 0;
}

int symbolizer_load(struct symbolizer *s, const struct sym_source *src, struct sym_image **ret)
{
	struct query q = { s, src };
	uint64_t hash = key_hash(src->kind, &src->id, src->key);
	uint32_t id = is_cacheable(src->kind, &src->id, src->key)
			      ? htable_find(&s->index, hash, same_image, &q)
			      : HTABLE_NONE;

	if (id != HTABLE_NONE) {
		int r = 0;

		*ret = s->images.v[id];
		if (is_jit(src->kind))
			r = update_image(s, *ret, src);
		else if (src->kind == SYM_KERNEL && may_name_more(s, *ret, src))
			r = load_kernel_again(s, *ret, src);
		(*ret)->used = s->round;
		return r;
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

/* However many Go binaries a round meets, a few hold blocks of their files. */
static void make_active(struct symbolizer *s, struct sym_image *img)
{
	struct sym_image **slot = &s->go_active[s->go_next];

	for (int i = 0; i < GO_ACTIVE; i++)
		if (s->go_active[i] == img)
			return;
	if (*slot)
		go_lines_forget((*slot)->go);
	*slot = img;
	s->go_next = (s->go_next + 1) % GO_ACTIVE;
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

/* Strings of our own: the JIT's may move when more of its file is read. */
static const char *keep(struct symbolizer *s, const char *str)
{
	uint32_t id = strpool_add(&s->names, str);

	return strpool_error(&s->names) ? str : strpool_str(&s->names, id);
}

static int resolve_jit(struct sym_image *img, uint64_t addr, struct sym_frame *ret)
{
	struct jitdump_frame f = { 0 };
	uint32_t code = jit_map_find(jit_of(img), addr);

	if (code == JIT_NO_CODE)
		return -ENOENT;
	if (img->kind == SYM_JITDUMP)
		jitdump_find(&img->dump, addr, &f);
	else
		f.name = jit_map_name(&img->perf.map, code);
	*ret = (struct sym_frame){ .system_name = keep(img->owner, f.name), .line = f.line };
	ret->name = pretty_name(img->owner, ret->system_name);
	ret->file = f.file ? keep(img->owner, f.file) : NULL;
	return 1;
}

int sym_image_resolve(struct sym_image *img, uint64_t offset, struct sym_frame *ret, size_t max)
{
	const struct elf_segment *seg;
	const struct symbol *sym;
	uint64_t addr = offset;
	int n;

	if (!max)
		return -ENOENT;
	if (is_jit(img->kind))
		return resolve_jit(img, addr, ret);
	if (img->kind == SYM_ELF || img->kind == SYM_VDSO) {
		seg = find_segment(img, offset);
		if (!seg)
			return -ENOENT;
		addr = offset - seg->offset + seg->vaddr;
	}
	n = img->go ? resolve_go(img, addr, ret, max) : 0;
	if (n)
		return n;
	sym = symtab_find(&img->table, addr);
	img->met_unnamed |= !sym;
	if (!sym)
		return -ENOENT;
	img->met_loaded |= sym->module != 0;
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
	s->stats.symbols -= image_symbols(img);
	s->stats.table_bytes -= image_bytes(img);
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
	bool failed = strpool_error(&s->names) || strpool_error(&s->mangled); /* sticks until a reset */

	if (s->names.arena.used_bytes + s->mangled.arena.used_bytes <= MAX_NAME_BYTES && !failed)
		return;
	strpool_reset(&s->names);
	strpool_reset(&s->mangled);
	s->demangled_of.n = 0;
}

void symbolizer_trim(struct symbolizer *s, size_t max_bytes)
{
	for (uint32_t i = s->images.n; i-- > 0;) {
		const struct sym_image *img = s->images.v[i];

		if (!is_cacheable(img->kind, &img->id, img->key) ||
		    (is_jit(img->kind) && s->round - img->used >= JIT_IDLE_ROUNDS))
			forget(s, i);
	}
	if (s->images.n)
		qsort(s->images.v, s->images.n, sizeof(*s->images.v), by_use);
	while (s->stats.table_bytes > max_bytes && s->images.n > 1)
		forget(s, s->images.n - 1);
	for (uint32_t i = 0; i < s->images.n; i++)
		if (s->images.v[i]->go)
			go_lines_rest(s->images.v[i]->go);
	memset(s->go_active, 0, sizeof(s->go_active));
	index_again(s);
	trim_names(s);
	s->round++;
}
