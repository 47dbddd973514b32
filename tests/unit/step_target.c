/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/walk.h" /* first: it bounds the tables' reads to slabs */

#include "step_target.h"

#include <elf.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "proc/image.h"
#include "proc/maps.h"
#include "proc/process.h"
#include "proc/scan.h"
#include "symbolize/elf_image.h"
#include "symbolize/elf_symbols.h"
#include "symbolize/symtab.h"
#include "unwind/rule_text.h"
#include "unwind/slabs.h"
#include "unwind/spaces.h"
#include "unwind/tables.h"

enum { MAPPINGS = 32, RED_ZONE = 128 };

struct code {
	uint64_t start, end;
	uint64_t bias; /* address - address in the file */
	uint8_t *bytes;
	struct symtab symbols;
	const char *path; /* the image's */
};

struct target {
	pid_t pid;
	struct images *images;
	struct processes *processes;
	struct slabs *slabs;
	struct tables *tables;
	struct spaces *spaces;
	struct space space;
	struct walk_cache cache;
	struct code code[MAPPINGS];
	uint32_t n_code;
};

/* A walk over a copy of the stack, and over the process itself outside of that. */
struct target_walk {
	struct walk walk;
	struct walk_cache *cache;
	pid_t pid;
	uint64_t at;
	size_t len;
	uint8_t stack[256 << 10];
};

static const __u8 *slab_of(const void *slabs, __u32 at)
{
	return slabs_at(slabs, at & ~(SLAB_BYTES - 1));
}

static long walk_read(struct walk *w, void *to, __u32 len, __u64 from)
{
	const struct target_walk *tw = container_of(w, struct target_walk, walk);

	if (from - tw->at < tw->len && len <= tw->len - (from - tw->at)) {
		memcpy(to, tw->stack + (from - tw->at), len);
		return 0;
	}
	return target_read(tw->pid, to, len, from);
}

static struct walk_cache *walk_cache(struct walk *w)
{
	return container_of(w, struct target_walk, walk)->cache;
}

int target_read(pid_t pid, void *to, size_t len, uint64_t from)
{
	struct iovec here = { to, len }, there = { (void *)from, len };

	return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)len ? 0 : -1;
}

static int add_symbols(const struct image *image, const struct mapping *m, struct code *c)
{
	_cleanup_(elf_image_freep)
	struct elf_image *elf = NULL;
	const struct elf_segment *s;
	int r = image->kind == IMAGE_VDSO ? elf_image_open_vdso(&elf)
					  : elf_image_open(image->fd, &elf);

	if (r < 0)
		return r;
	s = elf_image_segment(elf, m->pgoff);
	c->bias = m->start - m->pgoff + (s ? s->offset - s->vaddr : 0);
	r = elf_symbols_add(elf, &c->symbols);
	if (r >= 0)
		symtab_finish(&c->symbols, 1 << 20);
	return r;
}

static int add_code(struct target *t, const struct mapping *m)
{
	const struct image *image = image_get(t->images, m->image);
	struct code *c = &t->code[t->n_code];
	size_t len = m->end - m->start;

	if (t->n_code == MAPPINGS)
		return -E2BIG;
	c->start = m->start;
	c->end = m->end;
	c->path = image->path;
	c->bytes = calloc(1, len + 16);
	if (!c->bytes)
		return -ENOMEM;
	t->n_code++;
	if (target_read(t->pid, c->bytes, len, m->start) < 0)
		return -EIO;
	return add_symbols(image, m, c);
}

/* Waits for the image's table as the agent's loop does. */
static int load_image(struct target *t, const struct mapping *m)
{
	struct image_owner owner = { t->pid, m->vma_start, m->vma_end };
	int r = image_open(t->images, m->image, &owner);

	if (r < 0 && image_get(t->images, m->image)->kind == IMAGE_FILE)
		return r;
	while ((r = tables_want(t->tables, m->image, time_boot_ns())) == -EAGAIN) {
		struct pollfd fd = { .fd = tables_fd(t->tables), .events = POLLIN };

		poll(&fd, 1, 100);
	}
	return r;
}

static int load(struct target *t)
{
	const struct process *p;
	int r = scan_process(t->processes, t->pid, t->pid);

	p = r < 0 ? NULL : process_find(t->processes, (uint32_t)t->pid);
	if (!p)
		return r < 0 ? r : -ESRCH;
	for (uint32_t i = 0; i < maps_count(p->maps) && r >= 0; i++) {
		r = load_image(t, maps_at(p->maps, i));
		if (r >= 0)
			r = add_code(t, maps_at(p->maps, i));
	}
	return r < 0 ? r : spaces_get(t->spaces, p, 1, 1, time_boot_ns(), &t->space);
}

