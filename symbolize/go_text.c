/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/go_text.h"

#include <errno.h>

#include "symbolize/go_pclntab.h"

/*
 * moduledata, in words of 8 bytes: the pclntab; its five parts and the functab, a slice of three words each;
 * findfunctab; minpc; maxpc (runtime/symtab.go; the same since 1.16); then bounds of segments, two more of
 * them since 1.20; gofunc.
 */
enum { MINPC = 8 * (1 + 6 * 3 + 1), MAXPC = MINPC + 8, GOFUNC_1_18 = 8 * 38, GOFUNC_1_20 = 8 * 40 };
enum { RELA = 24, SCAN_MAX = 256 << 20 };

struct relocations {
	uint64_t at, n; /* of DT_RELA, in the file's addresses */
};

static uint64_t word_at(struct go_pclntab *t, uint64_t vaddr)
{
	struct bytes in = elf_peek_address(t->file, vaddr, 8);

	return bytes_uint(&in, 8);
}

/* The dynamic section's relocations; none in a static binary. */
static struct relocations find_relocations(const struct elf_image *img, struct go_pclntab *t)
{
	struct relocations r = { 0 };
	size_t n = 0;
	GElf_Phdr ph;

	if (elf_getphdrnum(img->elf, &n) < 0)
		return r;
	for (size_t i = 0; i < n && i < UINT16_MAX; i++) {
		if (!gelf_getphdr(img->elf, (int)i, &ph) || ph.p_type != PT_DYNAMIC)
			continue;
		for (uint64_t at = 0; at + 16 <= ph.p_filesz && at < 4096; at += 16) {
			uint64_t tag = word_at(t, ph.p_vaddr + at),
				 value = word_at(t, ph.p_vaddr + at + 8);

			if (tag == DT_RELA)
				r.at = value;
			else if (tag == DT_RELASZ)
				r.n = (value < SCAN_MAX ? value : SCAN_MAX) / RELA;
		}
	}
	return r;
}

/* What the loader will have written at n addresses, as relocations say. */
static void relocate(struct go_pclntab *t, struct relocations r, const uint64_t *at, uint64_t *ret, int n)
{
	for (uint64_t i = 0; i < r.n; i++) {
		struct bytes in = elf_peek_address(t->file, r.at + i * RELA, RELA);
		uint64_t where = bytes_uint(&in, 8), value;

		bytes_take(&in, 8);
		value = bytes_uint(&in, 8);
		for (int k = 0; k < n; k++)
			if (at[k] == where)
				ret[k] = value;
	}
}

/* Whether there is a moduledata at an address: the code it names is as long as the table's. */
static bool try_module(struct go_pclntab *t, struct relocations r, uint64_t vaddr)
{
	enum { MIN, MAX, GOFUNC, N };
	const uint64_t at[N] = { vaddr + MINPC, vaddr + MAXPC,
				 vaddr + (t->layout >= GO_1_20 ? GOFUNC_1_20 : GOFUNC_1_18) };
	uint64_t word[N], start, end;

	for (int i = 0; i < N; i++)
		word[i] = word_at(t, at[i]);
	if (!word[MIN])
		relocate(t, r, at, word, N);
	t->text = 0;
	if (!word[MIN] || go_pclntab_range(t, &start, &end) < 0 || word[MAX] - word[MIN] != end - start)
		return false;
	t->text = word[MIN] - start;
	t->gofunc = word[GOFUNC];
	return true;
}

/* Words that point to the table: in a PIE as relocations, else in the file. */
static bool by_relocation(struct go_pclntab *t, struct relocations r)
{
	int tries = 8;

	for (uint64_t i = 0; i < r.n; i++) {
		struct bytes in = elf_peek_address(t->file, r.at + i * RELA, RELA);
		uint64_t where = bytes_uint(&in, 8);

		bytes_take(&in, 8);
		if (bytes_uint(&in, 8) == t->vaddr && !in.bad && tries-- > 0 &&
		    try_module(t, r, where))
			return true;
	}
	return false;
}

static bool by_word(const struct elf_image *img, struct go_pclntab *t, struct relocations r)
{
	uint64_t left = SCAN_MAX;
	int tries = 8;

	for (uint32_t i = 0; i < img->n_segments; i++) {
		const struct elf_segment *s = &img->segments[i];

		if (!(s->flags & PF_W))
			continue;
		for (uint64_t off = -s->vaddr & 7; off < s->filesz && left; off += 8, left -= 8) {
			struct bytes in = elf_peek(t->file, s->offset + off, 8);

			if (bytes_left(&in) < 8)
				break;
			if (bytes_uint(&in, 8) == t->vaddr && tries-- > 0 &&
			    try_module(t, r, s->vaddr + off))
				return true;
		}
	}
	return false;
}

int go_text_find(const struct elf_image *img, struct go_pclntab *t)
{
	struct relocations r = find_relocations(img, t);

	return by_word(img, t, r) || by_relocation(t, r) ? 0 : -EBADMSG;
}
