/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf/sections.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "symbolize/dwarf/inflate.h"
#include "symbolize/dwarf/relocate.h"
#include "symbolize/elf_image.h"

static const char *const names[DWARF_SECTIONS] = {
	[DWARF_INFO] = "info",		   [DWARF_ABBREV] = "abbrev",
	[DWARF_STR] = "str",		   [DWARF_LINE] = "line",
	[DWARF_LINE_STR] = "line_str",	   [DWARF_RANGES] = "ranges",
	[DWARF_RNGLISTS] = "rnglists",	   [DWARF_ADDR] = "addr",
	[DWARF_STR_OFFSETS] = "str_offsets", [DWARF_CU_INDEX] = "cu_index",
};

/* DWARF_SECTIONS: none of ours. */
static enum dwarf_section_id section_of_name(const char *name, bool dwo, bool *ret_z)
{
	size_t len;

	*ret_z = !strncmp(name, ".zdebug_", 8);
	if (!*ret_z && strncmp(name, ".debug_", 7))
		return DWARF_SECTIONS;
	name += *ret_z ? 8 : 7;
	len = strlen(name);
	/* The index of a .dwp is the one section of it without the suffix. */
	if (dwo && !strcmp(name, names[DWARF_CU_INDEX]))
		return DWARF_CU_INDEX;
	if ((len > 4 && !strcmp(name + len - 4, ".dwo")) != dwo)
		return DWARF_SECTIONS;
	len -= dwo ? 4 : 0;
	for (enum dwarf_section_id i = 0; i < DWARF_CU_INDEX; i++)
		if (strlen(names[i]) == len && !memcmp(names[i], name, len))
			return i;
	return DWARF_SECTIONS;
}

static int inflate_section(struct dwarf_store *st, bool z, bool elf64, struct dwarf_section *io)
{
	uint32_t source = st->mappings.n - 1; /* of the packed bytes, let go when they are inflated */
	struct bytes b = dwarf_section_bytes(*io);
	struct inflate_header h;
	uint8_t *out = NULL;
	int r = inflate_header_read(&b, z, elf64, &h);

	if (r < 0)
		return r;
	if (!h.len) {
		*io = (struct dwarf_section){ 0 };
		return 0;
	}
	r = dwarf_store_bytes(st, h.len, &out);
	if (!r)
		r = inflate_bytes(&b, h.how, out, h.len, st->mappings.v[st->mappings.n - 1].file);
	if (r < 0)
		return r;
	*io = (struct dwarf_section){ out, h.len };
	dwarf_store_let_go(st, source);
	return 0;
}

static int load(struct dwarf_store *st, const struct elf_image *img, const GElf_Shdr *sh, bool z,
		uint64_t file_size, struct dwarf_section *ret)
{
	struct dwarf_section s;
	int r;

	if (sh->sh_type == SHT_NOBITS || !sh->sh_size)
		return 0;
	if (sh->sh_offset > file_size || sh->sh_size > file_size - sh->sh_offset)
		return -EBADMSG;
	r = dwarf_store_map(st, img->fd, sh->sh_offset, sh->sh_size, &s);
	if (!r && (z || (sh->sh_flags & SHF_COMPRESSED)))
		r = inflate_section(st, z, gelf_getclass(img->elf) == ELFCLASS64, &s);
	if (!r)
		*ret = s;
	return r;
}

/* An object file's sections wait for their relocations; the other kinds have none. */
static bool is_relocated(const struct elf_image *img, enum dwarf_object_kind kind)
{
	return img->section_at && kind == DWARF_LINKED;
}

