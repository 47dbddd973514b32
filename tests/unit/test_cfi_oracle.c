/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cfi_oracle [-s SECONDS] [-v] PATH...: our unwind rows against libdw's, on ELF files and folders of them.
 *
 * Every FDE's first and last pc, 200 random pcs of covered code and 200 of all code: a machine of random
 * registers and random memory is unwound one frame by our rule and by libdw's; CFA, return address and
 * frame pointer must be the same. Differences are counted by cause (cfi_causes.h); status 1 when one is
 * unexplained, or when those to our disadvantage are more than 1 in 10,000.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/units.h"
#include "cfi_causes.h"
#include "cfi_eval.h"
#include "unwind/elf_cfi.h"

enum { RANDOM_PCS = 200, PADDING = 15, EXAMPLES = 5 };

static struct {
	uint64_t files, skipped, failed, fdes, pcs, covered, differences, rows, why[UNWIND_WHY_MAX];
	uint64_t causes[CAUSE_N];
	uint64_t deadline_ns, random;
	bool verbose, out_of_time;
} all;

struct subject {
	const char *path, *section;
	struct rows *rows;
	Dwarf_CFI *cfi;
	const struct cfi_section *cfi_section;
	struct marks marks;
};

static uint64_t random_below(uint64_t n)
{
	all.random = all.random * 6364136223846793005ull + 1442695040888963407ull;
	return n ? hash_u64(all.random) % n : 0;
}

static void differ(const struct subject *s, uint64_t pc, enum cause cause, const char *detail)
{
	all.differences += (uint64_t)cause_info(cause)->ours;
	if (all.causes[cause]++ < EXAMPLES || all.verbose)
		printf("%s: %s %s pc 0x%lx %s\n", cause_info(cause)->name, s->path, s->section, pc, detail);
}

static bool is_padding(const struct subject *s, uint64_t pc)
{
	Dwarf_Frame *f;

	for (uint64_t back = 1; back <= PADDING + 1; back++)
		if (!dwarf_cfi_addrframe(s->cfi, pc - back, &f)) {
			free(f);
			return true;
		}
	return false;
}

/* What differs; NULL: nothing does. */
static const char *compare(const struct unwound *ours, const struct unwound *theirs)
{
	if (ours->stop != theirs->stop)
		return "end of stack differs";
	if (ours->stop)
		return NULL;
	if (ours->cfa != theirs->cfa)
		return "CFA differs";
	if (ours->ra != theirs->ra)
		return "return address differs";
	if (ours->fp_known != theirs->fp_known || (ours->fp_known && ours->fp != theirs->fp))
		return "frame pointer differs";
	return NULL;
}

static void explain(const struct subject *s, const struct difference *d, const char *what)
{
	enum unwind_why why;
	enum cause cause = cause_of(d, &why);

	differ(s, d->pc, cause, why == UNWIND_WHY_NONE ? what : unwind_why_name(why));
}

/* What differs where libdw has a frame; NULL: nothing does. */
static const char *compare_frame(const struct subject *s, struct difference *d, Dwarf_Frame *frame)
{
	struct unwound mine, theirs;
	struct machine m;
	int r;

	machine_randomise(&m, s->rows->arch, d->pc, all.random);
	r = eval_libdw(frame, &m, &theirs);
	d->libdw = r < 0 ? LIBDW_NO_CFA : LIBDW_DIFFERS;
	if (unwind_cfa(d->ours) == UNWIND_INVALID)
		return "no rule of ours";
	if (r < 0)
		return "an expression that the test does not evaluate";
	eval_rule(d->ours, &m, &mine);
	return compare(&mine, &theirs);
}

static void check_pc(const struct subject *s, uint64_t pc, const struct origin *o)
{
	struct difference d = { .pc = pc, .ours = rows_find(s->rows, pc), .section = s->cfi_section, .marks = &s->marks, .origin = o };
	const char *what;
	Dwarf_Frame *frame;

	all.pcs++;
	if (dwarf_cfi_addrframe(s->cfi, pc, &frame)) {
		what = dwarf_errmsg(-1);
		d.libdw = LIBDW_NO_FRAME;
		/* Ours may have one where a function's padding is. */
		if (unwind_cfa(d.ours) != UNWIND_INVALID && (o || !is_padding(s, pc)))
			explain(s, &d, what);
		return;
	}
	all.covered++;
	what = compare_frame(s, &d, frame);
	free(frame);
	if (what)
		explain(s, &d, what);
}

static void check_fde(const struct subject *s, const struct cfi_section *sec, const struct cfi_cie *cie, const struct cfi_fde *fde,
		      bool random)
{
	struct origin o = { sec, cie, fde };

	if (fde->start >= fde->end || fde->start < s->rows->base || fde->end > s->rows->end)
		return;
	if (random) {
		check_pc(s, fde->start + random_below(fde->end - fde->start), &o);
		return;
	}
	all.fdes++;
	check_pc(s, fde->start, &o);
	check_pc(s, fde->end - 1, &o);
}

