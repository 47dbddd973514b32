/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/elf_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/units.h"

/* More program headers than any linker writes; a hostile file can claim 2^32. */
enum { MAX_SEGMENTS = 4096 };
/* Two pages today; what its header says beyond this is not believed. */
#define VDSO_MAX (64 * KIB)
/* Of an object file: all that would be loaded, and what a section may be aligned to. */
#define OBJECT_MAX (1ull << 48)
#define ALIGN_MAX  (1 * MIB)

static int read_segments(struct elf_image *img)
{
	size_t n = 0;
	GElf_Phdr ph;

	if (elf_getphdrnum(img->elf, &n) < 0)
		return -EBADMSG;
	if (n > MAX_SEGMENTS)
		n = MAX_SEGMENTS;
	img->segments = calloc(n + 1, sizeof(*img->segments));
	if (!img->segments)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(img->elf, (int)i, &ph) || ph.p_type != PT_LOAD)
			continue;
		if (ph.p_offset + ph.p_filesz < ph.p_offset || ph.p_vaddr + ph.p_memsz < ph.p_vaddr)
			continue;
		img->segments[img->n_segments++] = (struct elf_segment){ .vaddr = ph.p_vaddr,
									 .memsz = ph.p_memsz,
									 .offset = ph.p_offset,
									 .filesz = ph.p_filesz,
									 .flags = ph.p_flags };
	}
	return 0;
}

/* Sections that hold code, or those that do not, from an address on. */
static int lay_out(struct elf_image *img, bool code, uint64_t *at)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;

	while ((scn = elf_nextscn(img->elf, scn))) {
		uint64_t align;

		if (!gelf_getshdr(scn, &sh) || !(sh.sh_flags & SHF_ALLOC) || !!(sh.sh_flags & SHF_EXECINSTR) != code)
			continue;
		align = sh.sh_addralign > 1 && sh.sh_addralign <= ALIGN_MAX && !(sh.sh_addralign & (sh.sh_addralign - 1)) ? sh.sh_addralign : 1;
		*at = (*at + align - 1) & ~(align - 1);
		if (sh.sh_size > OBJECT_MAX - *at)
			return -EBADMSG;
		img->section_at[elf_ndxscn(scn)] = *at;
		*at += sh.sh_size;
	}
	return 0;
}

static int lay_out_object(struct elf_image *img)
{
	uint64_t at = ELF_OBJECT_BASE;
	size_t n;
	int r;

	if (elf_getshdrnum(img->elf, &n) < 0 || n > UINT32_MAX)
		return -EBADMSG;
	img->section_at = calloc(n + 1, sizeof(*img->section_at));
	free(img->segments);
	img->segments = calloc(1, sizeof(*img->segments));
	if (!img->section_at || !img->segments)
		return -ENOMEM;
	img->n_sections = (uint32_t)n;
	r = lay_out(img, true, &at);
	img->n_segments = at > ELF_OBJECT_BASE;
	img->segments[0] = (struct elf_segment){ .vaddr = ELF_OBJECT_BASE, .memsz = at - ELF_OBJECT_BASE, .flags = PF_R | PF_X };
	return r < 0 ? r : lay_out(img, false, &at);
}

static bool is_object(const struct elf_image *img)
{
	GElf_Ehdr eh;

	return gelf_getehdr(img->elf, &eh) && eh.e_type == ET_REL;
}

static int finish_open(struct elf_image *img, struct elf_image **ret)
{
	int r = img->elf && elf_kind(img->elf) == ELF_K_ELF ? read_segments(img) : -EBADMSG;

	if (r >= 0 && is_object(img))
		r = lay_out_object(img);
	if (r < 0)
		elf_image_free(img);
	else
		*ret = img;
	return r;
}

int elf_image_open(int fd, struct elf_image **ret)
{
	struct elf_image *img = calloc(1, sizeof(*img));

	if (!img)
		return -ENOMEM;
	elf_version(EV_CURRENT);
	img->fd = fd;
	img->elf = elf_begin(fd, ELF_C_READ, NULL);
	return finish_open(img, ret);
}

int elf_image_open_memory(const void *bytes, size_t len, struct elf_image **ret)
{
	struct elf_image *img = calloc(1, sizeof(*img));

	if (!img)
		return -ENOMEM;
	elf_version(EV_CURRENT);
	img->fd = -1;
	img->elf = elf_memory((char *)bytes, len);
	return finish_open(img, ret);
}

int elf_image_open_vdso(struct elf_image **ret)
{
	const uint8_t *vdso = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *eh = (const void *)vdso;
	uint64_t len;

	if (!vdso)
		return -ENOENT;
	len = eh->e_shoff + (uint64_t)eh->e_shnum * eh->e_shentsize;
	return elf_image_open_memory(vdso, len < VDSO_MAX ? len : VDSO_MAX, ret);
}

struct elf_image *elf_image_free(struct elf_image *img)
{
	if (!img)
		return NULL;
	elf_end(img->elf);
	free(img->segments);
	free(img->section_at);
	free(img);
	return NULL;
}

const struct elf_segment *elf_image_segment(const struct elf_image *img, uint64_t offset)
{
	const struct elf_segment *found = NULL;

	/* Segments overlap by parts of a page in files linked without separate code: the code wins. */
	for (uint32_t i = 0; i < img->n_segments; i++) {
		const struct elf_segment *s = &img->segments[i];

		if (offset - s->offset < s->filesz && (!found || (s->flags & PF_X)))
			found = s;
	}
	return found;
}

int elf_image_read(const struct elf_image *img, uint64_t offset, void *data, size_t len)
{
	size_t size = 0;
	const char *bytes;

	if (img->fd >= 0)
		return file_pread(img->fd, data, len, offset);
	bytes = elf_rawfile(img->elf, &size); /* of an image in memory that memory itself */
	if (!bytes || offset > size || len > size - offset)
		return -ENODATA;
	memcpy(data, bytes + offset, len);
	return 0;
}

Elf_Scn *elf_image_section(const struct elf_image *img, const char *name, GElf_Shdr *ret_header)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(img->elf, &names) < 0)
		return NULL;
	while ((scn = elf_nextscn(img->elf, scn))) {
		const char *found;

		if (!gelf_getshdr(scn, ret_header))
			continue;
		found = elf_strptr(img->elf, names, ret_header->sh_name);
		if (found && !strcmp(found, name))
			return ret_header->sh_type != SHT_NOBITS &&
					       ret_header->sh_size <= ELF_SECTION_MAX
				       ? scn
				       : NULL;
	}
	return NULL;
}

Elf_Data *elf_image_data(Elf_Scn *scn)
{
	GElf_Shdr sh;
	GElf_Chdr ch;

	if (!gelf_getshdr(scn, &sh))
		return NULL;
	if (sh.sh_flags & SHF_COMPRESSED) {
		if (!gelf_getchdr(scn, &ch) || ch.ch_size > ELF_SECTION_MAX ||
		    elf_compress(scn, 0, 0) < 0)
			return NULL;
	}
	return elf_getdata(scn, NULL);
}
