/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/elf_symbols.h"

#include <errno.h>
#include <string.h>

#include "symbolize/elf_image.h"
#include "symbolize/minidebug.h"
#include "symbolize/symtab.h"

static enum symbol_rank rank_of(const GElf_Sym *sym)
{
	switch (GELF_ST_BIND(sym->st_info)) {
	case STB_GLOBAL:
		return SYMBOL_GLOBAL;
	case STB_WEAK:
		return SYMBOL_WEAK;
	default:
		return SYMBOL_LOCAL;
	}
}

static bool in_code(const struct elf_image *img, uint64_t addr)
{
	for (uint32_t i = 0; i < img->n_segments; i++) {
		const struct elf_segment *s = &img->segments[i];

		if ((s->flags & PF_X) && addr - s->vaddr < s->memsz)
			return true;
	}
	return false;
}

/* $x, $d and .L mark places for the assembler, they name nothing. */
static bool is_marker(const char *name)
{
	return name[0] == '\0' || name[0] == '$' || (name[0] == '.' && name[1] == 'L');
}

/* What is read: its addresses are held against img's segments (MiniDebugInfo need have none). */
struct source {
	const struct elf_image *img;
	uint64_t start, end; /* not from here to there */
	bool has_symtab;     /* which knows the same symbols, unsized ones among their neighbours */
};

/* Those of an object file count from their section. */
static bool place(const struct elf_image *from, GElf_Sym *sym)
{
	uint64_t at = 0;

	if (!from->section_at)
		return true;
	if (sym->st_shndx >= SHN_LORESERVE || !elf_image_section_address(from, sym->st_shndx, &at))
		return false;
	sym->st_value += at;
	return true;
}

static bool wanted(const struct source *src, const GElf_Sym *sym, bool dynamic)
{
	int type = GELF_ST_TYPE(sym->st_info);

	if (sym->st_shndx == SHN_UNDEF || !sym->st_value)
		return false;
	if (type != STT_FUNC && type != STT_GNU_IFUNC && (type != STT_NOTYPE || dynamic))
		return false;
	if (sym->st_value - src->start < src->end - src->start || (dynamic && !sym->st_size && src->has_symtab))
		return false;
	return !src->img->n_segments || in_code(src->img, sym->st_value);
}

static int add_table(const struct source *src, const struct elf_image *from, const char *name, struct symtab *t)
{
	bool dynamic = !strcmp(name, ".dynsym");
	GElf_Shdr sh;
	Elf_Scn *scn = elf_image_section(from, name, &sh);
	Elf_Data *data = scn ? elf_image_data(scn) : NULL;
	size_t n = data && sh.sh_entsize ? data->d_size / sh.sh_entsize : 0;
	GElf_Sym sym;

	for (size_t i = 1; i < n && i < INT32_MAX; i++) {
		const char *s;
		enum symbol_rank rank;

		if (!gelf_getsym(data, (int)i, &sym) || !place(from, &sym) || !wanted(src, &sym, dynamic))
			continue;
		s = elf_strptr(from->elf, sh.sh_link, sym.st_name);
		if (!s || is_marker(s))
			continue;
		rank = GELF_ST_TYPE(sym.st_info) == STT_NOTYPE ? SYMBOL_LOCAL : rank_of(&sym);
		/* A dynamic symbol without a size is a single address (_init, _fini aside): cover a byte. */
		if (symtab_add(t, sym.st_value, dynamic && !sym.st_size ? 1 : sym.st_size, s, strcspn(s, "@"), 0,
			       rank) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_minidebug(const struct source *src, struct symtab *t)
{
	struct minidebug *m;
	int r = minidebug_open(src->img, &m);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = add_table(src, m->img, ".symtab", t);
	minidebug_free(m);
	return r;
}

int elf_symbols_add_outside(const struct elf_image *img, struct symtab *t, uint64_t start, uint64_t end)
{
	struct source src = { .img = img, .start = start, .end = end };
	GElf_Shdr sh;
	int r;

	src.has_symtab = elf_image_section(img, ".symtab", &sh);
	r = src.has_symtab ? add_table(&src, img, ".symtab", t) : add_minidebug(&src, t);
	return r < 0 ? r : add_table(&src, img, ".dynsym", t);
}

int elf_symbols_add(const struct elf_image *img, struct symtab *t)
{
	return elf_symbols_add_outside(img, t, 0, 0);
}
