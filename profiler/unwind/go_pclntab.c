/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/go_pclntab.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "unwind/go_text.h"

enum { VARINT_MAX = 5, FLAGS_AT = 29 }; /* of a Go 1.2 record, behind its entry */
#define SCAN_MAX (1ull << 30)

/* At most len bytes of the table: never more than it has. */
static struct bytes peek(struct go_pclntab *t, uint64_t at, size_t len)
{
	if (at < t->at || at >= t->end)
		return (struct bytes){ 0 };
	return elf_peek(t->file, at, len < t->end - at ? len : t->end - at);
}

static bool layout_of(uint32_t magic, enum go_layout *ret)
{
	static const uint32_t magics[] = { [GO_1_2] = 0xfffffffb,
					   [GO_1_16] = 0xfffffffa,
					   [GO_1_18] = 0xfffffff0,
					   [GO_1_20] = 0xfffffff1 };

	for (uint32_t i = 0; i < ARRAY_SIZE(magics); i++)
		if (magics[i] == magic) {
			*ret = (enum go_layout)i;
			return true;
		}
	return false;
}

static uint32_t entry_size(const struct go_pclntab *t)
{
	return t->layout >= GO_1_18 ? 4 : 8;
}

/* A part's place: from the table's start, and not beyond its end. */
static uint64_t part(struct go_pclntab *t, struct bytes *in)
{
	uint64_t off = bytes_uint(in, 8);

	in->bad |= off >= t->end - t->at;
	return t->at + off;
}

static bool read_parts(struct go_pclntab *t, struct bytes *in, uint64_t n)
{
	if (t->layout == GO_1_2) {
		t->names = t->pcs = t->at;
		t->functab = t->at + 8 + 8;
	} else {
		bytes_take(in, t->layout >= GO_1_18 ? 16 : 8); /* count of files; the code's start */
		t->names = part(t, in);
		bytes_take(in, 16); /* compilation units, files */
		t->pcs = part(t, in);
		t->functab = part(t, in);
	}
	t->n_funcs = (uint32_t)n;
	return !in->bad && n && n <= GO_FUNCS_MAX &&
	       (2 * n + 1) * entry_size(t) <= t->end - t->functab;
}

/* A table at these bytes of the file. */
static bool read_header(struct go_pclntab *t, uint64_t at, uint64_t end)
{
	struct bytes in;

	t->at = at;
	t->end = end;
	in = peek(t, at, 8 + 8 * 8);
	if (!layout_of((uint32_t)bytes_uint(&in, 4), &t->layout) || bytes_uint(&in, 2))
		return false;
	t->unit = bytes_u8(&in);
	if ((t->unit != 1 && t->unit != 2 && t->unit != 4) || bytes_u8(&in) != 8)
		return false;
	return read_parts(t, &in, bytes_uint(&in, 8)) && !in.bad;
}

static int by_section(const struct elf_image *img, struct go_pclntab *t)
{
	static const char *const names[] = { ".gopclntab", ".data.rel.ro.gopclntab" };
	GElf_Shdr sh;

	for (uint32_t i = 0; i < 2; i++) {
		if (!elf_image_section(img, names[i], &sh) || sh.sh_offset + sh.sh_size < sh.sh_offset)
			continue;
		t->vaddr = sh.sh_addr;
		return read_header(t, sh.sh_offset, sh.sh_offset + sh.sh_size) ? 0 : -EBADMSG;
	}
	return -ENODATA;
}

/* A header that reads as one, at a multiple of a pointer's size: more the linker does not promise. */
static int by_scan(const struct elf_image *img, struct go_pclntab *t)
{
	uint64_t left = SCAN_MAX;
	struct bytes in;

	for (uint32_t i = 0; i < img->n_segments; i++) {
		const struct elf_segment *s = &img->segments[i];

		for (uint64_t off = -s->vaddr & 7; off < s->filesz && left; off += 8, left -= 8) {
			in = elf_peek(t->file, s->offset + off, 4);
			if (!bytes_left(&in))
				break; /* the file ends before its segment does */
			t->vaddr = s->vaddr + off;
			if (read_header(t, s->offset + off, s->offset + s->filesz))
				return 0;
		}
	}
	return -ENODATA;
}

/*
 * A Go binary for x86-64, which is what a rule can be made of; or one without section headers, which may
 * be Go. Before Go 1.26 ld puts the table of a PIE into .data.rel.ro: then only the notes tell.
 */
