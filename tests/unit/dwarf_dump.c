/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dwarf_dump [-d DEBUG] [-a ALT] [-p DWP] [-o DWO]... [-s SCRATCH] FILE: reads addresses (hex, one a line) and
 * prints for each "address" and a line "name\tfile\tline\tstart line" per frame, innermost first. -t: the
 * figures of the scan, on stderr. -e: sections in memory of their exact size. -w: prints instead what other
 * files are wanted, as "alt BUILD-ID PATH" and "dwo ID DIR NAME".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "symbolize/build_id.h"
#include "symbolize/dwarf/dwarf_scan.h"
#include "symbolize/dwarf/dwarf_wants.h"
#include "symbolize/elf_image.h"
#include "symbolize/elf_symbols.h"
#include "symbolize/symcache.h"
#include "symbolize/symcache_build.h"
#include "symbolize/symtab.h"

static void resolve(const struct symcache *c, uint64_t address)
{
	struct symcache_frame f[SYMCACHE_DEPTH_MAX + 1];
	int n = symcache_find(c, address, f, ARRAY_SIZE(f));

	printf("%llx\n", (unsigned long long)address);
	if (n < 0)
		printf("??\t??\t0\t0\n");
	for (int i = 0; i < n; i++) {
		const char *name = symcache_string(c, f[i].linkage ? f[i].linkage : f[i].name);
		const char *file = symcache_string(c, f[i].file);

		printf("%s\t%s\t%u\t%u\n", *name ? name : "??", *file ? file : "??", f[i].line, f[i].start_line);
	}
	printf("\n");
}

static int print_wants(const struct dwarf_files *files)
{
	char hex[BUILD_ID_HEX_LEN];
	struct dwarf_wants w;
	int r = dwarf_wants_read(files, &w);

	if (r < 0) {
		fprintf(stderr, "dwarf_dump: %s\n", strerror(-r));
		return 1;
	}
	if (w.alt)
		printf("alt %s %s\n", build_id_hex(&w.alt_id, hex), w.alt);
	vec_foreach (d, &w.dwos)
		printf("dwo %016lx %s %s\n", d->id, d->dir, d->name);
	dwarf_wants_fini(&w);
	return 0;
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

static double seconds_since(const struct timespec *t0)
{
	struct timespec t1;

	clock_gettime(CLOCK_MONOTONIC, &t1);
	return (double)(t1.tv_sec - t0->tv_sec) + (double)(t1.tv_nsec - t0->tv_nsec) / 1e9;
}

/* Pages of our own, which a limit on memory would count; those of the scratch file are not. */
static long anonymous_mb(void)
{
	long kb = 0;
	char line[128];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "RssAnon: %ld", &kb);
	if (f)
		fclose(f);
	return kb / 1024;
}

static void print_stats(const struct dwarf_scan_stats *s, double seconds)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	fprintf(stderr,
		"%.3f s, %ld MB peak, %ld MB anonymous at its end; %lu units, %lu dwo, %lu damaged, %lu missing dwo; %lu dies, %lu nodes, "
		"%lu ranges, %lu dead; %lu sequences, %lu dead, %lu rows, %lu damaged; %lu not relocated; budget %s\n",
		seconds, ru.ru_maxrss / 1024, anonymous_mb(), s->units, s->dwo_units, s->damaged_units, s->missing_dwos, s->dies,
		s->nodes, s->ranges, s->dead_ranges, s->sequences, s->dead_sequences, s->rows, s->damaged_lines, s->unrelocated,
		s->budget_spent ? "spent" : "kept");
}

struct options {
	struct dwarf_files files;
	bool timed, wants;
};

/* False: the usage is wrong. */
static bool parse(int argc, char **argv, struct options *ret)
{
	static int dwos[4096];
	struct dwarf_files files = { .image = -1, .debug = -1, .alt = -1, .dwp = -1, .scratch = -1, .dwos = dwos };
	bool timed = false, wants = false;
	int opt;

	while ((opt = getopt(argc, argv, "d:a:p:o:s:tew")) != -1) {
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
		case 'w':
			wants = true;
			break;
		default:
			return false;
		}
	}
	if (optind + 1 != argc)
		return false;
	files.image = open_file(argv[optind]);
	*ret = (struct options){ files, timed, wants };
	return true;
}

int main(int argc, char **argv)
{
	struct dwarf_scan_stats stats = { 0 };
	struct symcache_build *b;
	struct build_id id = { .kind = BUILD_ID_GNU, .len = 4 }; /* of no matter: the file is gone with us */
	struct symcache *c;
	struct symtab t = { 0 };
	struct timespec t0;
	struct options o;
	char line[64];
	int out, r;

	if (!parse(argc, argv, &o))
		return 2;
	if (o.wants)
		return print_wants(&o.files);
	if (symcache_build_new(&b) < 0)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &t0);
	r = dwarf_scan(&o.files, b, &stats);
	if (r < 0)
		fprintf(stderr, "dwarf_dump: %s: %s\n", argv[optind], strerror(-r));
	if (o.timed)
		print_stats(&stats, seconds_since(&t0));
	read_symbols(o.files.image, &t);
	read_symbols(o.files.debug, &t);
	symtab_finish(&t, 4096);
	out = memfd_create("symcache", MFD_CLOEXEC);
	fchmod(out, 0600); /* one that others can write to is refused */
	if (symcache_build_symbols(b, &t) < 0 || symcache_build_write(b, out, &id) < 0 || symcache_open(out, &id, &c) < 0) {
		fprintf(stderr, "dwarf_dump: no symcache\n");
		return 1;
	}
	if (o.timed)
		fprintf(stderr, "%.3f s with the file of %zu bytes\n", seconds_since(&t0), symcache_bytes(c));
	while (fgets(line, sizeof(line), stdin))
		resolve(c, strtoull(line, NULL, 16));
	symcache_free(c);
	symtab_fini(&t);
	symcache_build_free(b);
	return r < 0;
}
