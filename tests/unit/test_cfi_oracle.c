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
#include "unwind/cfi_run.h"
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
	all.differences += (uint64_t)causes[cause].ours;
	if (all.causes[cause]++ < EXAMPLES || all.verbose)
		printf("%s: %s %s pc 0x%lx %s\n", causes[cause].name, s->path, s->section, pc, detail);
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

static bool is_marked(const struct subject *s, uint64_t pc, const struct unwind_rule *ours, const struct origin *o)
{
	for (uint32_t i = 0; i < s->marks.n; i++) {
		const struct mark *m = &s->marks.v[i];
		bool inside = pc < m->end || (m->function && o && o->fde->start == m->start);

		if (pc >= m->start && inside && !memcmp(ours, &m->rule, sizeof(*ours)))
			return true;
	}
	return false;
}

/* Where a reader that takes a zero length for the end stops. */
static size_t first_end(const struct cfi_section *sec)
{
	struct cfi_section s = *sec;
	struct cfi_entry e;
	size_t at = 0;

	s.ends_at_zero = true;
	while (cfi_next(&s, &at, &e) > 0)
		;
	return at;
}

/* libdw gives no frame. Ours may have one: of a function before its padding, or libdw is the poorer. */
static void check_uncovered(const struct subject *s, uint64_t pc, const struct unwind_rule *ours, const struct origin *o)
{
	const char *error = dwarf_errmsg(-1);
	struct cfi_cie cie;
	struct cfi_fde fde;
	bool found;

	if (unwind_cfa(ours) == UNWIND_INVALID || (!o && is_padding(s, pc)))
		return;
	found = o ? true : find_fde(s->cfi_section, pc, &cie, &fde);
	if (is_marked(s, pc, ours, o))
		differ(s, pc, CAUSE_MARK, error);
	else if (found && (o ? o->fde : &fde)->offset > first_end(s->cfi_section))
		differ(s, pc, CAUSE_LIBDW_ENDS_EARLY, error);
	else
		differ(s, pc, CAUSE_UNEXPLAINED, error);
}

static const char *const neither = "libdw has no answer either";

static enum cause cause_of_reason(enum unwind_why why, const char *what)
{
	switch (why) {
	case UNWIND_WHY_BAD_CODE:
		return what == neither ? CAUSE_BROKEN : CAUSE_UNEXPLAINED;
	case UNWIND_WHY_SP:
		return CAUSE_SP;
	case UNWIND_WHY_FP:
		return CAUSE_FP;
	case UNWIND_WHY_CFA_EXPRESSION:
		return CAUSE_CFA_EXPRESSION;
	default:
		return CAUSE_UNEXPLAINED;
	}
}

static void explain(const struct subject *s, uint64_t pc, const struct unwind_rule *ours, const char *what, const struct origin *o)
{
	uint16_t lr = arch_facts(s->rows->arch)->lr;
	struct cfi_cie cie;
	struct cfi_fde fde;
	struct origin found = { s->cfi_section, &cie, &fde };
	struct unwind_rule own;
	enum unwind_why why;

	if (!o && find_fde(s->cfi_section, pc, &cie, &fde))
		o = &found;
	why = o ? own_rule(o, pc, &own) : UNWIND_WHY_NONE;
	if (is_marked(s, pc, ours, o))
		differ(s, pc, CAUSE_MARK, what);
	else if (why != UNWIND_WHY_NONE)
		differ(s, pc, cause_of_reason(why, what), unwind_why_name(why));
	else if (o && memcmp(&own, ours, sizeof(own)))
		differ(s, pc, CAUSE_OVERLAP, what);
	else if (o && lr != ARCH_NO_REGISTER && o->cie->ra != lr)
		differ(s, pc, CAUSE_RETURN_COLUMN, what);
	else
		differ(s, pc, CAUSE_UNEXPLAINED, what);
}

static void check_pc(const struct subject *s, uint64_t pc, const struct origin *o)
{
	const struct unwind_rule *ours = rows_find(s->rows, pc);
	struct unwound mine, theirs;
	struct machine m;
	Dwarf_Frame *frame;
	const char *what;
	bool evaluated;

	all.pcs++;
	if (dwarf_cfi_addrframe(s->cfi, pc, &frame)) {
		check_uncovered(s, pc, ours, o);
		return;
	}
	all.covered++;
	machine_randomise(&m, s->rows->arch, pc, all.random);
	evaluated = eval_libdw(frame, &m, &theirs) >= 0;
	if (unwind_cfa(ours) == UNWIND_INVALID)
		what = evaluated ? "no rule of ours" : neither;
	else if (!evaluated)
		what = "an expression that the test does not evaluate";
	else
		what = compare((eval_rule(ours, &m, &mine), &mine), &theirs);
	free(frame);
	if (what)
		explain(s, pc, ours, what, o);
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
			printf("cause  %-16s %8lu pcs: %s\n", causes[i].name, all.causes[i], causes[i].text);
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