static bool may_be_go(const struct elf_image *img)
{
	static const char *const marks[] = { ".gopclntab", ".data.rel.ro.gopclntab", ".go.buildinfo",
					     ".note.go.buildid" };
	size_t sections = 0;
	GElf_Ehdr eh;
	GElf_Shdr sh;

	if (!gelf_getehdr(img->elf, &eh) || eh.e_machine != EM_X86_64 || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    elf_getshdrnum(img->elf, &sections) < 0)
		return false;
	for (uint32_t i = 0; sections && i < ARRAY_SIZE(marks); i++)
		if (elf_image_section(img, marks[i], &sh))
			return true;
	return !sections;
}

int go_pclntab_open(const struct elf_image *img, struct go_pclntab **ret)
{
	struct go_pclntab *t;
	int r;

	if (!may_be_go(img))
		return -ENODATA;
	t = calloc(1, sizeof(*t));
	r = t ? elf_peek_new(img, &t->file) : -ENOMEM;
	if (r >= 0)
		r = by_section(img, t);
	if (r == -ENODATA)
		r = by_scan(img, t);
	if (r >= 0 && t->layout >= GO_1_18)
		r = go_text_find(img, t);
	if (r < 0) {
		go_pclntab_free(t);
		return r;
	}
	t->steps = GO_STEPS_MAX;
	*ret = t;
	return 0;
}

struct go_pclntab *go_pclntab_free(struct go_pclntab *t)
{
	if (!t)
		return NULL;
	elf_peek_free(t->file);
	free(t);
	return NULL;
}

/* The n-th word of the functab. */
static uint64_t functab_word(struct go_pclntab *t, uint64_t n, bool *bad)
{
	struct bytes in = peek(t, t->functab + n * entry_size(t), entry_size(t));
	uint64_t v = bytes_uint(&in, entry_size(t));

	*bad |= in.bad;
	return v;
}

int go_pclntab_range(struct go_pclntab *t, uint64_t *ret_start, uint64_t *ret_end)
{
	bool bad = false;
	uint64_t start = t->text + functab_word(t, 0, &bad),
		 end = t->text + functab_word(t, 2ull * t->n_funcs, &bad);

	if (bad || start >= end)
		return -EBADMSG;
	*ret_start = start;
	*ret_end = end;
	return 0;
}

static void read_name(struct go_pclntab *t, uint32_t off, char *ret)
{
	struct bytes in = peek(t, t->names + off, GO_NAME_MAX - 1);
	size_t n = 0;

	while (n < bytes_left(&in) && in.at[n])
		n++;
	if (n)
		memcpy(ret, in.at, n);
	ret[n] = 0;
}

int go_func_read(struct go_pclntab *t, uint32_t i, struct go_func *ret)
{
	uint64_t base = t->layout == GO_1_2 ? t->at : t->functab, place;
	struct bytes in;
	uint32_t name;
	bool bad = false;

	ret->entry = t->text + functab_word(t, 2ull * i, &bad);
	place = functab_word(t, 2ull * i + 1, &bad);
	ret->end = t->text + functab_word(t, 2ull * i + 2, &bad);
	if (bad || place > t->end - base)
		return -EBADMSG;
	in = peek(t, base + place, 64);
	bytes_take(&in, entry_size(t));
	name = (uint32_t)bytes_uint(&in, 4);
	bytes_take(&in, 8); /* arguments, deferreturn */
	ret->pcsp = (uint32_t)bytes_uint(&in, 4);
	bytes_take(&in, FLAGS_AT - 16 + 4 * ((t->layout >= GO_1_16) + (t->layout >= GO_1_20)));
	ret->flags = bytes_u8(&in);
	if (in.bad)
		return -EBADMSG;
	read_name(t, name, ret->name);
	return 0;
}

void go_sp_begin(struct go_sp_run *run, struct go_pclntab *t, const struct go_func *f)
{
	*run = (struct go_sp_run){ .t = t, .at = t->pcs + f->pcsp, .pc = f->entry, .value = -1 };
}

static uint32_t varint(struct bytes *in)
{
	uint64_t v = bytes_uleb(in);

	in->bad |= v > UINT32_MAX;
	return (uint32_t)v;
}

int go_sp_next(struct go_sp_run *run, struct go_sp *ret)
{
	struct bytes in = peek(run->t, run->at, 2 * VARINT_MAX);
	const uint8_t *begin = in.at;
	uint32_t value = varint(&in), pcs;

	if (!in.bad && !value && run->begun)
		return 0;
	pcs = varint(&in);
	if (in.bad)
		return -EBADMSG;
	if (!run->t->steps)
		return -E2BIG;
	run->t->steps--;
	run->begun = true;
	run->at += (uint64_t)(in.at - begin);
	run->value += value & 1 ? ~(int64_t)(value >> 1) : (int64_t)(value >> 1);
	ret->start = run->pc;
	run->pc += (uint64_t)pcs * run->t->unit;
	ret->end = run->pc;
	ret->value = run->value;
	return 1;
}
