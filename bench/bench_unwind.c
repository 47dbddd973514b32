/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an ELF file, its pages cached, to its unwind table: the time per row, what a row occupies, a search
 * at random pcs, and how far the process grows meanwhile. One file per kind of compiler; libdw beside us.
 */
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <glob.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "bench.h"
#include "unwind/elf_cfi.h"

enum { LOOKUPS = 200000, LOOKUP_ROUNDS = 5 };

/* The first file of the patterns, which end in NULL; -1: this machine has none. */
static int open_first(const char *const *patterns)
{
	glob_t found;
	int fd = -1;

	for (; fd < 0 && *patterns; patterns++)
		if (!glob(*patterns, GLOB_TILDE, NULL, &found)) {
			fd = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
			globfree(&found);
		}
	return fd;
}

static struct rows *build(int fd)
{
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	struct rows *t;

	if (elf_image_open(fd, &img) < 0 || elf_cfi_rows(img, ELF_CFI_ALL, &t) < 0)
		abort();
	return t;
}

static long resident_bytes(void)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/self/statm", "re");
	long pages;

	if (!f || fscanf(f, "%*d %ld", &pages) != 1)
		abort();
	return pages * sysconf(_SC_PAGESIZE);
}

/*
 * How much larger a process gets that builds the table once, in a child: what this one has freed and
 * malloc kept is given back first, or it would be the child's for nothing.
 */
static double peak_bytes(int fd)
{
	double *grown = mmap(NULL, sizeof(*grown), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0),
	       bytes;
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct rusage used;
		long before = (malloc_trim(0), resident_bytes());

		build(fd);
		getrusage(RUSAGE_SELF, &used);
		*grown = (double)(used.ru_maxrss * 1024 - before);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		abort();
	bytes = *grown;
	munmap(grown, sizeof(*grown));
	return bytes;
}

static double find_ns(const struct rows *t)
{
	uint64_t best = UINT64_MAX, x = 1, found = 0;

	for (int round = 0; round < LOOKUP_ROUNDS; round++) {
		uint64_t begin = time_boot_ns();

		for (int i = 0; i < LOOKUPS; i++) {
			x = x * 6364136223846793005ull + 1442695040888963407ull;
			found += unwind_cfa(rows_find(t, t->base + (x >> 24) % (t->end - t->base)));
		}
		if (time_boot_ns() - begin < best)
			best = time_boot_ns() - begin;
	}
	if (!found)
		abort();
	return (double)best / LOOKUPS;
}

static void bench_rows(struct bench *b, const char *const *patterns)
{
	_cleanup_(closep) int fd = open_first(patterns);
	_cleanup_(rows_freep) struct rows *t = NULL;

	if (fd < 0)
		return;
	bench_metric(b, "peak_mib", peak_bytes(fd) / MIB);
	t = build(fd);
	b->units = t->stats.rows;
	BENCH_LOOP(b)
		rows_free(build(fd));
	bench_metric(b, "text_mib", (double)(t->end - t->base) / MIB);
	bench_metric(b, "rows", (double)t->stats.rows);
	bench_metric(b, "bytes_per_row", (double)rows_bytes(t) / (double)t->stats.rows);
	bench_metric(b, "find_ns", find_ns(t));
}

#define BENCH_FILE(id, ...)                                               \
	static const char *const id##_patterns[] = { __VA_ARGS__, NULL }; \
	BENCH(unwind_##id, "row", 1)                                      \
	{                                                                 \
		bench_rows(b, id##_patterns);                             \
	}

BENCH_FILE(libc, "/lib/x86_64-linux-gnu/libc.so.6")
BENCH_FILE(libjvm, "/usr/lib/jvm/java-17-openjdk-*/lib/server/libjvm.so",
	   "/usr/lib/jvm/*/lib/server/libjvm.so")
BENCH_FILE(node, "/usr/bin/node", "/usr/lib/x86_64-linux-gnu/libnode.so.*")
BENCH_FILE(cc1plus, "/usr/lib/gcc/x86_64-linux-gnu/*/cc1plus")
/* From its pclntab. */
BENCH_FILE(go, "/usr/bin/dockerd", "/usr/local/go/pkg/tool/linux_amd64/compile",
	   "/usr/lib/go-*/pkg/tool/linux_amd64/compile")
/* 100 MB of code. */
BENCH_FILE(rust, "~/.rustup/toolchains/stable-*/lib/librustc_driver-*.so",
	   "/usr/lib/x86_64-linux-gnu/librustc_driver-*.so")

/* The same rows asked of libdw one by one, which is the way it offers. */
BENCH(unwind_libc_libdw, "row", 1)
{
	_cleanup_(closep) int fd = open_first(libc_patterns);
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	_cleanup_(rows_freep) struct rows *t = NULL;

	if (fd < 0 || elf_image_open(fd, &img) < 0)
		return;
	t = build(fd);
	b->units = t->stats.rows;
	BENCH_LOOP(b)
	{
		Dwarf_CFI *cfi = dwarf_getcfi_elf(img->elf);
		struct rows_cursor at = { 0 };
		struct rows_span span;
		Dwarf_Frame *frame;

		while (rows_next(t, &at, &span))
			if (!dwarf_cfi_addrframe(cfi, span.start, &frame))
				free(frame);
		dwarf_cfi_end(cfi);
	}
}
