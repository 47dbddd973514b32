/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/elf_cfi.h"

#include <dwarf.h>
#include <errno.h>

#include "base/cleanup.h"
#include "symbolize/go_pclntab.h"
#include "unwind/code.h"

/* Where a section's end is unknown we read up to its segment's, within a bound. */
#define CHUNK_MAX (64ull << 20)

/* enum arch, or why the image's code is none we unwind. */
static int arch_of(const struct elf_image *img)
{
	GElf_Ehdr eh;

	if (!gelf_getehdr(img->elf, &eh))
		return -EBADMSG;
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOTSUP;
	return arch_of_elf(eh.e_machine);
}

static int find_code(const struct elf_image *img, struct elf_cfi *c)
{
	c->start = UINT64_MAX;
	for (uint32_t i = 0; i < img->n_segments; i++) {
		const struct elf_segment *s = &img->segments[i];

		if (!(s->flags & PF_X) || !s->memsz)
			continue;
		if (s->vaddr < c->start)
			c->start = s->vaddr;
		if (s->vaddr + s->memsz > c->end)
			c->end = s->vaddr + s->memsz;
	}
	return c->start < c->end ? 0 : -ENODATA;
}

static bool by_section(const struct elf_image *img, const char *name, struct cfi_section *ret)
{
	GElf_Shdr sh, got;
	Elf_Scn *scn = elf_image_section(img, name, &sh);
	Elf_Data *data = scn ? elf_image_data(scn) : NULL;

	if (!data || !data->d_buf || !data->d_size)
		return false;
	*ret = (struct cfi_section){ .data = data->d_buf, .len = data->d_size, .vaddr = sh.sh_addr,
				     .debug_frame = !strcmp(name, ".debug_frame") };
	if (elf_image_section(img, ".got", &got))
		ret->data_base = got.sh_addr;
	if (elf_image_section(img, ".text", &got))
		ret->text = got.sh_addr;
	return true;
}

/* Bytes from an address to the end of its segment's part in the file. */
static bool by_address(const struct elf_image *img, uint64_t vaddr, struct cfi_section *ret)
{
	for (uint32_t i = 0; i < img->n_segments; i++) {
		const struct elf_segment *s = &img->segments[i];
		uint64_t skip = vaddr - s->vaddr, len;
		Elf_Data *data;

		if (vaddr < s->vaddr || skip >= s->filesz)
			continue;
		len = s->filesz - skip < CHUNK_MAX ? s->filesz - skip : CHUNK_MAX;
		data = elf_getdata_rawchunk(img->elf, (int64_t)(s->offset + skip), len, ELF_T_BYTE);
		if (!data || !data->d_buf)
			return false;
		*ret = (struct cfi_section){ .data = data->d_buf, .len = data->d_size, .vaddr = vaddr, .ends_at_zero = true };
		return true;
	}
	return false;
}

/* .eh_frame_hdr: version 1, three encodings, then where .eh_frame is. */
static bool by_header(const struct elf_image *img, struct cfi_section *ret)
{
	struct cfi_section hdr = { .vaddr = 0 };
	size_t n = 0;
	GElf_Phdr ph;

	if (elf_getphdrnum(img->elf, &n) < 0)
		return false;
	for (size_t i = 0; i < n && i < UINT16_MAX; i++) {
		struct bytes in;
		uint64_t vaddr;
		uint8_t encoding;

		if (!gelf_getphdr(img->elf, (int)i, &ph) || ph.p_type != PT_GNU_EH_FRAME)
			continue;
		if (!by_address(img, ph.p_vaddr, &hdr))
			return false;
		hdr.data_base = ph.p_vaddr;
		in = (struct bytes){ .at = hdr.data, .end = hdr.data + hdr.len };
		if (bytes_u8(&in) != 1)
			return false;
		encoding = bytes_u8(&in);
		bytes_take(&in, 2);
		vaddr = cfi_pointer(&hdr, &in, encoding, 8);
		return !in.bad && by_address(img, vaddr, ret);
	}
	return false;
}

/* A CIE as every compiler begins one: short, id 0, version 1, augmentation zR, zPLR, zRS ... */
static bool looks_like_cie(const uint8_t *p)
{
	uint32_t len, id;

	memcpy(&len, p, 4);
	memcpy(&id, p + 4, 4);
	return len >= 12 && len <= 60 && len % 4 == 0 && !id && p[8] == 1 && p[9] == 'z' &&
	       (p[10] == 'R' || p[10] == 'P' || p[10] == 'L');
}

