/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf/relocate.h"

#include <elf.h>
#include <string.h>

#include "symbolize/elf_image.h"

enum { UNKNOWN = -1 };

/* Bytes that are changed; 0: none are, and nothing is lost by that. */
static int width_of(uint16_t machine, uint32_t type)
{
	if (machine == EM_X86_64) {
		switch (type) {
		case R_X86_64_64:
			return 8;
		case R_X86_64_32:
		case R_X86_64_32S:
			return 4;
		case R_X86_64_NONE:
		case R_X86_64_DTPOFF32:
		case R_X86_64_DTPOFF64:
			return 0;
		}
	} else if (machine == EM_AARCH64) {
		switch (type) {
		case R_AARCH64_ABS64:
			return 8;
		case R_AARCH64_ABS32:
			return 4;
		case R_AARCH64_NONE:
		case R_AARCH64_TLS_DTPREL:
			return 0;
		}
	}
	return UNKNOWN;
}

static bool symbol_value(const struct relocations *r, uint32_t index, uint64_t *ret)
{
	Elf64_Sym sym;
	uint64_t at = 0;
	bool known;

	if (index >= bytes_left(&r->symbols) / sizeof(sym))
		return false;
	memcpy(&sym, r->symbols.at + index * sizeof(sym), sizeof(sym));
	if (sym.st_shndx < SHN_LORESERVE && !elf_image_section_address(r->img, sym.st_shndx, &at))
		return false;
	known = sym.st_shndx < SHN_LORESERVE || sym.st_shndx == SHN_ABS;
	*ret = known ? sym.st_value + at : 0;
	return known || sym.st_shndx == SHN_COMMON; /* variables that only a linker gives a place */
}

static bool apply(const struct relocations *r, const Elf64_Rela *rela, uint8_t *section, uint64_t len)
{
	int width = width_of(r->machine, ELF64_R_TYPE(rela->r_info));
	uint64_t value;

	if (width <= 0)
		return width == 0;
	if (rela->r_offset > len || (uint64_t)width > len - rela->r_offset || !symbol_value(r, ELF64_R_SYM(rela->r_info), &value))
		return false;
	value += (uint64_t)rela->r_addend;
	memcpy(section + rela->r_offset, &value, (size_t)width);
	return true;
}

uint64_t relocate(const struct relocations *r, uint8_t *section, uint64_t len)
{
	struct bytes b = r->rela;
	uint64_t undone = 0;
	Elf64_Rela rela;

	while (bytes_left(&b) >= sizeof(rela)) {
		memcpy(&rela, bytes_take(&b, sizeof(rela)), sizeof(rela));
		undone += !apply(r, &rela, section, len);
	}
	return undone;
}

bool relocations_find(const struct elf_image *img, size_t section, GElf_Shdr *ret_rela, GElf_Shdr *ret_symbols)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(img->elf, scn))) {
		if (!gelf_getshdr(scn, ret_rela) || ret_rela->sh_type != SHT_RELA || ret_rela->sh_info != section)
			continue;
		scn = elf_getscn(img->elf, ret_rela->sh_link);
		return scn && gelf_getshdr(scn, ret_symbols) && ret_symbols->sh_type == SHT_SYMTAB;
	}
	return false;
}
