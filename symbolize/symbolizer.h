/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * symbolizer - names for (image, offset), one table per image however many processes map it.
 *
 * Story: mappings turned a pc into (image, file offset); at flush each image seen is loaded once and
 * every new frame asks for its names. Today a name comes from symbol tables; lines and inlined
 * frames will come through the same answer, which is why resolve fills an array.
 * Memory: the symbolizer owns images and strings; both are borrowed until symbolizer_free() or
 * symbolizer_trim(). Threads: one owner at a time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolize/build_id.h"

struct symbolizer;
struct sym_image;

enum sym_kind {
	SYM_ELF,      /* offsets are file offsets of the ELF file in fd */
	SYM_KERNEL,   /* offsets are kernel addresses; kallsyms */
	SYM_VDSO,     /* offsets are offsets into the vDSO's image; our own copy is read */
	SYM_PERF_MAP, /* offsets are addresses in the process; fd is its perf-PID.map */
};

struct sym_source {
	enum sym_kind kind;
	struct build_id id; /* SYM_ELF: the cache key; a file with another id is refused (-ESTALE) */
	uint64_t key;       /* SYM_PERF_MAP: the cache key (pid and start time, mixed) */
	int fd;             /* borrowed; -1: the file is gone, only a debug file can name it */
	int root_fd;        /* O_PATH of the root the image's path lives in; -1: the host's */
	const char *path;   /* in that root; for messages and the debug link */
};

struct symbolizer_opts {
	const char *sysroot;   /* NULL: "". Prefix of /proc/kallsyms and of the debug folders, for tests */
	const char *debug_dir; /* NULL: "/usr/lib/debug" */
};

/* One function at an address. The first is the innermost inlined callee, the last the physical one. */
struct sym_frame {
	const char *name;        /* demangled; borrowed */
	const char *system_name; /* as in the symbol table; equal to name when nothing was mangled */
	const char *file;        /* NULL: unknown */
	uint32_t line, start_line;
	const char *module; /* SYM_KERNEL: "nf_tables", "bpf"; NULL: the kernel proper */
};

/* The executable segment an offset lies in, as the file says. */
struct sym_segment {
	uint64_t vaddr, size, offset;
};

struct symbolizer_stats {
	uint64_t images, symbols, table_bytes; /* held now */
	uint64_t load_ns; /* spent parsing, all images */
};

int symbolizer_new(const struct symbolizer_opts *opts, struct symbolizer **ret);
struct symbolizer *symbolizer_free(struct symbolizer *s);

/*
 * Loads the image's tables, or finds them loaded. 0: *ret is valid, also when the file turned out
 * to carry no symbols (sym_image_error() says why nothing will resolve: -ENODATA no symbols,
 * -EBADMSG corrupt ELF, -ESTALE another build id, -EPERM kptr_restrict hides kernel addresses, -ENOENT
 * gone). Negative only for -ENOMEM.
 */
int symbolizer_load(struct symbolizer *s, const struct sym_source *src, struct sym_image **ret);
int sym_image_error(const struct sym_image *img);

/*
 * Between two rounds of naming: lets go of what cannot be found again (files without an identity,
 * maps that grow), and of the tables used longest ago until all of them fit in max_bytes. Ends the life
 * of every image and string handed out.
 */
void symbolizer_trim(struct symbolizer *s, size_t max_bytes);

/* Number of frames written (>= 1), or -ENOENT: nothing covers this offset. */
int sym_image_resolve(struct sym_image *img, uint64_t offset, struct sym_frame *ret, size_t max);
/* The same by an address as the image's own file counts them: also of a debug file, which has no code to be offset in. */
int sym_image_resolve_address(struct sym_image *img, uint64_t address, struct sym_frame *ret, size_t max);
/* -ENOENT: no PT_LOAD covers it, or the ELF was not readable. */
int sym_image_segment(const struct sym_image *img, uint64_t offset, struct sym_segment *ret);

void symbolizer_stats(const struct symbolizer *s, struct symbolizer_stats *ret);
