/* SPDX-License-Identifier: Apache-2.0 */
/*
 * go_live PID ROUNDS: a running program's threads stopped, and their stacks walked by our rows alone.
 *
 * What .debug_frame cannot be asked: that the rows of switched stacks, signal handlers and calls between Go
 * and C lead from frame to frame, and end where stacks end. Status 1: fewer than 99.5 % of the stacks do.
 */
#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unwind/elf_cfi.h"

enum { MAPS = 64, DEPTH = 200, EXAMPLES = 8 };

struct mapping {
	uint64_t start, end, bias; /* a pc less its bias is an address of the image */
	struct rows *rows;
};

static struct {
	pid_t pid;
	struct mapping maps[MAPS];
	uint32_t n_maps;
	uint64_t stacks, whole, frames, switches, signals, deepest;
} all;

struct frame {
	uint64_t pc, sp, fp, reg[16];
	bool exact; /* the leaf, or interrupted: pc is no return address */
};

static uint64_t word(uint64_t at)
{
	uint64_t v = 0;
	struct iovec to = { &v, sizeof(v) }, from = { (void *)at, sizeof(v) };

	return process_vm_readv(all.pid, &to, 1, &from, 1, 0) == sizeof(v) ? v : 0;
}

static void add_mapping(uint64_t start, uint64_t end, uint64_t offset, const char *path)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	struct mapping *m = &all.maps[all.n_maps];
	const struct elf_segment *s;
	bool vdso = !strcmp(path, "[vdso]");

	if (all.n_maps == MAPS)
		return;
	if (vdso ? elf_image_open_memory((void *)getauxval(AT_SYSINFO_EHDR), 8192, &img)
		 : elf_image_open(fd, &img))
		return;
	s = elf_image_segment(img, offset);
	*m = (struct mapping){ start, end,
			       vdso ? start
			       : s  ? start - offset + s->offset - s->vaddr
				    : 0,
			       NULL };
	if (!elf_cfi_rows(img, ELF_CFI_ALL, &m->rows))
		all.n_maps++;
}

static void read_maps(void)
{
	char path[64], line[4352], file[4096];
	unsigned long start, end, offset;

	snprintf(path, sizeof(path), "/proc/%d/maps", all.pid);
	_cleanup_(fclosep) FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx r-xp %lx %*s %*s %4095s", &start, &end, &offset, file) ==
		    4)
			add_mapping(start, end, offset, file);
}

static const struct unwind_rule *find(uint64_t pc)
{
	static const struct unwind_rule none;

	for (uint32_t i = 0; i < all.n_maps; i++)
		if (pc >= all.maps[i].start && pc < all.maps[i].end)
			return rows_find(all.maps[i].rows, pc - all.maps[i].bias);
	return &none;
}

static uint64_t cfa_of(const struct unwind_rule *r, const struct frame *f)
{
	switch (unwind_cfa(r)) {
	case UNWIND_SP:
		return f->sp + (uint64_t)r->cfa;
	case UNWIND_FP:
	case UNWIND_FRAME:
		return f->fp + (uint64_t)r->cfa;
	case UNWIND_REG:
		return f->reg[unwind_reg(r)] + (uint64_t)r->cfa;
	case UNWIND_PLT:
		return f->sp + 8 + ((f->pc & 15) >= (uint64_t)r->cfa) * 8;
	case UNWIND_DEREF_SP:
		return word(f->sp + (uint64_t)unwind_deref_a(r)) + (uint64_t)unwind_deref_b(r);
	case UNWIND_DEREF_FP:
		return word(f->fp + (uint64_t)unwind_deref_a(r)) + (uint64_t)unwind_deref_b(r);
	default:
		return 0;
	}
}

static void leave_signal(const struct unwind_rule *r, struct frame *f)
{
	uint64_t at = f->sp + (uint64_t)r->cfa;

	f->pc = word(at + 8);
	f->fp = word(at - 40);
	f->sp = word(at);
	f->exact = true;
	all.signals++;
}

