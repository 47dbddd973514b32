/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dwarf_dump [-d DEBUG] [-a ALT] [-p DWP] [-o DWO]... [-s SCRATCH] FILE: reads addresses (hex, one a line) and
 * prints for each "address" and a line "name\tfile\tline\tstart line" per frame, innermost first. -t: the
 * figures of the scan, on stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "fixture_symcache.h"
#include "symbolize/dwarf/dwarf_scan.h"
#include "symbolize/elf_image.h"
#include "symbolize/elf_symbols.h"
#include "symbolize/symtab.h"

static void print_frame(const char *name, const char *file, uint32_t line, uint32_t start)
{
	printf("%s\t%s\t%u\t%u\n", *name ? name : "??", *file ? file : "??", line, start);
}

static const char *symbol_at(const struct symtab *t, uint64_t address)
{
	const struct symbol *s = symtab_find(t, address);

	return s ? symtab_str(t, s->name) : "";
}

static void resolve(const struct symcache_build *b, const struct symtab *t, uint64_t address)
{
	const struct fixture_row *row = fixture_row_at(b, address);
	uint32_t node = fixture_node_at(b, address);
	const char *file = row ? fixture_file(b, row->file) : "";
	uint32_t line = row ? row->line : 0;

	printf("%llx\n", (unsigned long long)address);
	if (node == SYMCACHE_NONE)
		print_frame(symbol_at(t, address), file, line, 0);
	while (node != SYMCACHE_NONE) {
		const struct fixture_node *n = &b->nodes.v[node];
		const struct symcache_function *f = fixture_function(b, n->function);
		const char *name = strpool_str(&b->strings, f->linkage ? f->linkage : f->name);

		if (n->parent == SYMCACHE_NONE && *symbol_at(t, address))
			name = symbol_at(t, address);
		print_frame(name, file, line, f->line);
		file = fixture_file(b, n->call_file);
		line = n->call_line;
		node = n->parent;
	}
	printf("\n");
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

static void read_symbols(int fd, struct symtab *t)
{
	struct elf_image *img;

	if (fd < 0 || elf_image_open(fd, &img) < 0)
		return;
	elf_symbols_add(img, t);
	elf_image_free(img);
}

static void print_stats(const struct dwarf_scan_stats *s, double seconds)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	fprintf(stderr,
		"%.3f s, %ld MB peak; %lu units, %lu dwo, %lu damaged, %lu missing dwo; %lu dies, %lu nodes, "
		"%lu ranges, %lu dead; %lu sequences, %lu dead, %lu rows, %lu damaged; budget %s\n",
		seconds, ru.ru_maxrss / 1024, s->units, s->dwo_units, s->damaged_units, s->missing_dwos, s->dies,
		s->nodes, s->ranges, s->dead_ranges, s->sequences, s->dead_sequences, s->rows, s->damaged_lines,
		s->budget_spent ? "spent" : "kept");
}

int main(int argc, char **argv)
{
	struct dwarf_files files = { .image = -1, .debug = -1, .alt = -1, .dwp = -1, .scratch = -1 };
	static int dwos[4096];
	struct dwarf_scan_stats stats = { 0 };
	struct symcache_build *b;
	struct symtab t = { 0 };
	struct timespec t0, t1;
	bool timed = false;
	char line[64];
	int opt, r;

	files.dwos = dwos;
	while ((opt = getopt(argc, argv, "d:a:p:o:s:txe")) != -1) {
		switch (opt) {
		case 'd':
			files.debug = open_file(optarg);
			break;
		case 'a':
			files.alt = open_file(optarg);
			break;
		case 'p':
			files.dwp = open_file(optarg);
			break;
		case 'o':
			dwos[files.n_dwos++] = open_file(optarg);
			break;
		case 's':
			files.scratch = open(optarg, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
			break;
		case 't':
			timed = true;
			break;
		case 'e':
			files.exact = true;
			break;
		default:
			return 2;
		}
	}
	if (optind + 1 != argc)
		return 2;
	files.image = open_file(argv[optind]);
	if (symcache_build_new(&b) < 0)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &t0);
	r = dwarf_scan(&files, b, &stats);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	if (r < 0)
		fprintf(stderr, "dwarf_dump: %s: %s\n", argv[optind], strerror(-r));
	if (timed)
		print_stats(&stats, (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9);
	read_symbols(files.image, &t);
	read_symbols(files.debug, &t);
	symtab_finish(&t, 4096);
	while (fgets(line, sizeof(line), stdin))
		resolve(b, &t, strtoull(line, NULL, 16));
	symtab_fini(&t);
	symcache_build_free(b);
	return r < 0;
}
