/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cfi_oracle [-s SECONDS] [-v] PATH...: our unwind rows against libdw's, on ELF files and folders of them.
 *
 * Every FDE's first and last pc, 200 random pcs of covered code and 200 of all code: a machine of random
 * registers and random memory is unwound one frame by our rule and by libdw's; CFA, return address and
 * rbp must be the same. Differences are printed by cause; status 1 when one is unexplained, or when they
 * are more than 1 in 10,000.
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
#include "cfi_eval.h"
#include "unwind/cfi_run.h"
#include "unwind/elf_cfi.h"

enum { RANDOM_PCS = 200, PADDING = 15, EXAMPLES = 5 };

/* What a difference is put down to; those before UNEXPLAINED are understood. */
enum cause {
	CAUSE_LIBDW,   /* libdw has no answer where we have one: it refuses an FDE or finds none */
	CAUSE_UNSUPPORTED, /* no rule for this shape, as unwind_why says */
	CAUSE_OVERLAP, /* two FDEs cover the pc and we took the other one */
	CAUSE_UNEXPLAINED,
	CAUSE_CFA = CAUSE_UNEXPLAINED,
	CAUSE_RA,
	CAUSE_FP,
	CAUSE_STOP,
	CAUSE_MISSING,
	CAUSE_N,
};

static const char *const cause_names[] = { "libdw has none", "unsupported", "overlapping FDEs", "CFA differs",
					    "return address differs", "rbp differs", "end of stack differs", "no rule of ours" };

static struct {
	uint64_t files, skipped, failed, fdes, pcs, covered, differences, rows, why[UNWIND_WHY_MAX];
	uint64_t causes[CAUSE_N];
	uint64_t deadline_ns, random, unsupported[UNWIND_WHY_MAX + 1];
	bool verbose, out_of_time;
} all;

struct subject {
	const char *path, *section;
	struct rows *rows;
	Dwarf_CFI *cfi;
	const struct cfi_section *cfi_section;
};

static uint64_t random_below(uint64_t n)
{
	all.random = all.random * 6364136223846793005ull + 1442695040888963407ull;
	return n ? hash_u64(all.random) % n : 0;
}

static void differ(const struct subject *s, uint64_t pc, enum cause cause, const char *detail)
{
	all.differences += cause != CAUSE_LIBDW;
	if (all.causes[cause]++ < EXAMPLES || all.verbose)
		printf("%s: %s %s pc 0x%lx %s\n", cause_names[cause], s->path, s->section, pc, detail);
}

/* The FDE that a pc was taken from: its own rule, as if no other FDE existed. */
struct origin {
	const struct cfi_section *section;
	const struct cfi_cie *cie;
	const struct cfi_fde *fde;
};

static enum unwind_why own_rule(const struct origin *o, uint64_t pc, struct unwind_rule *ret)
{
	static struct cfi_run run;
	enum unwind_why why = UNWIND_WHY_BAD_CODE;
	struct cfi_row row;