/* One frame up; false where the rows give no way on. */
static bool step(const struct unwind_rule *r, struct frame *f)
{
	uint64_t cfa;

	if (unwind_cfa(r) == UNWIND_SIGNAL) {
		leave_signal(r, f);
		return f->pc;
	}
	cfa = cfa_of(r, f);
	if (!cfa)
		return false;
	all.switches += unwind_cfa(r) == UNWIND_FRAME && (cfa < f->sp || cfa - f->sp > 1 << 16);
	f->pc = unwind_ra(r) == UNWIND_RA_REG ? f->reg[unwind_ra_x(r)]
					      : word(cfa - 8 * (unwind_ra_x(r) + 1));
	if (unwind_fp(r) == UNWIND_FP_AT_CFA)
		f->fp = word(cfa + (uint64_t)r->fp);
	else if (unwind_fp(r) == UNWIND_FP_AT_FP)
		f->fp = word(f->fp + (uint64_t)r->fp);
	f->sp = cfa;
	f->exact = false;
	return f->pc;
}

static void walk(const struct user_regs_struct *u)
{
	struct frame f = { .pc = u->rip,
			   .sp = u->rsp,
			   .fp = u->rbp,
			   .exact = true,
			   .reg = { u->rax, u->rdx, u->rcx, u->rbx, u->rsi, u->rdi, u->rbp, u->rsp,
				    u->r8, u->r9, u->r10, u->r11, u->r12, u->r13, u->r14,
				    u->r15 } };
	uint64_t pcs[DEPTH], n = 0;
	const struct unwind_rule *r;
	bool on = true;

	all.stacks++;
	while (on && n < DEPTH) {
		pcs[n++] = f.pc;
		r = find(f.pc - !f.exact);
		if (unwind_cfa(r) == UNWIND_STOP)
			break;
		on = step(r, &f);
	}
	all.frames += n;
	all.deepest = n > all.deepest ? n : all.deepest;
	if (on && n < DEPTH) {
		all.whole++;
		return;
	}
	if (all.stacks - all.whole > EXAMPLES)
		return;
	printf("ends early:");
	for (uint64_t i = 0; i < n && i < 40; i++)
		printf(" %lx", pcs[i]);
	printf("\n");
}

static void stop_and_walk(pid_t tid)
{
	struct user_regs_struct u;
	int status = 0;

	if (ptrace(PTRACE_SEIZE, tid, 0, 0) < 0)
		return; /* it has ended */
	if (!ptrace(PTRACE_INTERRUPT, tid, 0, 0) && waitpid(tid, &status, __WALL) == tid &&
	    WIFSTOPPED(status) && !ptrace(PTRACE_GETREGS, tid, 0, &u))
		walk(&u);
	/* A signal that came first is its own again. */
	ptrace(PTRACE_DETACH, tid, 0,
	       WIFSTOPPED(status) && status >> 16 == 0 ? WSTOPSIG(status) : 0);
}

static void sample_threads(void)
{
	char path[64];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", all.pid);
	d = opendir(path);
	while (d && (e = readdir(d)))
		if (*e->d_name != '.')
			stop_and_walk(atoi(e->d_name));
	if (d)
		closedir(d);
}

int main(int argc, char **argv)
{
	int rounds = argc == 3 ? atoi(argv[2]) : 0;

	if (!rounds)
		return 2;
	all.pid = atoi(argv[1]);
	read_maps();
	for (int i = 0; i < rounds; i++, usleep(2000))
		sample_threads();
	printf("%lu stacks, %lu to their root, mean depth %.1f, deepest %lu, %lu switches of "
	       "stack, %lu signal frames\n",
	       all.stacks, all.whole, (double)all.frames / (double)(all.stacks ? all.stacks : 1),
	       all.deepest, all.switches, all.signals);
	return all.stacks < 100 || all.whole * 1000 < all.stacks * 995;
}