int target_new(pid_t pid, struct target **ret)
{
	struct target *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->pid = pid;
	r = images_new(&t->images);
	if (r >= 0)
		r = processes_new(t->images, &t->processes);
	if (r >= 0)
		r = slabs_new(-1, &t->slabs);
	if (r >= 0)
		r = tables_new(t->slabs, t->images, 64 * MIB, &t->tables);
	if (r >= 0)
		r = spaces_new(-1, t->slabs, t->tables, t->processes, &t->spaces);
	if (r >= 0)
		r = load(t);
	if (r < 0) {
		target_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

struct target *target_free(struct target *t)
{
	if (!t)
		return NULL;
	for (uint32_t i = 0; i < t->n_code; i++) {
		symtab_fini(&t->code[i].symbols);
		free(t->code[i].bytes);
	}
	spaces_free(t->spaces);
	tables_free(t->tables);
	slabs_free(t->slabs);
	processes_free(t->processes);
	images_free(t->images);
	free(t);
	return NULL;
}

static void begin(struct target_walk *tw, struct target *t, const struct user_regs_struct *u)
{
	const uint64_t regs[EV_REGS] = { u->rax, u->rdx, u->rcx, u->rbx, u->rsi, u->rdi,
					 u->rbp, u->rsp, u->r8,  u->r9,  u->r10, u->r11,
					 u->r12, u->r13, u->r14, u->r15 };

	tw->walk = (struct walk){ .pc = u->rip,
				  .sp = u->rsp,
				  .fp = u->rbp,
				  .flags = WALK_REGS,
				  .slabs = t->slabs,
				  .space = t->space,
				  .status = EV_CUT_DEPTH };
	tw->cache = &t->cache;
	memcpy(tw->walk.regs, regs, sizeof(regs));
}

/* From the red zone up, as far as it can be read: its mapping ends somewhere. */
static void copy_stack(struct target_walk *tw, pid_t pid)
{
	struct iovec here = { tw->stack, sizeof(tw->stack) }, there[64];
	ssize_t n;

	tw->pid = pid;
	tw->at = tw->walk.sp - RED_ZONE;
	for (size_t i = 0; i < 64; i++)
		there[i] = (struct iovec){ (uint8_t *)((tw->at & ~4095ull) + i * 4096), 4096 };
	there[0].iov_len -= tw->at & 4095;
	there[0].iov_base = (uint8_t *)tw->at;
	n = process_vm_readv(pid, &here, 1, there, 64, 0);
	tw->len = n < 0 ? 0 : (size_t)n;
}

void target_walk(struct target *t, pid_t pid, const struct user_regs_struct *regs,
		 struct walked *ret)
{
	static struct target_walk tw;
	struct walk *w = &tw.walk;

	begin(&tw, t, regs);
	copy_stack(&tw, pid);
	for (ret->n = 0; ret->n < EV_USER_FRAMES && walk_locate(w) == WALK_ON;) {
		ret->pc[ret->n++] = w->pc;
		if (walk_step(w) != WALK_ON)
			break;
	}
	ret->status = w->status;
}

static const struct code *code_of(const struct target *t, uint64_t pc)
{
	for (uint32_t i = 0; i < t->n_code; i++)
		if (pc >= t->code[i].start && pc < t->code[i].end)
			return &t->code[i];
	return NULL;
}

enum step_code target_code(const struct target *t, uint64_t pc)
{
	const struct code *c = code_of(t, pc);
	const uint8_t *b = c ? c->bytes + (pc - c->start) : NULL;

	if (!b)
		return STEP_OTHER;
	while (*b == 0xf2 || *b == 0xf3 || *b == 0x66 || *b == 0x2e || *b == 0x3e ||
	       (*b & 0xf0) == 0x40)
		b++;
	if (*b == 0xe8 || (*b == 0xff && (b[1] >> 3 & 7) == 2))
		return STEP_CALL;
	if (*b == 0xc3 || *b == 0xc2)
		return STEP_RETURN;
	if (*b == 0xff && (b[1] >> 3 & 7) == 4)
		return STEP_JUMP;
	return *b == 0x0f && b[1] == 0x05 ? STEP_SYSCALL : STEP_OTHER;
}

const char *target_name(struct target *t, uint64_t pc)
{
	static char text[4][128];
	static uint32_t which;
	const struct code *c = code_of(t, pc);
	const struct symbol *s = c ? symtab_find(&c->symbols, pc - c->bias) : NULL;
	char *out = text[which++ % 4];

	if (s)
		snprintf(out, sizeof(text[0]), "%s+0x%lx", symtab_str(&c->symbols, s->name),
			 pc - c->bias - s->addr);
	else if (c)
		snprintf(out, sizeof(text[0]), "%s+0x%lx",
			 strrchr(c->path, '/') ? strrchr(c->path, '/') + 1 : c->path, pc - c->bias);
	else
		snprintf(out, sizeof(text[0]), "0x%lx", pc);
	return out;
}

const char *target_rule(struct target *t, uint64_t pc)
{
	static char text[160];
	struct space_code code;
	struct unwind_rule rule;
	struct rule_text said;

	if (!space_find(t->slabs, t->space.maps, t->space.n_maps, pc, &code))
		return "no mapping";
	space_rule(t->slabs, &code, pc, &rule);
	said = rule_text(ARCH_X86_64, &rule);
	snprintf(text, sizeof(text), "%s %s %s", said.cfa, said.fp, said.ra);
	return text;
}

static bool find_object(Elf *elf, uint64_t bias, const char *name, uint64_t *ret_at,
			uint64_t *ret_size)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	GElf_Sym sym;

	while ((scn = elf_nextscn(elf, scn))) {
		Elf_Data *data = gelf_getshdr(scn, &sh) && sh.sh_type == SHT_SYMTAB
					 ? elf_getdata(scn, NULL)
					 : NULL;

		for (int i = 0; data && gelf_getsym(data, i, &sym); i++) {
			const char *found = elf_strptr(elf, sh.sh_link, sym.st_name);

			if (GELF_ST_TYPE(sym.st_info) != STT_OBJECT || !found ||
			    strcmp(found, name))
				continue;
			*ret_at = sym.st_value + bias;
			*ret_size = sym.st_size;
			return true;
		}
	}
	return false;
}

bool target_object(const struct target *t, const char *name, uint64_t *ret_at, uint64_t *ret_size)
{
	const struct process *p = process_find(t->processes, (uint32_t)t->pid);
	const struct image *image = image_get(t->images, maps_at(p->maps, 0)->image);
	_cleanup_(elf_image_freep)
	struct elf_image *elf = NULL;

	return elf_image_open(image->fd, &elf) >= 0 &&
	       find_object(elf->elf, t->code[0].bias, name, ret_at, ret_size);
}