	*ret = (struct unwind_rule){ 0 };
	cfi_run_begin(&run, o->section, o->cie, o->fde);
	while (cfi_run_next(&run, &row) > 0)
		if (pc >= row.start && pc < row.end) {
			*ret = rule_of(o->section->arch, row.state, o->cie->signal, &why);
			return why;
		}
	return why;
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

/* libdw gives no frame. Ours may have one: of a function before its padding, or libdw is the poorer. */
static void check_uncovered(const struct subject *s, uint64_t pc, const struct unwind_rule *ours, const struct origin *o)
{
	if (unwind_cfa(ours) != UNWIND_INVALID && (o || !is_padding(s, pc)))
		differ(s, pc, CAUSE_LIBDW, dwarf_errmsg(-1));
}

static enum cause compare(const struct unwound *ours, const struct unwound *theirs)
{
	if (ours->stop != theirs->stop)
		return CAUSE_STOP;
	if (ours->stop)
		return CAUSE_N;
	if (ours->cfa != theirs->cfa)
		return CAUSE_CFA;
	if (ours->ra != theirs->ra)
		return CAUSE_RA;
	if (ours->fp_known != theirs->fp_known || (ours->fp_known && ours->fp != theirs->fp))
		return CAUSE_FP;
	return CAUSE_N;
}

static int read_fde(const struct cfi_section *sec, size_t at, struct cfi_cie *cie, struct cfi_fde *fde)
{
	struct cfi_entry e;
	int r = cfi_next(sec, &at, &e);

	if (r <= 0 || e.is_cie)
		return -ENODATA;
	if (cie->offset != e.cie || !cie->code_align)
		r = cfi_cie_read(sec, e.cie, cie);
	return r < 0 ? r : cfi_fde_read(sec, &e, cie, fde);
}

/* The FDE of a random pc; the one that starts last when there are several. */
static bool find_fde(const struct cfi_section *sec, uint64_t pc, struct cfi_cie *cie, struct cfi_fde *ret)
{
	struct cfi_cie at_hand = { 0 };
	struct cfi_fde fde;
	struct cfi_entry e;
	bool found = false;
	size_t at = 0;

	while (cfi_next(sec, &at, &e) > 0) {
		if (e.is_cie || read_fde(sec, e.offset, &at_hand, &fde) < 0 || pc < fde.start || pc >= fde.end ||
		    (found && fde.start < ret->start))
			continue;
		*cie = at_hand;
		*ret = fde;
		found = true;
	}
	return found;
}

static void explain(const struct subject *s, uint64_t pc, const struct unwind_rule *ours, enum cause cause, const struct origin *o)
{
	struct cfi_cie cie;
	struct cfi_fde fde;
	struct origin found = { s->cfi_section, &cie, &fde };
	struct unwind_rule own;
	enum unwind_why why;

	if (!o && find_fde(s->cfi_section, pc, &cie, &fde))
		o = &found;
	why = o ? own_rule(o, pc, &own) : UNWIND_WHY_NONE;
	if (why != UNWIND_WHY_NONE) {
		all.unsupported[why]++;
		differ(s, pc, CAUSE_UNSUPPORTED, unwind_why_name(why));
	} else if (o && memcmp(&own, ours, sizeof(own))) {
		differ(s, pc, CAUSE_OVERLAP, "");
	} else {
		differ(s, pc, cause, "");
	}
}

static void check_pc(const struct subject *s, uint64_t pc, const struct origin *o)
{
	const struct unwind_rule *ours = rows_find(s->rows, pc);
	struct unwound mine, theirs;
	struct machine m;
	enum cause cause;
	Dwarf_Frame *frame;

	all.pcs++;
	if (dwarf_cfi_addrframe(s->cfi, pc, &frame)) {
		check_uncovered(s, pc, ours, o);
		return;
	}
	all.covered++;
	machine_randomise(&m, s->rows->arch, pc, all.random);
	if (eval_libdw(frame, &m, &theirs) < 0)
		cause = unwind_cfa(ours) == UNWIND_INVALID ? CAUSE_N : CAUSE_LIBDW;
	else if (unwind_cfa(ours) == UNWIND_INVALID)
		cause = CAUSE_MISSING;
	else
		cause = compare((eval_rule(ours, &m, &mine), &mine), &theirs);
	free(frame);
	if (cause == CAUSE_LIBDW)
		differ(s, pc, cause, "an expression the test does not evaluate");
	else if (cause != CAUSE_N)
		explain(s, pc, ours, cause, o);
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
		if (e.is_cie || read_fde(sec, e.offset, &cie, &fde) < 0)
			continue;
		if (n == cap)
			places = reallocarray(places, cap = cap ? 2 * cap : 1024, sizeof(*places));
		places[n++] = e.offset;
		check_fde(s, sec, &cie, &fde, false);
	}
	for (int i = 0; n && i < RANDOM_PCS; i++)
		if (!read_fde(sec, places[random_below(n)], &cie, &fde))
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
	uint64_t unexplained = 0;

	for (int i = 0; i < UNWIND_WHY_MAX; i++)
		if (all.why[i])
			printf("reason %-15s %9lu rows or FDEs, %lu pcs asked\n", unwind_why_name(i), all.why[i], all.unsupported[i]);
	for (int i = 0; i < CAUSE_N; i++) {
		if (all.causes[i])
			printf("cause  %-25s %9lu pcs\n", cause_names[i], all.causes[i]);
		if (i >= CAUSE_UNEXPLAINED)
			unexplained += all.causes[i];
	}
	printf("%lu sections (%lu absent or another machine's, %lu failed), %lu FDEs, %lu rows, %lu pcs, %lu of them covered: "
	       "%lu differences, %.5f %%, %lu unexplained%s\n",
	       all.files, all.skipped, all.failed, all.fdes, all.rows, all.pcs, all.covered, all.differences,
	       all.covered ? 100.0 * all.differences / all.covered : 0.0, unexplained, all.out_of_time ? "; time is up" : "");
	return all.failed || unexplained || !all.covered || all.differences * 10000 > all.covered;
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
