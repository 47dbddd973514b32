/* SPDX-License-Identifier: Apache-2.0 */
/*
 * code_oracle rows|lengths FILE...
 *
 *	rows     functions that do have CFI, as if they had none: the rule that their instructions give (unwind/code_rows.h),
 *	         at each instruction reached, against the rule of the CFI
 *	lengths  every instruction that objdump shows: as long as we say
 *
 * Differences are printed, of a function the first. Status 1 when there are too many: of lengths one in 20,000, which
 * are data among the code; of rows one in 2,000. Those have one cause: what stands behind a call that does not return is reached by no path, or by another one with
 * another height (then the function is refused); a few in 100,000 functions are large enough for it to be the former.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "symbolize/elf_symbols.h"
#include "symbolize/symtab.h"
#include "unwind/code_rows.h"
#include "unwind/elf_cfi.h"
#include "unwind/rule_text.h"
#include "unwind/x86_bytes.h"
#include "unwind/x86_insn.h"

enum { EXAMPLES = 20 };

static struct code_state states[CODE_FUNCTION_MAX];
static uint32_t todo[CODE_FUNCTION_MAX];
static uint8_t bytes[CODE_FUNCTION_MAX];

static struct {
	uint64_t functions, refused, insns, covered, agree, differ;
} all;

struct subject {
	const char *path;
	struct elf_image *img;
	struct rows *rows;
	struct symtab symbols;
};

static int read_code(const struct elf_image *img, uint64_t address, uint32_t len)
{
	for (uint32_t i = 0; i < img->n_segments; i++) {
		const struct elf_segment *s = &img->segments[i];

		if ((s->flags & PF_X) && address - s->vaddr < s->filesz && len <= s->filesz - (address - s->vaddr))
			return elf_image_read(img, s->offset + (address - s->vaddr), bytes, len);
	}
	return -ENOENT;
}

static void complain(const struct subject *s, const char *name, uint64_t pc, const struct unwind_rule *ours, const struct unwind_rule *theirs)
{
	struct rule_text a = rule_text(ARCH_X86_64, ours), b = rule_text(ARCH_X86_64, theirs);

	if (all.differ++ < EXAMPLES)
		printf("%s: %s, pc 0x%lx: %s rbp %s from the code, %s rbp %s from CFI\n", s->path, name, pc, a.cfa, a.fp, b.cfa, b.fp);
}

/*
 * The same CFA, by whichever register, and the same rbp. Once that is loaded again it lies both in rbp and where it
 * was saved, and CFI goes on to say the latter. slot: where this function saves it.
 */
static bool same(const struct code_state *state, int32_t slot, const struct unwind_rule *theirs)
{
	int32_t cfa = unwind_cfa(theirs) == UNWIND_SP ? state->height : state->frame;

	if (cfa != theirs->cfa)
		return false;
	if (unwind_fp(theirs) == UNWIND_FP_SAME)
		return !state->saved;
	return slot && theirs->fp == -slot && (!state->saved || state->saved == slot);
}

static void compare(const struct subject *s, const struct symbol *sym)
{
	const char *name = symtab_str(&s->symbols, sym->name);
	uint64_t before = all.differ;
	int32_t slot = 0;

	for (uint32_t at = 0; at < sym->size; at++) {
		const struct unwind_rule *theirs = rows_find(s->rows, sym->addr + at);
		struct unwind_rule ours = code_rule(&states[at]);

		if (!states[at].len || !ours.how_cfa)
			continue;
		all.insns++;
		slot = states[at].saved ? states[at].saved : slot;
		if (unwind_cfa(theirs) != UNWIND_SP && unwind_cfa(theirs) != UNWIND_FP)
			continue;
		all.covered++;
		if (same(&states[at], slot, theirs))
			all.agree++;
		else if (all.differ == before)
			complain(s, name, sym->addr + at, &ours, theirs);
		else
			all.differ++;
	}
}

static void each_function(const struct subject *s)
{
	vec_foreach(sym, &s->symbols.v)
	{
		if (!sym->sized || !sym->size || sym->size > CODE_FUNCTION_MAX || strstr(symtab_str(&s->symbols, sym->name), ".cold") ||
		    read_code(s->img, sym->addr, sym->size) < 0 || !rows_find(s->rows, sym->addr)->how_cfa)
			continue;
		all.functions++;
		if (code_rows_find(bytes, sym->size, states, todo) < 0)
			all.refused++;
		else
			compare(s, sym);
	}
}

static void check_rows(const char *path)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct subject s = { .path = path };

	if (fd < 0 || elf_image_open(fd, &s.img) < 0 || elf_cfi_rows(s.img, ELF_CFI_EH_FRAME | ELF_CFI_DEBUG_FRAME, &s.rows) < 0 ||
	    elf_symbols_add(s.img, &s.symbols) < 0) {
		printf("%s: left out\n", path);
		return;
	}
	symtab_finish(&s.symbols, 4096);
	each_function(&s);
	symtab_fini(&s.symbols);
	rows_free(s.rows);
	elf_image_free(s.img);
}

/* ---- lengths ---- */

/* objdump's lines are "  401136:<tab>push   %rbp". Data among code shows as "(bad)", or as prefixes that belong to nothing. */
static bool is_data(const char *text)
{
	return strstr(text, "(bad)") || !strncmp(text, "rex", 3);
}

static void check_lengths(const char *path)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf_image *img;
	char command[512], line[512], last_text[256] = "";
	uint64_t last = 0, at;
	FILE *p;

	if (fd < 0 || elf_image_open(fd, &img) < 0) {
		printf("%s: left out\n", path);
		return;
	}
	snprintf(command, sizeof(command), "objdump -d --no-show-raw-insn '%s'", path);
	p = popen(command, "r");
	while (p && fgets(line, sizeof(line), p)) {
		char text[256] = "";
		struct x86_insn in;

		if (sscanf(line, " %lx:\t%255[^\n]", &at, text) != 2) {
			last = 0;
			continue;
		}
		if (last && at - last <= X86_MAX_BYTES && !is_data(last_text) && read_code(img, last, X86_MAX_BYTES) == 0) {
			int r = x86_decode(bytes, X86_MAX_BYTES, &in);

			all.insns++;
			if (r == 0 && in.len == at - last)
				all.agree++;
			else if (all.differ++ < EXAMPLES)
				printf("%s: 0x%lx %s: %d, objdump %lu\n", path, last, last_text, r < 0 ? r : in.len, at - last);
		}
		last = at;
		strcpy(last_text, text);
	}
	if (p)
		pclose(p);
	elf_image_free(img);
}

int main(int argc, char **argv)
{
	bool rows = argc > 1 && !strcmp(argv[1], "rows");

	for (int i = 2; i < argc; i++)
		rows ? check_rows(argv[i]) : check_lengths(argv[i]);
	if (rows)
		printf("%lu functions, %lu not understood; %lu instructions reached, CFI with a plain rule at %lu: %lu agree, %lu differ\n",
		       all.functions, all.refused, all.insns, all.covered, all.agree, all.differ);
	else
		printf("%lu instructions: %lu agree, %lu differ\n", all.insns, all.agree, all.differ);
	if (rows && all.refused > all.functions / 20)
		return 1;
	return !all.agree || all.differ > (rows ? all.covered / 2000 : all.insns / 20000);
}