static bool by_scan(const struct elf_image *img, struct cfi_section *ret)
{
	struct cfi_section s;
	size_t sections = 0;

	if (elf_getshdrnum(img->elf, &sections) < 0 || sections)
		return false;
	for (uint32_t i = 0; i < img->n_segments; i++) {
		if (!by_address(img, img->segments[i].vaddr, &s))
			continue;
		for (size_t at = -s.vaddr & 3; s.len >= 64 && at < s.len - 64; at += 4) {
			struct cfi_cie cie;

			if (!looks_like_cie(s.data + at) || cfi_cie_read(&s, at, &cie) < 0)
				continue;
			s.data += at;
			s.vaddr += at;
			s.len -= at;
			*ret = s;
			return true;
		}
	}
	return false;
}

/* Whatever is wrong with a MiniDebugInfo costs its own rows only. */
static int by_minidebug(const struct elf_image *img, struct elf_cfi *c)
{
	const struct elf_image *mini;
	int r = minidebug_open(img, &c->minidebug);

	if (r == -ENOMEM)
		return r;
	c->minidebug_lost = r < 0 && r != -ENODATA;
	if (r < 0)
		return 0;
	mini = c->minidebug->img;
	c->minidebug_lost = arch_of(mini) != (int)c->arch;
	if (!c->minidebug_lost)
		c->n += by_section(mini, ".debug_frame", &c->sections[c->n]) || by_section(mini, ".eh_frame", &c->sections[c->n]);
	return 0;
}

static int find(const struct elf_image *img, unsigned int which, struct elf_cfi *c)
{
	int r = arch_of(img);

	if (r < 0)
		return r;
	c->arch = (enum arch)r;
	r = find_code(img, c);
	if (r < 0)
		return r;
	if (which & ELF_CFI_EH_FRAME)
		c->n += by_section(img, ".eh_frame", &c->sections[0]) || by_header(img, &c->sections[0]) ||
			by_scan(img, &c->sections[0]);
	if (which & ELF_CFI_DEBUG_FRAME)
		c->n += by_section(img, ".debug_frame", &c->sections[c->n]);
	if (which & ELF_CFI_MINIDEBUG)
		r = by_minidebug(img, c);
	for (uint32_t i = 0; i < c->n; i++)
		c->sections[i].arch = c->arch;
	return r < 0 ? r : c->n ? 0 : -ENODATA;
}

int elf_cfi_find(const struct elf_image *img, unsigned int which, struct elf_cfi *ret)
{
	struct elf_cfi c = { .n = 0 };
	int r = find(img, which, &c);

	if (r < 0)
		elf_cfi_fini(&c);
	else
		*ret = c;
	return r;
}

void elf_cfi_fini(struct elf_cfi *c)
{
	c->minidebug = minidebug_free(c->minidebug);
}

/* .debug_frame would say again what a pclntab says, of the same functions. */
static int find_beside(const struct elf_image *img, unsigned int which, struct go_pclntab *go, const struct code *code, struct elf_cfi *c)
{
	int r = elf_cfi_find(img, go ? which & ~(unsigned int)ELF_CFI_DEBUG_FRAME : which, c);

	if (r != -ENODATA || (!go && !code))
		return r;
	*c = (struct elf_cfi){ .arch = ARCH_X86_64 };
	return go ? go_pclntab_range(go, &c->start, &c->end) : find_code(img, c);
}

/* go_rows.h knows x86-64's frames only. */
static int open_pclntab(const struct elf_image *img, struct go_pclntab **ret)
{
	GElf_Ehdr eh;

	return gelf_getehdr(img->elf, &eh) && eh.e_machine == EM_X86_64 ? go_pclntab_open(img, ret) : -ENODATA;
}

int elf_cfi_rows(const struct elf_image *img, unsigned int which, struct rows **ret)
{
	_cleanup_(go_pclntab_freep) struct go_pclntab *go = NULL;
	int go_lost = which & ELF_CFI_PCLNTAB ? open_pclntab(img, &go) : 0, r;
	_cleanup_(code_freep) struct code *code = NULL;
	struct marks marks;
	struct elf_cfi c;

	if (go_lost == -ENOMEM)
		return go_lost;
	r = which & ELF_CFI_CODE && !go ? code_open(img, &code) : 0;
	if (r >= 0)
		r = find_beside(img, which, go, code, &c);
	if (r < 0)
		return r;
	r = marks_find(img, &c, &marks);
	if (r >= 0)
		r = rows_build(&(struct rows_source){ .sections = c.sections, .n_sections = c.n, .go = go, .code = code,
						      .marks = marks.v, .n_marks = marks.n,
						      .start = c.start, .end = c.end },
			       ret);
	if (r >= 0) {
		(*ret)->stats.why[UNWIND_WHY_MINIDEBUG] += c.minidebug_lost;
		(*ret)->stats.why[UNWIND_WHY_BAD_PCLNTAB] += go_lost == -EBADMSG;
	}
	elf_cfi_fini(&c);
	return r;
}