static void check_section(const struct subject *s, const struct cfi_section *sec)
{
	struct cfi_cie cie = { 0 };
	struct cfi_fde fde;
	struct cfi_entry e;
	size_t at = 0, n = 0, cap = 0, *places = NULL;

	while (cfi_next(sec, &at, &e) > 0) {
		if (e.is_cie || origin_read(sec, e.offset, &cie, &fde) < 0)
			continue;
		if (n == cap)
			places = reallocarray(places, cap = cap ? 2 * cap : 1024, sizeof(*places));
		places[n++] = e.offset;
		check_fde(s, sec, &cie, &fde, false);
	}
	for (int i = 0; n && i < RANDOM_PCS; i++)
		if (!origin_read(sec, places[random_below(n)], &cie, &fde))
			check_fde(s, sec, &cie, &fde, true);
	for (int i = 0; i < RANDOM_PCS; i++)
		check_pc(s, s->rows->base + random_below(s->rows->end - s->rows->base), NULL);
	free(places);
}

static void check_kind(const char *path, const struct elf_image *img, unsigned int which)
{
	bool debug = which == ELF_CFI_DEBUG_FRAME;
	struct subject s = { .path = path, .section = debug ? ".debug_frame" : ".eh_frame" };
	Dwarf *dw = NULL;
	struct elf_cfi c = { .n = 0 };
	int r = elf_cfi_find(img, which, &c);

	if (r >= 0)
		r = marks_find(img, &c, &s.marks);
	if (r >= 0)
		r = elf_cfi_rows(img, which, &s.rows);
	if (r < 0) {
		elf_cfi_fini(&c);
		all.skipped += r == -ENOTSUP || r == -ENODATA;
		all.failed += r != -ENOTSUP && r != -ENODATA;
		if (r != -ENOTSUP && r != -ENODATA)
			printf("no table: %s %s: %s\n", path, s.section, strerror(-r));
		return;
	}
	if (debug)
		dw = dwarf_begin_elf(img->elf, DWARF_C_READ, NULL);
	s.cfi = debug ? dwarf_getcfi(dw) : dwarf_getcfi_elf(img->elf);
	s.cfi_section = &c.sections[0];
	if (s.cfi)
		check_section(&s, s.cfi_section);
	all.files++;
	all.rows += s.rows->stats.rows;
	for (int i = 0; i < UNWIND_WHY_MAX; i++)
		all.why[i] += s.rows->stats.why[i];
	elf_cfi_fini(&c);
	if (debug)
		dwarf_end(dw);
	else if (s.cfi)
		dwarf_cfi_end(s.cfi);
	rows_free(s.rows);
}

static void check_file(const char *path)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	char magic[4];

	if (fd < 0 || pread(fd, magic, 4, 0) != 4 || memcmp(magic, "\177ELF", 4) || elf_image_open(fd, &img) < 0)
		return;
	check_kind(path, img, ELF_CFI_EH_FRAME);
	check_kind(path, img, ELF_CFI_DEBUG_FRAME);
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *where)
{
	if (type == FTW_F && S_ISREG(st->st_mode))
		check_file(path);
	all.out_of_time = time_boot_ns() > all.deadline_ns;
	return all.out_of_time;
}

static int report(void)
{
	for (int i = 0; i < UNWIND_WHY_MAX; i++)
		if (all.why[i])
			printf("reason %-15s %9lu rows or FDEs\n", unwind_why_name(i), all.why[i]);
	for (int i = 0; i < CAUSE_N; i++)
		if (all.causes[i])
			printf("cause  %-16s %8lu pcs: %s\n", cause_info(i)->name, all.causes[i], cause_info(i)->text);
	printf("%lu sections (%lu absent or another machine's, %lu failed), %lu FDEs, %lu rows, %lu pcs, %lu of them covered: "
	       "%lu differences, %.5f %%, %lu unexplained%s\n",
	       all.files, all.skipped, all.failed, all.fdes, all.rows, all.pcs, all.covered, all.differences,
	       all.covered ? 100.0 * all.differences / all.covered : 0.0, all.causes[CAUSE_UNEXPLAINED],
	       all.out_of_time ? "; time is up" : "");
	return all.failed || all.causes[CAUSE_UNEXPLAINED] || !all.covered || all.differences * 10000 > all.covered;
}

int main(int argc, char **argv)
{
	int opt;

	all.deadline_ns = UINT64_MAX;
	all.random = 1;
	while ((opt = getopt(argc, argv, "s:v")) > 0) {
		if (opt == 'v')
			all.verbose = true;
		else if (opt == 's')
			all.deadline_ns = time_boot_ns() + strtoull(optarg, NULL, 10) * NSEC_PER_SEC;
		else
			return 2;
	}
	for (int i = optind; i < argc && !all.out_of_time; i++) {
		char *path = realpath(argv[i], NULL); /* a list may name links, and what is not installed */

		if (path)
			nftw(path, visit, 16, FTW_PHYS);
		free(path);
	}
	return report();
}
