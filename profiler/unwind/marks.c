/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/marks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "unwind/elf_cfi.h"

enum { ENTRY_BYTES = 64, LINKER_ENTRY_BYTES = 96, WINDOW = 256 * 1024, AROUND = 64, DYNAMIC_MAX = 1024 };

static const struct unwind_rule stop = { .how_cfa = UNWIND_STOP };

/* A mark that begins inside another, or is one too many, is left out. */
static void add(struct marks *m, struct mark mark)
{
	uint32_t at = m->n;

	while (at && m->v[at - 1].start > mark.start)
		at--;
	if (m->n == MARKS_MAX || (at && m->v[at - 1].end > mark.start) || (at < m->n && mark.end > m->v[at].start))
		return;
	memmove(&m->v[at + 1], &m->v[at], (m->n - at) * sizeof(mark));
	m->v[at] = mark;
	m->n++;
}

/* What the headers say of an image. */
struct nature {
	bool program; /* its entry point is where it begins: of a library it is the start of .text, or for show */
	bool alone;   /* loads nothing and is loaded by nothing but the kernel */
	bool runs;    /* a library that can be run: glibc's libc */
	uint64_t entry;
};

/* What a dynamic section says that matters here. */
struct dynamic {
	bool needed, named, pie;
};

static void read_dynamic(const struct elf_image *img, const GElf_Phdr *ph, struct dynamic *d)
{
	Elf64_Dyn entries[DYNAMIC_MAX];
	size_t n = ph->p_filesz / sizeof(*entries);

	if (n > DYNAMIC_MAX)
		n = DYNAMIC_MAX;
	if (elf_image_read(img, ph->p_offset, entries, n * sizeof(*entries)) < 0)
		return;
	for (size_t i = 0; i < n && entries[i].d_tag != DT_NULL; i++) {
		d->needed |= entries[i].d_tag == DT_NEEDED;
		d->named |= entries[i].d_tag == DT_SONAME;
		d->pie |= entries[i].d_tag == DT_FLAGS_1 && (entries[i].d_un.d_val & DF_1_PIE);
	}
}

static struct nature nature_of(const struct elf_image *img)
{
	struct dynamic d = { .needed = false };
	bool interpreted = false;
	size_t n = 0;
	GElf_Ehdr eh;
	GElf_Phdr ph;

	if (!gelf_getehdr(img->elf, &eh) || elf_getphdrnum(img->elf, &n) < 0)
		return (struct nature){ .program = false };
	for (size_t i = 0; i < n && i < UINT16_MAX; i++) {
		if (!gelf_getphdr(img->elf, (int)i, &ph))
			continue;
		interpreted |= ph.p_type == PT_INTERP;
		if (ph.p_type == PT_DYNAMIC)
			read_dynamic(img, &ph, &d);
	}
	return (struct nature){ .program = eh.e_type == ET_EXEC || d.pie || (interpreted && !d.named),
				.alone = !interpreted && !d.needed, .runs = interpreted && d.named, .entry = eh.e_entry };
}

static bool has_signal_cie(const struct elf_cfi *c)
{
	struct cfi_entry e;
	struct cfi_cie cie;

	for (uint32_t i = 0; i < c->n; i++)
		for (size_t at = 0; cfi_next(&c->sections[i], &at, &e) > 0;)
			if (e.is_cie && !cfi_cie_read(&c->sections[i], e.offset, &cie) && cie.signal)
				return true;
	return false;
}

/* A function's address by its name; 0: there is none. */
static uint64_t symbol_of(const struct elf_image *img, const char *name)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	GElf_Sym sym;

	while ((scn = elf_nextscn(img->elf, scn))) {
		Elf_Data *data;

		if (!gelf_getshdr(scn, &sh) || (sh.sh_type != SHT_DYNSYM && sh.sh_type != SHT_SYMTAB) || sh.sh_size > ELF_SECTION_MAX)
			continue;
		data = elf_getdata(scn, NULL);
		for (int i = 1; data && gelf_getsym(data, i, &sym); i++) {
			const char *found = sym.st_value ? elf_strptr(img->elf, sh.sh_link, sym.st_name) : NULL;

			if (found && !strcmp(found, name))
				return sym.st_value;
		}
	}
	return 0;
}

/* Code to look for. callee: an operand of 4 bytes follows, by which the last instruction calls that function. */
struct pattern {
	enum arch arch;
	enum { TRAMPOLINE, CHILD, CALLER, CONTEXT } kind;
	const char *callee;
	uint8_t len, bytes[15];
};

