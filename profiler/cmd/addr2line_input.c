/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/addr2line_input.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "symbolize/elf_image.h"
#include "symbolize/elf_symbols.h"

static bool is_loaded(const GElf_Shdr *sh)
{
	return sh->sh_flags & SHF_ALLOC && sh->sh_size && !(sh->sh_flags & SHF_TLS && sh->sh_type == SHT_NOBITS);
}

/* Headers alone: the bytes of a debug file's sections are in another file. */
static int read_sections(struct addr2line_input *in, const char *wanted)
{
	Elf_Scn *scn = NULL;
	size_t names;
	GElf_Shdr sh;

	if (elf_getshdrstrndx(in->elf->elf, &names) < 0)
		names = 0;
	while ((scn = elf_nextscn(in->elf->elf, scn))) {
		const char *name = gelf_getshdr(scn, &sh) ? elf_strptr(in->elf->elf, names, sh.sh_name) : NULL;
		struct addr2line_section s = { sh.sh_addr, is_loaded(&sh) ? sh.sh_size : 0, sh.sh_flags & SHF_EXECINSTR }, *slot;

		if (in->elf->section_at)
			elf_image_section_address(in->elf, (uint32_t)elf_ndxscn(scn), &s.address);
		if (wanted && name && !in->has_base && !strcmp(name, wanted)) {
			in->base = s;
			in->has_base = true;
		}
		if (!name || !s.size)
			continue;
		slot = vec_push(&in->sections);
		if (!slot)
			return -ENOMEM;
		*slot = s;
	}
	return wanted && !in->has_base ? -ENXIO : 0;
}

int addr2line_input_open(int fd, const char *section, struct addr2line_input *ret)
{
	int r;

	*ret = (struct addr2line_input){ 0 };
	r = elf_image_open(fd, &ret->elf);
	if (r >= 0)
		r = read_sections(ret, section);
	if (r < 0) {
		addr2line_input_fini(ret);
		*ret = (struct addr2line_input){ 0 };
		return r;
	}
	ret->is_64 = gelf_getclass(ret->elf->elf) == ELFCLASS64;
	return 0;
}

/* Too large: all ones, as strtoull() has it. */
static uint64_t number(const char *s)
{
	uint64_t v = 0;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		s += 2;
	for (; isxdigit((unsigned char)*s); s++) {
		unsigned int digit = *s <= '9' ? (unsigned int)(*s - '0') : (unsigned int)((*s | 0x20) - 'a' + 10);

		if (v >> 60)
			return UINT64_MAX;
		v = v << 4 | digit;
	}
	return v;
}

/* In an object file a symbol's value is what it has in its section. */
static uint64_t symbol_value(const struct addr2line_input *in, uint64_t address)
{
	if (in->elf->section_at)
		vec_foreach(s, &in->sections)
			if (address - s->address < s->size)
				return address - s->address;
	return address;
}

static bool find_symbol(struct addr2line_input *in, const char *name, size_t len, uint64_t *ret)
{
	if (!in->symbols_read)
		elf_symbols_add(in->elf, &in->symbols); /* out of memory: what is there is searched */
	in->symbols_read = true;
	vec_foreach(s, &in->symbols.v) {
		const char *known = symtab_str(&in->symbols, s->name);

		if (strncmp(known, name, len) || known[len])
			continue;
		*ret = symbol_value(in, s->addr);
		return true;
	}
	return false;
}

uint64_t addr2line_input_value(struct addr2line_input *in, const char *word)
{
	size_t len = strcspn(word, "+ \t\r\n");
	const char *plus = strchr(word, '+');
	uint64_t base;

	if (len && (plus || !isxdigit((unsigned char)*word)) && find_symbol(in, word, len, &base))
		return base + (plus ? strtoull(plus + 1, NULL, 0) : 0);
	return number(word + strspn(word, " \t"));
}

static int offset_in_object(const struct addr2line_input *in, uint64_t value, uint64_t *ret)
{
	vec_foreach(s, &in->sections)
		if (s->code && value < s->size) {
			*ret = s->address + value;
			return 0;
		}
	return -ENOENT;
}

int addr2line_input_address(const struct addr2line_input *in, uint64_t value, uint64_t *ret)
{
	bool inside = !in->sections.n; /* section headers were cut off */

	if (in->elf->section_at && !in->has_base)
		return offset_in_object(in, value, ret);
	vec_foreach(s, &in->sections)
		inside |= value >= s->address && value - s->address < s->size;
	if (in->has_base)
		inside = value < in->base.size;
	if (!inside)
		return -ENOENT;
	*ret = in->base.address + value;
	return 0;
}

void addr2line_input_fini(struct addr2line_input *in)
{
	symtab_fini(&in->symbols);
	vec_fini(&in->sections);
	elf_image_free(in->elf);
}
