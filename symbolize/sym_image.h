/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * sym_image - one image as the symbolizer holds it, and what each kind of image does of its own:
 * sym_elf.c (files and the vDSO), sym_kernel.c, sym_jit.c. Included by these and symbolizer.c alone.
 */
#include <stdbool.h>

#include "base/strpool.h"
#include "base/vec.h"
#include "symbolize/elf_image.h"
#include "symbolize/jitdump.h"
#include "symbolize/perf_map.h"
#include "symbolize/symbolizer.h"
#include "symbolize/symtab.h"

enum { SYM_GO_ACTIVE = 4 }; /* Go binaries that hold blocks of their files at a time */

struct go_lines;
struct lines;
struct symcache;

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
	struct symcache *cache;   /* names, lines and inlined frames; the table is empty then */
	struct build_id cache_id; /* what it is asked for by: the identity of the file itself */
	bool wants_cache;         /* it is being made */
	uint64_t news;            /* lines_news() when it was last asked for */
	struct perf_map perf;
	struct jitdump dump;
	struct sym_modules *modules; /* of the kernel; NULL: names only */
	uint64_t slide; /* of the kernel: how far it was put from where its file says */
	/* Of the kernel: what was met since kallsyms was read, and when to look again for what is never named. */
	bool met_unnamed, met_loaded;
	uint64_t read_in, look_again, wait; /* rounds */
};

struct symbolizer {
	char *kallsyms, *debug_dir, *modules_dir;
	struct lines *lines; /* NULL: names only */
	int lines_error;     /* why, where they were asked for */
	vec(struct sym_image *) images;
	struct htable index;
	struct strpool names;       /* demangled */
	vec(uint32_t) demangled_of; /* by id in `mangled`: id in names */
	struct strpool mangled;
	uint64_t round; /* counts trims */
	struct sym_image *go_active[SYM_GO_ACTIVE];
	uint32_t go_next; /* of these, to give way */
	struct symbolizer_stats stats;
};

/* A name that lives until the next trim but one: demangled once, however many addresses and images carry it. */
const char *sym_pretty_name(struct symbolizer *s, const char *system_name);

/* Loads: 0, or what sym_image_error() will say; -ENOMEM. Frees are for what the kind alone holds. */
int sym_elf_load(struct sym_image *img, const struct sym_source *src);
int sym_elf_load_vdso(struct sym_image *img);
/* Takes the cache when it has come meanwhile; between two rounds. */
void sym_elf_upgrade(struct sym_image *img);
void sym_elf_free(struct sym_image *img);
const struct elf_segment *sym_elf_segment(const struct sym_image *img, uint64_t offset);
/* As sym_image_resolve(), by the file's address; 0: ask the table. */
int sym_elf_resolve(struct sym_image *img, uint64_t addr, struct sym_frame *ret, size_t max);

int sym_kernel_load(struct sym_image *img, const struct sym_source *src);
/* Whether kallsyms may say more by now; reads it again. */
bool sym_kernel_may_name_more(const struct sym_image *img, const struct sym_source *src);
int sym_kernel_load_again(struct sym_image *img, const struct sym_source *src);

bool sym_is_jit(enum sym_kind kind);
const struct jit_map *sym_jit_map(const struct sym_image *img);
int sym_jit_load(struct sym_image *img, const struct sym_source *src);
int sym_jit_resolve(struct sym_image *img, uint64_t addr, struct sym_frame *ret);
