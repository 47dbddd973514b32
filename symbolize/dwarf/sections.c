/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf/sections.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolize/dwarf/inflate.h"
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

static int keep(struct dwarf_store *st, void *at, size_t len, bool heap, bool file)
{
	struct dwarf_mapping *m = vec_push(&st->mappings);

	if (m) {
		*m = (struct dwarf_mapping){ .at = at, .len = len, .heap = heap, .file = file };
		return 0;
	}
	if (heap)
		free(at);
	else
		munmap(at, len);
	return -ENOMEM;
}

static void drop(struct dwarf_mapping *m)
{
	if (m->heap)
		free(m->at);
	else
		munmap(m->at, m->len);
}

static int heap_bytes(struct dwarf_store *st, uint64_t len, uint8_t **ret)
{
	uint8_t *p = malloc(len);
	int r = p ? keep(st, p, len, true, false) : -ENOMEM;

	if (!r)
		*ret = p;
	return r;
}

/* Bytes of a file; pages are shared with the page cache, and let go under pressure. */
static int map_file(struct dwarf_store *st, int fd, uint64_t offset, uint64_t len, struct dwarf_section *ret)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), skip = offset % page;
	uint8_t *at, *copy = NULL;
	int r;

	at = mmap(NULL, len + skip, PROT_READ, MAP_PRIVATE, fd, (off_t)(offset - skip));
	if (at == MAP_FAILED)
		return -errno;
	r = keep(st, at, len + skip, false, true);
	if (r < 0)
		return r;
	if (st->exact) {
		r = heap_bytes(st, len, &copy);
		if (r < 0)
			return r;
		memcpy(copy, at + skip, len);
		*ret = (struct dwarf_section){ copy, len };
		return 0;
	}
	*ret = (struct dwarf_section){ at + skip, len };
	return 0;
}

/* Room for an inflated section. */
static int scratch_bytes(struct dwarf_store *st, uint64_t len, uint8_t **ret)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t offset = (st->scratch_len + page - 1) / page * page;
	uint8_t *at;
	int r;

	if (len > st->inflated_max - st->inflated)
		return -EFBIG;
	st->inflated += len;
	if (st->exact)
		return heap_bytes(st, len, ret);
	if (st->scratch < 0) {
		at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	} else {
		if (ftruncate(st->scratch, (off_t)(offset + len)) < 0)
			return -errno;
		st->scratch_len = offset + len;
		at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, st->scratch, (off_t)offset);
	}
	if (at == MAP_FAILED)
		return -errno;
	r = keep(st, at, len, false, st->scratch >= 0);
	if (!r)
		*ret = at;
	return r;
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
	r = scratch_bytes(st, h.len, &out);
	if (!r)
		r = inflate_bytes(&b, h.how, out, h.len, st->mappings.v[st->mappings.n - 1].file);
	if (r < 0)
		return r;
	*io = (struct dwarf_section){ out, h.len };
	drop(&st->mappings.v[source]);
	st->mappings.v[source] = (struct dwarf_mapping){ .heap = true };
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
	r = map_file(st, img->fd, sh->sh_offset, sh->sh_size, &s);
	if (!r && (z || (sh->sh_flags & SHF_COMPRESSED)))
		r = inflate_section(st, z, gelf_getclass(img->elf) == ELFCLASS64, &s);
	if (!r)
		*ret = s;
	return r;
}

static int supported(const struct elf_image *img, enum dwarf_object_kind kind)
{
	GElf_Ehdr eh;

	if (!gelf_getehdr(img->elf, &eh))
		return -EBADMSG;
	/* An object file's sections wait for their relocations; the other kinds have none. */
	if (eh.e_ident[EI_DATA] != ELFDATA2LSB || (eh.e_type == ET_REL && kind == DWARF_LINKED))
		return -ENOTSUP;
	return 0;
}

/*
 * GCC gives each type unit of a .dwo a .debug_info.dwo of its own, before the one with the code. Types are not
 * wanted: a section of nothing else is passed over.
 */
static bool of_types(struct dwarf_section info)
{
	struct bytes b = dwarf_section_bytes(info);

	while (bytes_left(&b)) {
		uint64_t len = bytes_uint(&b, 4);
		struct bytes unit;

		if (len == 0xffffffff)
			len = bytes_uint(&b, 8);
		unit = b;
		if (bytes_uint(&unit, 2) != 5 || bytes_u8(&unit) != DW_UT_split_type || !bytes_take(&b, len))
			return false;
	}
	return info.len > 0;
}

/* What was mapped since there were n. */
static void forget(struct dwarf_store *st, uint32_t n)
{
	while (st->mappings.n > n)
		drop(&st->mappings.v[--st->mappings.n]);
}

static int load_all(struct dwarf_store *st, const struct elf_image *img, uint32_t which, uint64_t file_size,
		    struct dwarf_object *o)
{
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
		if (id == DWARF_INFO && o->kind == DWARF_SPLIT && of_types(o->s[id])) {
			o->s[id] = (struct dwarf_section){ 0 };
			forget(st, mapped);
		}
	}
	return 0;
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

void dwarf_store_drop_pages(const struct dwarf_store *st, const uint8_t *from, const uint8_t *to)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin, end;

	vec_foreach (m, &st->mappings) {
		const uint8_t *at = m->at;

		if (!m->file || from < at || to > at + m->len || from >= to)
			continue;
		begin = ((uintptr_t)from + page - 1) / page * page;
		end = (uintptr_t)to / page * page;
		if (begin < end)
			madvise((void *)begin, end - begin, MADV_DONTNEED);
	}
}

void dwarf_store_fini(struct dwarf_store *st)
{
	vec_foreach (m, &st->mappings)
		drop(m);
	vec_fini(&st->mappings);
}
