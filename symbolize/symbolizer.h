/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * symbolizer - names for (image, offset), one table per image however many processes map it.
 *
 * Story: mappings turned a pc into (image, file offset); at flush each image seen is loaded once and
 * every new frame asks for its names. Those of its symbol tables are there at once. Lines and inlined frames come
 * from a symcache; where there is none yet, a helper process makes one meanwhile (lines.h), and the image has it
 * from the next load on. A Go binary's pclntab has them all.
 * Memory: the symbolizer owns images and strings; both are borrowed until symbolizer_free() or
 * symbolizer_trim(). Threads: one owner at a time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolize/build_id.h"
#include "symbolize/lines.h"

struct symbolizer;
struct sym_image;

enum sym_kind {
	SYM_ELF,      /* offsets are file offsets of the ELF file in fd */
	SYM_KERNEL,   /* offsets are kernel addresses; kallsyms */
	SYM_VDSO,     /* offsets are offsets into the vDSO's image; our own copy is read */
	SYM_PERF_MAP, /* offsets are addresses in the process; fd is its perf-PID.map */
	SYM_JITDUMP,  /* the same; fd is its jit-PID.dump */
};

struct sym_source {
	enum sym_kind kind;
	struct build_id id; /* SYM_ELF: the cache key; a file with another id is refused (-ESTALE) */
	uint64_t key;       /* of the process, SYM_PERF_MAP and SYM_JITDUMP: the cache key; 0: none.
			       SYM_KERNEL: another number when its BPF programs and trampolines changed */
	int fd;             /* borrowed; -1: the file is gone, only a debug file can name it */
	int root_fd;        /* O_PATH of the root the image's path lives in; -1: the host's */
	const char *path;   /* in that root; for messages and the debug link */
};

struct symbolizer_opts {
	bool lines;            /* lines and inlined frames too; */
	bool awaited;          /* somebody waits for them (lines.h) */
	const char *cache_dir; /* where their symcaches are kept; NULL: the user's own */
	uint64_t cache_bytes;  /* of it; 0: 1 GiB */
	const char *debuginfod_urls; /* servers to ask for debug files, separated by spaces; NULL: none */
	const char *sysroot;   /* NULL: "". Prefix of /proc/kallsyms and of the debug folders, for tests */
	const char *debug_dir; /* NULL: "/usr/lib/debug" */
};

/* One function at an address. The first is the innermost inlined callee, the last the physical one. */
struct sym_frame {
	const char *name;        /* demangled; borrowed */
	const char *system_name; /* as in the symbol table; equal to name when nothing was mangled */
	const char *file;        /* NULL: unknown */
	uint32_t line, start_line;
	uint16_t language;       /* of the source: DW_LANG_*; 0: unknown */
	const char *module; /* SYM_KERNEL: "nf_tables", "bpf"; NULL: the kernel proper */
};

/* The executable segment an offset lies in, as the file says. */
struct sym_segment {
	uint64_t vaddr, size, offset;
};

struct symbolizer_stats {
	uint64_t images, symbols, table_bytes; /* held now */
	uint64_t load_ns; /* spent parsing, all images */
	struct lines_stats lines;
	int lines_error; /* why there are none, where they were asked for: of lines_new() */
};

int symbolizer_new(const struct symbolizer_opts *opts, struct symbolizer **ret);
struct symbolizer *symbolizer_free(struct symbolizer *s);

/*
 * Loads the image's tables, or finds them loaded; of a JIT's file that grows it reads what was appended, and
 * kallsyms it reads again when the last round met code that it did not have, or may have otherwise by now.
 * 0: *ret is valid, also when the file turned out to carry no symbols (sym_image_error() says why nothing
 * will resolve: -ENODATA no symbols, -EBADMSG corrupt ELF, -ESTALE another build id, -EPERM kptr_restrict
 * hides kernel addresses, -ENOENT gone). Negative only for -ENOMEM.
 */
int symbolizer_load(struct symbolizer *s, const struct sym_source *src, struct sym_image **ret);
int sym_image_error(const struct sym_image *img);

/*
 * Goes on with the symcaches being made, and waits for one at most so long. How many images still wait for theirs.
 * symbolizer_upgrade() gives those that have come to images loaded already: before any name of the round is asked for.
 */
uint32_t symbolizer_step(struct symbolizer *s, uint64_t max_wait_ns);
void symbolizer_upgrade(struct symbolizer *s);

/*
 * Between two rounds of naming: lets go of what cannot be found again (files without an identity), of
 * processes' JIT code not asked for in a while, and of the tables used longest ago until all of them fit in
 * max_bytes. Ends the life of every image and string handed out.
 */
void symbolizer_trim(struct symbolizer *s, size_t max_bytes);

/* Number of frames written (>= 1), or -ENOENT: nothing covers this offset. */
int sym_image_resolve(struct sym_image *img, uint64_t offset, struct sym_frame *ret, size_t max);
/* The same by an address as the image's own file counts them: also of a debug file, which has no code to be offset in. */
int sym_image_resolve_address(struct sym_image *img, uint64_t address, struct sym_frame *ret, size_t max);
/* -ENOENT: no PT_LOAD covers it, or the ELF was not readable. */
int sym_image_segment(const struct sym_image *img, uint64_t offset, struct sym_segment *ret);

void symbolizer_stats(const struct symbolizer *s, struct symbolizer_stats *ret);
