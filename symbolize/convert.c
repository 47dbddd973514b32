/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/convert.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "base/vec.h"
#include "symbolize/dwarf/dwarf_scan.h"
#include "symbolize/dwarf/dwarf_wants.h"
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

struct dwos {
	vec(int) fds;
};

static void dwos_fini(struct dwos *d)
{
	vec_foreach(fd, &d->fds)
		close(*fd);
	vec_fini(&d->fds);
}

static int same_dwo(const struct dwarf_dwo *a, const struct dwarf_dwo *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->dir, b->dir);
}

/* The .dwo files of skeleton units, where no package has them. One that is not found is a unit that is missing. */
static int open_dwos(const struct convert_job *job, const struct dwarf_files *files, struct dwos *ret)
{
	struct dwarf_wants wants;
	int r = dwarf_wants_read(files, &wants);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (uint32_t i = 0; i < wants.dwos.n && r >= 0; i++) {
		const struct dwarf_dwo *d = &wants.dwos.v[i];
		int *slot, fd = i && same_dwo(d, d - 1) ? -EEXIST : job->open_dwo(job->ctx, d->dir, d->name);

		if (fd < 0)
			continue;
		slot = vec_push(&ret->fds);
		if (slot)
			*slot = fd;
		else
			close(fd);
		r = slot ? 0 : -ENOMEM;
	}
	dwarf_wants_fini(&wants);
	return r;
}

static int add_dwarf(const struct convert_job *job, struct symcache_build *b, struct convert_stats *stats)
{
	struct dwarf_files files = { .image = job->fd[CONVERT_IMAGE],
				     .debug = job->fd[CONVERT_DEBUG],
				     .alt = job->fd[CONVERT_ALT],
				     .dwp = job->fd[CONVERT_DWP],
				     .scratch = job->fd[CONVERT_SCRATCH] };
	_cleanup_(dwos_fini) struct dwos dwos = { 0 };
	struct dwarf_scan_stats scan = { 0 };
	int r = files.dwp < 0 && job->open_dwo ? open_dwos(job, &files, &dwos) : 0;

	if (r < 0)
		return r;
	files.dwos = dwos.fds.v;
	files.n_dwos = dwos.fds.n;
	r = dwarf_scan(&files, b, &scan);
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