static const struct pattern patterns[] = {
	{ ARCH_X86_64, TRAMPOLINE, NULL, 9, { 0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05 } }, /* mov $15, %rax; syscall */
	{ ARCH_X86_64, TRAMPOLINE, NULL, 7, { 0xb8, 15, 0, 0, 0, 0x0f, 0x05 } },             /* mov $15, %eax; syscall */
	{ ARCH_ARM64, TRAMPOLINE, NULL, 8, { 0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4 } },   /* mov x8, #139; svc #0 */
	/* musl's clone(), in the child: xor %ebp, %ebp; pop %rdi; call *%r9; mov %eax, %edi; _exit() */
	{ ARCH_X86_64, CHILD, NULL, 15, { 0x31, 0xed, 0x5f, 0x41, 0xff, 0xd1, 0x89, 0xc7, 0x31, 0xc0, 0xb0, 60, 0x0f, 0x05, 0xf4 } },
	/* glibc's __start_context: mov %rbx, %rsp; mov (%rsp), %rdi; test %rdi, %rdi; je */
	{ ARCH_X86_64, CONTEXT, NULL, 11, { 0x48, 0x89, 0xdc, 0x48, 0x8b, 0x3c, 0x24, 0x48, 0x85, 0xff, 0x74 } },
	{ ARCH_X86_64, CALLER, "exit", 3, { 0x89, 0xc7, 0xe8 } },               /* mov %eax, %edi; call */
	{ ARCH_X86_64, CALLER, "pthread_exit", 4, { 0x48, 0x89, 0xc7, 0xe8 } }, /* mov %rax, %rdi; call */
	{ ARCH_X86_64, CALLER, "pthread_exit", 4, { 0x48, 0x63, 0xf8, 0xe8 } }, /* movslq %eax, %rdi; call: C11 threads */
};

struct search {
	const struct pattern *pattern;
	uint64_t callee;
	bool done;
};

/* A part of the code. */
struct window {
	uint64_t vaddr;
	const uint8_t *bytes;
	size_t len;
};

/* call *reg, or *(reg) with up to 8 bits of offset: ff /2. */
static bool ends_in_indirect_call(const struct window *w, size_t at)
{
	for (size_t back = 2; back <= 3 && back <= at; back++)
		if (w->bytes[at - back] == 0xff && (w->bytes[at - back + 1] & 0x38) == 0x10)
			return true;
	return false;
}

static bool calls(const struct window *w, size_t at, const struct search *s)
{
	size_t end = at + s->pattern->len + 4;
	int32_t rel;

	if (end > w->len)
		return false;
	memcpy(&rel, w->bytes + end - 4, 4);
	return w->vaddr + end + (uint64_t)(int64_t)rel == s->callee && ends_in_indirect_call(w, at);
}

static void mark_hit(const struct window *w, size_t at, struct search *s, struct marks *out)
{
	const struct pattern *p = s->pattern;
	uint64_t start = w->vaddr + at;
	/* From a byte before it: that is where the caller of what returns there, or of a handler, is looked up. */
	struct mark m = { .start = start - 1, .end = start + p->len, .rule = stop };

	if (p->kind == CALLER) {
		if (!calls(w, at, s))
			return;
		m.end += 4;
		m.weak = true;
	} else if (p->kind == TRAMPOLINE) {
		m.rule = rule_of_signal(p->arch);
	} else if (p->kind == CONTEXT) {
		m.end = start; /* its own rows hold for who is in it */
	} else {
		m.start = start;
	}
	add(out, m);
	s->done = true;
}

static void search_window(const struct window *w, struct search *s, struct marks *out)
{
	const struct pattern *p = s->pattern;
	const uint8_t *at = w->bytes, *end = w->bytes + w->len;

	while (!s->done && (at = memmem(at, (size_t)(end - at), p->bytes, p->len))) {
		if (at > w->bytes) /* else it is too near the begin of the code to be of use */
			mark_hit(w, (size_t)(at - w->bytes), s, out);
		at++;
	}
}

/* Windows overlap, so that none cuts what is looked for. */
static void search_segment(const struct elf_image *img, const struct elf_segment *seg, uint8_t *bytes, struct search *s, uint32_t n,
			   uint64_t *left, struct marks *out)
{
	for (uint64_t skip = 0; skip < seg->filesz && *left; skip += WINDOW - AROUND) {
		struct window w = { .vaddr = seg->vaddr + skip, .bytes = bytes, .len = WINDOW };

		if (seg->filesz - skip < w.len)
			w.len = seg->filesz - skip;
		if (elf_image_read(img, seg->offset + skip, bytes, w.len) < 0)
			return;
		for (uint32_t i = 0; i < n; i++)
			search_window(&w, &s[i], out);
		*left -= *left < w.len ? *left : w.len;
	}
}

