/* SPDX-License-Identifier: Apache-2.0 */
/*
 * go_oracle FILE...: a Go binary's rows from its pclntab against those from its .debug_frame, at every pc.
 *
 * The Go linker writes both, for other readers and by other code. Only the CFA can be compared: .debug_frame
 * says nothing of rbp. Status 1: more than 1 pc in 10,000 differs, or there was nothing to compare.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "unwind/elf_cfi.h"
#include "unwind/rule_text.h"

enum { EXAMPLES = 10 };

struct tally {
	uint64_t pcs, equal, missing, differ;
	uint64_t special[16]; /* by enum unwind_cfa: where we know better than .debug_frame */
};

static struct rows *rows_of(const struct elf_image *img, unsigned int which)
{
	struct rows *t = NULL;

	elf_cfi_rows(img, which, &t);
	return t;
}

static void compare(const struct rows_span *theirs, uint64_t from, uint64_t to, const struct unwind_rule *ours,
		    struct tally *n)
{
	uint32_t cfa = unwind_cfa(ours);
	uint64_t pcs = to - from;

	n->pcs += pcs;
	if (cfa == unwind_cfa(theirs->rule) && ours->cfa == theirs->rule->cfa) {
		n->equal += pcs;
		return;
	}
	if (cfa == UNWIND_STOP || cfa == UNWIND_SIGNAL || cfa == UNWIND_FRAME) {
		n->special[cfa] += pcs;
		return;
	}
	*(cfa == UNWIND_INVALID ? &n->missing : &n->differ) += pcs;
	if (n->missing + n->differ - pcs < EXAMPLES)
		printf("0x%lx-0x%lx: %s, .debug_frame says %s\n", from, to, rule_text(ARCH_X86_64, ours).cfa,
		       rule_text(ARCH_X86_64, theirs->rule).cfa);
}

/* Both tables side by side: what of two spans overlaps. Before Go's code lies the PLT, of which pclntab says nothing. */
static void walk(const struct rows *ours, const struct rows *theirs, struct tally *n)
{
	struct rows_cursor a = { 0 }, b = { 0 };
	struct rows_span x = { 0 }, y = { 0 };
	bool more = rows_next(ours, &a, &x) && rows_next(theirs, &b, &y), begun = false;

	while (more) {
		uint64_t from = x.start > y.start ? x.start : y.start, to = x.end < y.end ? x.end : y.end;

		begun |= unwind_cfa(x.rule) != UNWIND_INVALID;
		if (begun && from < to && unwind_cfa(y.rule) != UNWIND_INVALID)
			compare(&y, from, to, x.rule, n);
		more = x.end <= y.end ? rows_next(ours, &a, &x) : rows_next(theirs, &b, &y);
	}
}

static bool check(const char *path)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	_cleanup_(rows_freep) struct rows *ours = NULL, *theirs = NULL;
	struct tally n = { 0 };

	if (fd < 0 || elf_image_open(fd, &img) < 0)
		return false;
	ours = rows_of(img, ELF_CFI_PCLNTAB);
	theirs = rows_of(img, ELF_CFI_DEBUG_FRAME);
	if (!ours || !theirs) {
		printf("%s: no %s\n", path, ours ? ".debug_frame" : "pclntab");
		return false;
	}
	walk(ours, theirs, &n);
	printf("%s: %lu functions, %lu pcs: %lu equal, %lu stop, %lu signal, %lu by frame pointer, %lu missing, %lu differ\n",
	       path, ours->stats.go_functions, n.pcs, n.equal, n.special[UNWIND_STOP], n.special[UNWIND_SIGNAL],
	       n.special[UNWIND_FRAME], n.missing, n.differ);
	return n.pcs > 100000 && (n.missing + n.differ) * 10000 <= n.pcs;
}

int main(int argc, char **argv)
{
	bool ok = argc > 1;

	for (int i = 1; i < argc; i++)
		ok = check(argv[i]) && ok;
	return !ok;
}
