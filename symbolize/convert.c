/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/convert.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "symbolize/dwarf/dwarf_scan.h"
#include "symbolize/elf_image.h"
#include "symbolize/elf_symbols.h"
#include "symbolize/minidebug.h"
#include "symbolize/symcache_build.h"
#include "symbolize/symtab.h"

/* An untyped or unsized symbol at the end of a section covers no more than this. */
#define MAX_UNSIZED (64 * KIB)

static int add_minidebug(const struct elf_image *img, struct symtab *t)
{
	struct minidebug *m;
	int r = minidebug_open(img, &m);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = elf_symbols_add(m->img, t);
	minidebug_free(m);
	return r;
}

/* Of one file; a damaged one has no symbols. */
static int add_symbols_of(int fd, struct symtab *t)
{
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	int r = fd < 0 ? -ENOENT : elf_image_open(fd, &img);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = elf_symbols_add(img, t);
	return r < 0 ? r : add_minidebug(img, t);
}

static int add_symbols(const struct convert_job *job, struct symcache_build *b, struct convert_stats *stats)
{
	struct symtab t = { 0 };
	int r = add_symbols_of(job->fd[CONVERT_IMAGE], &t);

	if (r >= 0)
		r = add_symbols_of(job->fd[CONVERT_DEBUG], &t);
	if (r >= 0) {
		symtab_finish(&t, MAX_UNSIZED);
		stats->symbols = t.v.n;
		r = symcache_build_symbols(b, &t);
	}
	symtab_fini(&t);
	return r;
}

static int add_dwarf(const struct convert_job *job, struct symcache_build *b, struct convert_stats *stats)
{
	const struct dwarf_files files = { .image = job->fd[CONVERT_IMAGE],
					   .debug = job->fd[CONVERT_DEBUG],
					   .alt = job->fd[CONVERT_ALT],
					   .dwp = job->fd[CONVERT_DWP],
					   .scratch = job->fd[CONVERT_SCRATCH] };
	struct dwarf_scan_stats scan = { 0 };
	int r = dwarf_scan(&files, b, &scan);

	stats->units = scan.units + scan.dwo_units;
	stats->damaged_units = scan.damaged_units;
	stats->missing_dwos = scan.missing_dwos;
	stats->nodes = scan.nodes;
	stats->ranges = scan.ranges;
	stats->rows = scan.rows;
	stats->budget_spent = scan.budget_spent;
	return r;
}

int convert_image(const struct convert_job *job, struct convert_stats *ret)
{
	_cleanup_(symcache_build_freep) struct symcache_build *b = NULL;
	struct convert_stats stats = { 0 };
	int r = symcache_build_new(&b);

	if (r >= 0)
		r = add_dwarf(job, b, &stats);
	/* Symbols come last: the scan has let go of its memory, and a builder that is full keeps what it has. */
	if (r >= 0 || r == -E2BIG)
		r = add_symbols(job, b, &stats);
	if (r >= 0 || r == -E2BIG)
		r = symcache_build_write(b, job->fd[CONVERT_OUT], &job->id);
	if (r >= 0)
		*ret = stats;
	return r;
}
