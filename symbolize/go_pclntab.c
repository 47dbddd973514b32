/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/go_pclntab.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "symbolize/go_text.h"

enum { VARINT_MAX = 5 };
#define SCAN_MAX (1ull << 30)

struct bytes go_peek(struct go_pclntab *t, uint64_t at, size_t len)
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
		t->units = part(t, in);
		t->files = part(t, in);
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
	in = go_peek(t, at, 8 + 8 * 8);
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

/* Go 1.2's files: their place stands behind the functab. */
static void find_files(struct go_pclntab *t)
{
	struct bytes in = go_peek(t, t->functab + (2ull * t->n_funcs + 1) * 8, 4);

	t->files = t->at + bytes_uint(&in, 4);
}

/*
 * A Go binary; or one without section headers, which may be Go. Before Go 1.26 ld puts the table of a PIE into .data.rel.ro: then only the notes tell.
 */
static bool may_be_go(const struct elf_image *img)
{
	static const char *const marks[] = { ".gopclntab", ".data.rel.ro.gopclntab", ".go.buildinfo",
					     ".note.go.buildid" };
	size_t sections = 0;
	GElf_Ehdr eh;
	GElf_Shdr sh;

	if (!gelf_getehdr(img->elf, &eh) || eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
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
	if (r >= 0 && t->layout == GO_1_2)
		find_files(t);
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
	struct bytes in = go_peek(t, t->functab + n * entry_size(t), entry_size(t));
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
	struct bytes in = go_peek(t, t->names + off, GO_NAME_MAX - 1);
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
	const uint8_t *begin;
	bool bad = false;

	ret->entry = t->text + functab_word(t, 2ull * i, &bad);
	place = functab_word(t, 2ull * i + 1, &bad);
	ret->end = t->text + functab_word(t, 2ull * i + 2, &bad);
	if (bad || place > t->end - base)
		return -EBADMSG;
	in = go_peek(t, base + place, 64);
	begin = in.at;
	bytes_take(&in, entry_size(t));
	ret->name_at = (uint32_t)bytes_uint(&in, 4);
	bytes_take(&in, 8); /* arguments, deferreturn */
	ret->pcsp = (uint32_t)bytes_uint(&in, 4);
	ret->file = (uint32_t)bytes_uint(&in, 4);
	ret->line = (uint32_t)bytes_uint(&in, 4);
	ret->n_pcdata = (uint32_t)bytes_uint(&in, 4);
	ret->unit = t->layout >= GO_1_16 ? (uint32_t)bytes_uint(&in, 4) : 0;
	ret->start_line = t->layout >= GO_1_20 ? (uint32_t)bytes_uint(&in, 4) : 0;
	bytes_u8(&in); /* what the runtime knows it as */
	ret->flags = bytes_u8(&in);
	bytes_u8(&in);
	ret->n_funcdata = bytes_u8(&in);
	if (in.bad)
		return -EBADMSG;
	ret->pcdata = base + place + (uint64_t)(in.at - begin);
	read_name(t, ret->name_at, ret->name);
	return 0;
}

int go_func_find(struct go_pclntab *t, uint64_t pc, struct go_func *ret)
{
	uint32_t lo = 0, hi = t->n_funcs;
	bool bad = false;
	int r;

	/* lo: functions that begin at or before pc */
	while (lo < hi && !bad) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (t->text + functab_word(t, 2ull * mid, &bad) <= pc)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (bad)
		return -EBADMSG;
	if (!lo)
		return -ENOENT;
	r = go_func_read(t, lo - 1, ret);
	return r < 0 ? r : pc - ret->entry < ret->end - ret->entry && ret->entry < ret->end ? 0 : -ENOENT;
}

void go_values_begin(struct go_sp_run *run, struct go_pclntab *t, const struct go_func *f, uint32_t table)
{
	*run = (struct go_sp_run){ .t = t, .at = t->pcs + table, .pc = f->entry, .value = -1 };
}

void go_sp_begin(struct go_sp_run *run, struct go_pclntab *t, const struct go_func *f)
{
	go_values_begin(run, t, f, f->pcsp);
}

static uint32_t varint(struct bytes *in)
{
	uint64_t v = bytes_uleb(in);

	in->bad |= v > UINT32_MAX;
	return (uint32_t)v;
}

static int64_t zigzag(uint32_t v)
{
	return v & 1 ? ~(int64_t)(v >> 1) : (int64_t)(v >> 1);
}

int go_sp_next(struct go_sp_run *run, struct go_sp *ret)
{
	struct bytes in = go_peek(run->t, run->at, 2 * VARINT_MAX);
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
	run->value += zigzag(value);
	ret->start = run->pc;
	run->pc += (uint64_t)pcs * run->t->unit;
	ret->end = run->pc;
	ret->value = run->value;
	return 1;
}

/* As go_sp_next(), with as many steps from one peek as it holds. */
int go_value_find(struct go_pclntab *t, const struct go_func *f, uint32_t table, uint64_t pc, int64_t *ret)
{
	uint64_t at = t->pcs + table, here = f->entry;
	int64_t value = -1;
	bool begun = false;

	while (table) {
		struct bytes in = go_peek(t, at, PEEK_MAX);
		const uint8_t *begin = in.at;

		do {
			uint32_t step = varint(&in);

			if (!in.bad && !step && begun)
				return -ENOENT;
			begun = true;
			value += zigzag(step);
			here += (uint64_t)varint(&in) * t->unit;
			if (in.bad)
				return -EBADMSG;
			if (!t->steps)
				return -E2BIG;
			t->steps--;
			if (pc < here) {
				*ret = value;
				return 0;
			}
		} while (bytes_left(&in) >= 2 * VARINT_MAX);
		at += (uint64_t)(in.at - begin);
	}
	return -ENOENT;
}
