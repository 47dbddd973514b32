/* SPDX-License-Identifier: Apache-2.0 */
/* Loading the kernel's, this program's and a JIT's names, and finding one in them. */
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "bench.h"
#include "symbolize/symbolizer.h"

enum { LOOKUPS = 100000 };

static struct sym_image *load(struct symbolizer *s, enum sym_kind kind)
{
	struct sym_source src = { .kind = kind, .fd = -1, .root_fd = -1, .path = "/proc/self/exe" };
	struct sym_image *img;

	if (kind == SYM_ELF)
		src.fd = open(src.path, O_RDONLY | O_CLOEXEC);
	if (symbolizer_load(s, &src, &img) < 0 || sym_image_error(img))
		abort();
	if (src.fd >= 0)
		close(src.fd);
	return img;
}

static struct symbolizer *make(void)
{
	struct symbolizer *s;

	if (symbolizer_new(NULL, &s) < 0)
		abort();
	return s;
}

BENCH(kallsyms_load, "load", 1)
{
	struct symbolizer_stats stats = { 0 };

	BENCH_LOOP(b) {
		struct symbolizer *s = make();

		load(s, SYM_KERNEL);
		symbolizer_stats(s, &stats);
		symbolizer_free(s);
	}
	bench_metric(b, "symbols", (double)stats.symbols);
	bench_metric(b, "bytes_per_symbol", (double)stats.table_bytes / (double)stats.symbols);
}

BENCH(elf_load, "load", 1)
{
	BENCH_LOOP(b) {
		struct symbolizer *s = make();

		load(s, SYM_ELF);
		symbolizer_free(s);
	}
}

/* First names of an image: its symbol tables, and one name. Nothing where the file is not installed. */
static void first_names(struct bench *b, const char *pattern)
{
	_cleanup_(closep) int fd = -1;
	struct symbolizer_stats stats = { 0 };
	struct sym_frame f;
	glob_t found;

	if (!glob(pattern, GLOB_TILDE, NULL, &found)) {
		fd = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
		globfree(&found);
	}
	if (fd < 0)
		return;
	BENCH_LOOP(b) {
		struct sym_source src = { .kind = SYM_ELF, .fd = fd, .root_fd = -1, .path = pattern };
		struct symbolizer *s = make();
		struct sym_image *img;

		if (symbolizer_load(s, &src, &img) < 0)
			abort();
		sym_image_resolve(img, 0x800000, &f, 1);
		symbolizer_stats(s, &stats);
		symbolizer_free(s);
	}
	bench_metric(b, "symbols", (double)stats.symbols);
}

BENCH(first_names_libjvm, "image", 1)
{
	first_names(b, "/usr/lib/jvm/java-17-openjdk-*/lib/server/libjvm.so");
}

BENCH(first_names_cc1plus, "image", 1)
{
	first_names(b, "/usr/lib/gcc/x86_64-linux-gnu/*/cc1plus");
}

BENCH(first_names_node, "image", 1)
{
	first_names(b, "/usr/bin/node");
}

BENCH(resolve_warm, "lookup", LOOKUPS)
{
	struct symbolizer *s = make();
	struct sym_image *img = load(s, SYM_ELF);
	struct sym_segment seg;
	struct sym_frame f;
	uint64_t code = 0, found = 0;

	/* The text of this very program: from its entry on there are functions. */
	for (uint64_t off = 0x1000; !code && off < 0x100000; off += 16)
		if (sym_image_resolve(img, off, &f, 1) == 1)
			code = off;
	if (sym_image_segment(img, code, &seg) < 0)
		abort();
	BENCH_LOOP(b) {
		uint64_t x = 1;

		for (int i = 0; i < LOOKUPS; i++) {
			x = x * 6364136223846793005ull + 1442695040888963407ull;
			found += sym_image_resolve(img, seg.offset + (x >> 33) % seg.size, &f, 1) == 1;
		}
	}
	bench_metric(b, "found_percent", 100.0 * (double)found / (double)(b->rounds * LOOKUPS));
	symbolizer_free(s);
}

enum { MAP_LINES = 200000, ROUND_LINES = 100 };

static void add_map_lines(int fd, uint64_t first, int n)
{
	_cleanup_(buf_fini) struct buf text = BUF_INIT;

	for (int i = 0; i < n; i++)
		buf_printf(&text, "%lx c0 JS:*function_%lu /srv/app/lib/module_%lu.js:%lu:17\n", 0x7f0000000000 + (first + i) * 0x100,
			   first + i, (first + i) % 500, (first + i) % 1000);
	if (buf_error(&text) || file_write_all(fd, text.data, text.len) < 0)
		abort();
}

static struct sym_image *load_map(struct symbolizer *s, int fd)
{
	struct sym_source src = { .kind = SYM_PERF_MAP, .key = 1, .fd = fd, .root_fd = -1, .path = "[anon]" };
	struct sym_image *img;

	if (symbolizer_load(s, &src, &img) < 0 || sym_image_error(img))
		abort();
	return img;
}

BENCH(perf_map_load, "line", MAP_LINES)
{
	_cleanup_(closep) int fd = memfd_create("map", MFD_CLOEXEC);
	struct symbolizer_stats stats = { 0 };

	add_map_lines(fd, 0, MAP_LINES);
	BENCH_LOOP(b) {
		struct symbolizer *s = make();

		load_map(s, fd);
		symbolizer_stats(s, &stats);
		symbolizer_free(s);
	}
	bench_metric(b, "bytes_per_line", (double)stats.table_bytes / MAP_LINES);
}

/* What a window costs once the map is known: a JIT that compiled a little more. */
BENCH(perf_map_round, "round", 1)
{
	_cleanup_(closep) int fd = memfd_create("map", MFD_CLOEXEC);
	struct symbolizer *s = make();
	uint64_t next = MAP_LINES;

	add_map_lines(fd, 0, MAP_LINES);
	load_map(s, fd);
	BENCH_LOOP(b) {
		add_map_lines(fd, next, ROUND_LINES);
		next += ROUND_LINES;
		symbolizer_trim(s, SIZE_MAX);
		load_map(s, fd);
	}
	symbolizer_free(s);
}