static uint32_t begin_search(const struct elf_image *img, enum arch arch, bool contexts, struct search *ret)
{
	uint32_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		const struct pattern *p = &patterns[i];
		uint64_t callee = p->arch == arch && p->callee ? symbol_of(img, p->callee) : 0;

		if (p->arch == arch && (callee || !p->callee) && (p->kind == CONTEXT) == contexts)
			ret[n++] = (struct search){ .pattern = p, .callee = callee };
	}
	return n;
}

static int search_code(const struct elf_image *img, enum arch arch, bool contexts, struct marks *out)
{
	struct search searches[ARRAY_SIZE(patterns)];
	_cleanup_(freep) uint8_t *bytes = malloc(WINDOW);
	uint32_t n = begin_search(img, arch, contexts, searches);
	uint64_t left = MARKS_CODE_MAX;

	if (!bytes)
		return -ENOMEM;
	for (uint32_t i = 0; i < img->n_segments; i++)
		if (img->segments[i].flags & PF_X)
			search_segment(img, &img->segments[i], bytes, searches, n, &left, out);
	return 0;
}

enum { PLT_ENTRY = 16 };

static void add_weak(struct marks *m, uint64_t start, uint64_t end, enum unwind_cfa kind, int32_t cfa)
{
	struct unwind_rule rule = { .cfa = cfa, .how_cfa = (uint8_t)(kind | arch_facts(ARCH_X86_64)->sp << 4), .how = UNWIND_FP_SAME };

	add(m, (struct mark){ .start = start, .end = end, .rule = rule, .weak = true });
}

/* How far into an entry its index has been pushed; 0: this is no table as lld makes them. */
static int32_t pushed_after(const uint8_t plt[2 * PLT_ENTRY])
{
	static const uint8_t endbr[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	const uint8_t *entry = plt + PLT_ENTRY;

	if (plt[0] != 0xff || plt[1] != 0x35 || plt[6] != 0xff || plt[7] != 0x25) /* push GOT[1]; jmp *GOT[2] */
		return 0;
	if (!memcmp(entry, endbr, sizeof(endbr)) && entry[4] == 0x68 && entry[9] == 0xe9) /* endbr64; push; jmp */
		return 9;
	return entry[0] == 0xff && entry[1] == 0x25 && entry[6] == 0x68 && entry[11] == 0xe9 ? 11 : 0; /* jmp *GOT[n]; push; jmp */
}

/* The calls of other images' functions. binutils' linker writes their CFI, lld does not. */
static void mark_plt(const struct elf_image *img, struct marks *m)
{
	uint8_t bytes[2 * PLT_ENTRY];
	int32_t pushed = 0;
	GElf_Shdr sh;

	if (elf_image_section(img, ".plt", &sh) && sh.sh_size >= sizeof(bytes) && sh.sh_addr % PLT_ENTRY == 0 &&
	    elf_image_read(img, sh.sh_offset, bytes, sizeof(bytes)) >= 0)
		pushed = pushed_after(bytes);
	if (!pushed || sh.sh_size > UINT32_MAX || sh.sh_addr > UINT64_MAX - sh.sh_size)
		return;
	add_weak(m, sh.sh_addr, sh.sh_addr + 6, UNWIND_SP, 16);
	add_weak(m, sh.sh_addr + 6, sh.sh_addr + PLT_ENTRY, UNWIND_SP, 24);
	add_weak(m, sh.sh_addr + PLT_ENTRY, sh.sh_addr + sh.sh_size, UNWIND_PLT, pushed);
	if (elf_image_section(img, ".plt.sec", &sh) && sh.sh_size <= UINT32_MAX && sh.sh_addr <= UINT64_MAX - sh.sh_size)
		add_weak(m, sh.sh_addr, sh.sh_addr + sh.sh_size, UNWIND_SP, 8);
}

int marks_find(const struct elf_image *img, const struct elf_cfi *c, struct marks *ret)
{
	struct nature is = nature_of(img);
	struct marks m = { .n = 0 };
	int r = 0;

	if (is.program && is.entry >= c->start && is.entry < c->end)
		add(&m, (struct mark){ .start = is.entry, .end = is.entry + ENTRY_BYTES, .rule = stop, .function = true });
	/* A dynamic linker's: the kernel enters a program here. Without CFI, so nothing of a library's is meant. */
	else if (is.alone && is.entry >= c->start && is.entry < c->end)
		add(&m, (struct mark){ .start = is.entry, .end = is.entry + LINKER_ENTRY_BYTES, .rule = stop, .weak = true });
	if (is.runs || (is.alone && !has_signal_cie(c)))
		r = search_code(img, c->arch, is.runs, &m);
	if (c->arch == ARCH_X86_64)
		mark_plt(img, &m);
	if (r >= 0)
		*ret = m;
	return r;
}