static int supported(const struct elf_image *img, enum dwarf_object_kind kind)
{
	GElf_Ehdr eh;

	if (!gelf_getehdr(img->elf, &eh))
		return -EBADMSG;
	if (eh.e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOTSUP;
	if (is_relocated(img, kind) && (eh.e_ident[EI_CLASS] != ELFCLASS64 || (eh.e_machine != EM_X86_64 && eh.e_machine != EM_AARCH64)))
		return -ENOTSUP;
	return 0;
}

/*
 * GCC gives each type unit of an object file or .dwo a .debug_info of its own, before the one with the code. Types are
 * not wanted: a section of nothing else is passed over.
 */
static bool of_types(struct dwarf_section info)
{
	struct bytes b = dwarf_section_bytes(info);

	while (bytes_left(&b)) {
		uint64_t len = bytes_uint(&b, 4);
		struct bytes unit;
		uint8_t type;

		if (len == 0xffffffff)
			len = bytes_uint(&b, 8);
		unit = b;
		if (bytes_uint(&unit, 2) != 5 || !bytes_take(&b, len))
			return false;
		type = bytes_u8(&unit);
		if (type != DW_UT_split_type && type != DW_UT_type)
			return false;
	}
	return info.len > 0;
}

struct loaded {
	size_t index[DWARF_SECTIONS]; /* in the file; 0: none */
};

static int relocate_section(struct dwarf_store *st, const struct elf_image *img, const GElf_Shdr *rela, const GElf_Shdr *symbols,
			    uint64_t file_size, struct dwarf_section *io)
{
	struct dwarf_section s[2] = { 0 };
	uint8_t *copy = NULL;
	GElf_Ehdr eh;
	int r = load(st, img, rela, false, file_size, &s[0]);

	if (!r)
		r = load(st, img, symbols, false, file_size, &s[1]);
	if (!r)
		r = dwarf_store_bytes(st, io->len, &copy);
	if (r < 0)
		return r;
	memcpy(copy, io->data, io->len);
	gelf_getehdr(img->elf, &eh);
	st->unrelocated += relocate(&(struct relocations){ img, eh.e_machine, dwarf_section_bytes(s[0]), dwarf_section_bytes(s[1]) }, copy, io->len);
	*io = (struct dwarf_section){ copy, io->len };
	return 0;
}

static int relocate_all(struct dwarf_store *st, const struct elf_image *img, const struct loaded *where, uint64_t file_size,
			struct dwarf_object *o)
{
	GElf_Shdr rela, symbols;
	int r = 0;

	for (enum dwarf_section_id i = 0; i < DWARF_SECTIONS && !r; i++)
		if (o->s[i].len && relocations_find(img, where->index[i], &rela, &symbols))
			r = relocate_section(st, img, &rela, &symbols, file_size, &o->s[i]);
	return r;
}

static int load_all(struct dwarf_store *st, const struct elf_image *img, uint32_t which, uint64_t file_size,
		    struct dwarf_object *o)
{
	bool relocated = is_relocated(img, o->kind);
	struct loaded where = { 0 };
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	size_t strings;
	int r = supported(img, o->kind);

	if (r < 0)
		return r;
	if (elf_getshdrstrndx(img->elf, &strings) < 0)
		return -ENODATA; /* no section headers at all */
	while ((scn = elf_nextscn(img->elf, scn))) {
		const char *name = gelf_getshdr(scn, &sh) ? elf_strptr(img->elf, strings, sh.sh_name) : NULL;
		uint32_t mapped = st->mappings.n;
		enum dwarf_section_id id;
		bool z;

		if (!name)
			continue;
		id = section_of_name(name, o->kind == DWARF_SPLIT, &z);
		if (id == DWARF_SECTIONS || !(which & (1u << id)) || o->s[id].len)
			continue;
		r = load(st, img, &sh, z, file_size, &o->s[id]);
		/* A damaged section is an absent one, unless nothing can be read without it. */
		if (r < 0 && (r != -EBADMSG || id == DWARF_INFO || id == DWARF_ABBREV))
			return r;
		where.index[id] = elf_ndxscn(scn);
		if (id == DWARF_INFO && (o->kind == DWARF_SPLIT || relocated) && of_types(o->s[id])) {
			o->s[id] = (struct dwarf_section){ 0 };
			dwarf_store_forget(st, mapped);
		}
	}
	return relocated ? relocate_all(st, img, &where, file_size, o) : 0;
}

int dwarf_object_open(struct dwarf_store *st, int fd, enum dwarf_object_kind kind, uint32_t which,
		      struct dwarf_object *ret)
{
	struct dwarf_object o = { .kind = kind, .id = ret->id, .alt = ret->alt };
	struct elf_image *img;
	struct stat sb;
	int r;

	if (fstat(fd, &sb) < 0)
		return -errno;
	r = elf_image_open(fd, &img);
	if (r < 0)
		return r;
	r = load_all(st, img, which, (uint64_t)sb.st_size, &o);
	elf_image_free(img);
	if (!r)
		*ret = o;
	return r;
}
