/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/sym_image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/units.h"
#include "symbolize/demangle.h"
#include "symbolize/go_lines.h"
#include "symbolize/lines.h"
#include "symbolize/sym_modules.h"
#include "symbolize/symcache.h"

/* Demangled names of more than this are made anew rather than kept. */
#define MAX_NAME_BYTES (4 * MIB)

/* What a Go binary or a symcache costs while it is open: section headers, a mapping. */
#define OPEN_BYTES (64 * KIB)
enum { JIT_IDLE_ROUNDS = 8 }; /* a process whose JIT code was not asked for in so many is taken for gone */

/* Without it there are names: no reason to fail. */
static int open_lines(struct symbolizer *s, const struct symbolizer_opts *opts)
{
	const struct lines_opts lo = { .dir = opts->cache_dir, .max_bytes = opts->cache_bytes, .debug_dir = s->debug_dir, .awaited = opts->awaited,
				       .urls = opts->debuginfod_urls };

	s->lines_error = lines_new(&lo, &s->lines);
	return s->lines_error == -ENOMEM ? -ENOMEM : 0;
}

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
	if (asprintf(&s->modules_dir, "%s/sys/module", sysroot) < 0)
		s->modules_dir = NULL;
	if (!s->kallsyms || !s->debug_dir || !s->modules_dir || (opts && opts->lines && open_lines(s, opts) < 0)) {
		symbolizer_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

static struct sym_image *image_free(struct sym_image *img)
{
	sym_elf_free(img);
	sym_modules_free(img->modules);
	symtab_fini(&img->table);
	perf_map_fini(&img->perf);
	jitdump_fini(&img->dump);
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
	lines_free(s->lines);
	free(s->kallsyms);
	free(s->debug_dir);
	free(s->modules_dir);
	free(s);
	return NULL;
}

static int load(struct sym_image *img, const struct sym_source *src)
{
	switch (src->kind) {
	case SYM_ELF:
		return sym_elf_load(img, src);
	case SYM_KERNEL:
		return sym_kernel_load(img, src);
	case SYM_VDSO:
		return sym_elf_load_vdso(img);
	case SYM_PERF_MAP:
	case SYM_JITDUMP:
		return sym_jit_load(img, src);
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
	return kind == SYM_KERNEL || kind == SYM_VDSO || id->kind != BUILD_ID_NONE || (sym_is_jit(kind) && key);
}

static uint64_t key_hash(enum sym_kind kind, const struct build_id *id, uint64_t key)
{
	return hash_bytes(id->bytes, id->len, hash_u64(kind == SYM_KERNEL ? 0 : key) + kind);
}

static size_t image_bytes(const struct sym_image *img)
{
	return symtab_bytes(&img->table) + (img->go || img->cache ? OPEN_BYTES : 0) +
	       (sym_is_jit(img->kind) ? jit_map_bytes(sym_jit_map(img)) : 0);
}

static uint32_t image_symbols(const struct sym_image *img)
{
	return sym_is_jit(img->kind) ? sym_jit_map(img)->pieces.n : img->table.v.n;
}

/* Adds what an image holds to the sums, or with -1 takes it off: before and behind each change. */
static void account(struct symbolizer *s, const struct sym_image *img, int sign)
{
	s->stats.symbols += (uint64_t)(sign * (int64_t)image_symbols(img));
	s->stats.table_bytes += (uint64_t)(sign * (int64_t)image_bytes(img));
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
	account(s, img, 1);
	*ret = img;
	return is_cacheable(src->kind, &src->id, src->key) ? htable_insert(&s->index, hash, s->images.n - 1)
						 : 0;
}

static bool may_have_more(const struct sym_image *img, const struct sym_source *src)
{
	return img->wants_cache || img->modules || sym_is_jit(img->kind) || (img->kind == SYM_KERNEL && sym_kernel_may_name_more(img, src));
}

static void upgrade_image(struct sym_image *img)
{
	if (img->wants_cache)
		sym_elf_upgrade(img);
	if (img->modules)
		sym_modules_upgrade(img->modules);
}

/* JIT code is read on where the last round ended. */
static int change_image(struct sym_image *img, const struct sym_source *src)
{
	int r = 0;

	upgrade_image(img);
	if (img->kind == SYM_KERNEL && sym_kernel_may_name_more(img, src)) {
		r = sym_kernel_load_again(img, src);
	} else if (sym_is_jit(img->kind)) {
		r = sym_jit_load(img, src);
		img->error = r == -ENOMEM ? img->error : r;
	}
	return r == -ENOMEM ? r : 0;
}

static int update_image(struct symbolizer *s, struct sym_image *img, const struct sym_source *src)
{
	uint64_t begin = time_boot_ns();
	int r = 0;

	if (may_have_more(img, src)) {
		account(s, img, -1);
		r = change_image(img, src);
		account(s, img, 1);
		s->stats.load_ns += time_boot_ns() - begin;
	}
	img->used = s->round;
	return r;
}

int symbolizer_load(struct symbolizer *s, const struct sym_source *src, struct sym_image **ret)
{
	struct query q = { s, src };
	uint64_t hash = key_hash(src->kind, &src->id, src->key);
	uint32_t id = is_cacheable(src->kind, &src->id, src->key)
			      ? htable_find(&s->index, hash, same_image, &q)
			      : HTABLE_NONE;

	if (id == HTABLE_NONE)
		return add_image(s, src, hash, ret);
	*ret = s->images.v[id];
	return update_image(s, *ret, src);
}

uint32_t symbolizer_step(struct symbolizer *s, uint64_t max_wait_ns)
{
	struct lines_stats st = { 0 };

	if (!s->lines)
		return 0;
	lines_step(s->lines);
	lines_wait(s->lines, max_wait_ns);
	lines_step(s->lines);
	lines_stats(s->lines, &st);
	return st.pending;
}

void symbolizer_upgrade(struct symbolizer *s)
{
	for (uint32_t i = 0; i < s->images.n; i++) {
		struct sym_image *img = s->images.v[i];

		account(s, img, -1);
		upgrade_image(img);
		account(s, img, 1);
	}
}

int sym_image_error(const struct sym_image *img)
{
	return img->error;
}

int sym_image_segment(const struct sym_image *img, uint64_t offset, struct sym_segment *ret)
{
	const struct elf_segment *seg = sym_elf_segment(img, offset);

	if (!seg)
		return -ENOENT;
	*ret = (struct sym_segment){ .vaddr = seg->vaddr,
				     .size = seg->filesz,
				     .offset = seg->offset };
	return 0;
}

/* Each mangled name is demangled once, however many addresses and images carry it. */
const char *sym_pretty_name(struct symbolizer *s, const char *system_name)
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

	if (img->kind != SYM_ELF && img->kind != SYM_VDSO)
		return sym_image_resolve_address(img, offset, ret, max);
	seg = sym_elf_segment(img, offset);
	return seg ? sym_image_resolve_address(img, offset - seg->offset + seg->vaddr, ret, max) : -ENOENT;
}

/* What debug files know of the kernel's code. 0: nothing. */
static int resolve_kernel(struct sym_image *img, const struct symbol *sym, uint64_t addr, struct sym_frame *ret, size_t max)
{
	const char *module = sym->module ? symtab_str(&img->table, sym->module) : NULL;
	int n = 0;

	if (module && img->modules)
		n = sym_modules_resolve(img->modules, module, addr, ret, max);
	else if (!module && img->cache)
		n = sym_elf_resolve(img, addr - img->slide, ret, max);
	for (int i = 0; i < n; i++)
		ret[i].module = module;
	return n;
}

int sym_image_resolve_address(struct sym_image *img, uint64_t addr, struct sym_frame *ret, size_t max)
{
	const struct symbol *sym;
	int n;

	if (!max)
		return -ENOENT;
	if (sym_is_jit(img->kind))
		return sym_jit_resolve(img, addr, ret);
	n = img->kind == SYM_KERNEL ? 0 : sym_elf_resolve(img, addr, ret, max);
	if (n)
		return n;
	sym = symtab_find(&img->table, addr);
	img->met_unnamed |= !sym;
	if (!sym)
		return -ENOENT;
	img->met_loaded |= sym->module != 0;
	n = resolve_kernel(img, sym, addr, ret, max);
	if (n > 0)
		return n;
	ret[0] = (struct sym_frame){ .system_name = symtab_str(&img->table, sym->name) };
	ret[0].name = sym_pretty_name(img->owner, ret[0].system_name);
	if (sym->module)
		ret[0].module = symtab_str(&img->table, sym->module);
	return 1;
}

void symbolizer_stats(const struct symbolizer *s, struct symbolizer_stats *ret)
{
	*ret = s->stats;
	ret->lines_error = s->lines_error;
	if (s->lines)
		lines_stats(s->lines, &ret->lines);
}

static void forget(struct symbolizer *s, uint32_t at)
{
	struct sym_image *img = s->images.v[at];

	s->stats.images--;
	account(s, img, -1);
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
		    (sym_is_jit(img->kind) && s->round - img->used >= JIT_IDLE_ROUNDS))
			forget(s, i);
	}
	if (s->images.n)
		qsort(s->images.v, s->images.n, sizeof(*s->images.v), by_use);
	while (s->stats.table_bytes > max_bytes && s->images.n > 1)
		forget(s, s->images.n - 1);
	for (uint32_t i = 0; i < s->images.n; i++) {
		if (s->images.v[i]->go)
			go_lines_rest(s->images.v[i]->go);
		if (s->images.v[i]->cache)
			symcache_drop_pages(s->images.v[i]->cache);
	}
	memset(s->go_active, 0, sizeof(s->go_active));
	index_again(s);
	trim_names(s);
	s->round++;
}
