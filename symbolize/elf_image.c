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

static int finish_open(struct elf_image *img, struct elf_image **ret)
{
	int r = img->elf && elf_kind(img->elf) == ELF_K_ELF ? read_segments(img) : -EBADMSG;

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
