/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step_oracle [-v] PROGRAM "CASE [N]"...: single-steps the program from its entry to its end, once for each case,
 * and at every instruction compares the walk with a shadow stack (step_shadow.h).
 *
 * Every pc must be equal, up to the root. What cannot be has its reason in a table (step_causes.c), and how often it
 * may be met. Loops are long: an instruction is looked at so many times, and then now and then.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "step_causes.h"
#include "step_shadow.h"
#include "step_target.h"

enum { EVERY = 48, THEN = 61, MAX_STEPS = 400000, SIGNAL_EVERY = 7, SIGNALS_DEEP = 4 };

static struct {
	struct target *target;
	bool verbose, send_signals;
	uint64_t steps, walks, frames, differ, known, handlers;
	uint32_t deepest;
	uint8_t visits[1 << 18];
} all;

static const char *const cuts[] = {
#define CUT(id, name, is_complete, help) name,
#include "bpf/drops.def"
#undef CUT
};

static void fail(const char *what, uint64_t pc)
{
	printf("  %s: %s\n", what, target_name(all.target, pc));
	all.differ++;
}

static void show(const char *title, uint64_t pc, bool exact)
{
	printf("    %-6s %016lx %-40s %s\n", title, pc, target_name(all.target, pc),
	       target_rule(all.target, pc - !exact));
}

static void show_both(const struct walked *w, const struct shadow_entry *last, uint32_t n,
		      uint32_t from)
{
	from = from > 3 ? from - 3 : 0;
	for (uint32_t i = from; i < from + 6 && i < w->n; i++)
		show("walk", w->pc[i] & EV_FRAME_ADDR_MASK, !i);
	for (uint32_t i = from; i < from + 6 && i < n; i++)
		show("truth", (last - i)->pc, (last - i)->interrupted);
}

static uint64_t frame(const struct walked *w, uint32_t i)
{
	return w->pc[i] & EV_FRAME_ADDR_MASK;
}

/* Frames that are equal; the walk's first is the pc itself. */
static uint32_t equal_frames(const struct walked *w, uint64_t pc, const struct shadow_entry *last,
			     uint32_t n)
{
	uint32_t i = w->n && frame(w, 0) == pc;

	while (i && i < w->n && i <= n && frame(w, i) == (last - (i - 1))->pc)
		i++;
	return i;
}

/* Is every frame of the walk one of the truth's, in its order? */
static bool has_fewer(const struct walked *w, const struct shadow_entry *last, uint32_t n)
{
	uint32_t i = 1;

	for (uint32_t k = 0; k < n && i < w->n; k++)
		i += frame(w, i) == (last - k)->pc;
	return i >= w->n;
}

static void judge(const struct walked *w, const struct user_regs_struct *u,
		  const struct shadow_entry *last, uint32_t n, uint32_t same)
{
	const struct difference d = { .leaf = target_name(all.target, u->rip),
				      .caller = n ? target_name(all.target, last->pc) : "",
				      .last = target_name(all.target,
							  same ? frame(w, same - 1) : u->rip),
				      .leaf_rule = target_rule(all.target, u->rip),
				      .status = w->status,
				      .early = w->n == same,
				      .fewer = has_fewer(w, last, n) };
	uint64_t count = causes_add(&d);

	all.known += !count;
	all.differ += count > 0;
	if (!count || (count > 1 && !all.verbose))
		return;
	printf("  at %s: %u of %u frames are right; walk %u, %s; rsp %llx rbp %llx\n", d.leaf, same,
	       n + 1, w->n, cuts[w->status], u->rsp, u->rbp);
	show_both(w, last, n, same);
}

static void compare(pid_t pid, const struct shadow *s, const struct user_regs_struct *u)
{
	const struct shadow_entry *last;
	uint32_t n = shadow_callers(s, &last), same;
	struct walked w;

	if (n && !last) {
		fail("deeper than the shadow stack holds", u->rip);
		return;
	}
	target_walk(all.target, pid, u, &w);
	all.walks++;
	all.frames += w.n;
	all.deepest = n + 1 > all.deepest ? n + 1 : all.deepest;
	same = equal_frames(&w, u->rip, last, n);
	if (same != n + 1 || w.n != same || w.status != EV_CUT_ROOT)
		judge(&w, u, last, n, same);
}

static bool is_due(uint64_t pc)
{
	uint8_t *visits = &all.visits[hash_u64(pc) % ARRAY_SIZE(all.visits)];

	if (*visits >= EVERY + THEN)
		*visits = EVERY;
	return (*visits)++ <= EVERY;
}

static uint64_t word(pid_t pid, uint64_t at)
{
	uint64_t v = 0;

	target_read(pid, &v, sizeof(v), at);
	return v;
}

/* The kernel's own call: the handler returns to code that asks for rt_sigreturn. */
static bool is_handler(pid_t pid, const struct user_regs_struct *u)
{
	static const uint8_t restore[] = { 0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05 };
	uint8_t code[sizeof(restore)];

	return !target_read(pid, code, sizeof(code), word(pid, u->rsp)) &&
	       !memcmp(code, restore, sizeof(code));
}

/* Follows one instruction. */
static void follow(pid_t pid, struct shadow *s, const struct user_regs_struct *from,
		   const struct user_regs_struct *to)
{
	switch (target_code(all.target, from->rip)) {
	case STEP_CALL:
		if (to->rsp == from->rsp - 8)
			shadow_call(s, to->rsp, word(pid, to->rsp));
		break;
	case STEP_RETURN:
		shadow_return(s, from->rsp, to->rip, word(pid, to->rsp));
		break;
	case STEP_JUMP:
		shadow_jump(s, to->rsp);
		break;
	case STEP_SYSCALL:
		if (from->rax == 15 && !shadow_sigreturn(s, to->rip))
			fail("sigreturn to where nobody was interrupted", to->rip);
		break;
	default:
		break;
	}
}

static void trace(pid_t pid, struct shadow *s);

/* A child of vfork(), clone() or fork() runs to its end, or to its exec, while the parent waits. */
static void trace_child(pid_t parent, const struct shadow *s)
{
	struct shadow *copy = malloc(sizeof(*copy));
	struct user_regs_struct ours, theirs;
	unsigned long pid = 0;
	int status;

	ptrace(PTRACE_GETEVENTMSG, parent, 0, &pid);
	if (!copy || waitpid((pid_t)pid, &status, __WALL) != (pid_t)pid ||
	    ptrace(PTRACE_GETREGS, parent, 0, &ours) ||
	    ptrace(PTRACE_GETREGS, (pid_t)pid, 0, &theirs)) {
		all.differ++;
		free(copy);
		return;
	}
	*copy = *s;
	if (ours.rsp != theirs.rsp) /* on a stack of its own, which begins here */
		copy->stacks[copy->here].n = 0;
	trace((pid_t)pid, copy);
	free(copy);
}

/* True when the thread has gone, or runs something else. */
static bool on_event(pid_t pid, const struct shadow *s, int event)
{
	if (event != PTRACE_EVENT_EXEC) {
		trace_child(pid, s);
		return false;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
	return true;
}

/* At the stop after a step, or after a signal was handed over (sig). */
static void at_stop(pid_t pid, struct shadow *s, struct user_regs_struct *was, int sig)
{
	struct user_regs_struct now;

	if (ptrace(PTRACE_GETREGS, pid, 0, &now))
		return;
	if (sig && now.rsp != was->rsp && is_handler(pid, &now)) {
		shadow_signal(s, now.rsp, was->rip, word(pid, now.rsp));
		all.handlers++;
	} else if (now.rip != was->rip || now.rsp != was->rsp) {
		follow(pid, s, was, &now);
	}
	all.steps++;
	*was = now;
	if (is_due(now.rip))
		compare(pid, s, &now);
}

/* Of its own accord now and then, in the cases made for that: at any instruction, in a handler too. */
static int signal_to_send(const struct shadow *s, uint64_t step)
{
	return all.send_signals && all.handlers && all.handlers < 400 && step % SIGNAL_EVERY == 0 &&
			       shadow_signals(s) < SIGNALS_DEEP
		       ? SIGUSR2
		       : 0;
}

static void trace(pid_t pid, struct shadow *s)
{
	struct user_regs_struct was;
	int status, sig = 0;

	ptrace(PTRACE_GETREGS, pid, 0, &was);
	compare(pid, s, &was);
	for (uint64_t i = 0; i < MAX_STEPS && !ptrace(PTRACE_SINGLESTEP, pid, 0, sig); i++) {
		if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
			return;
		if (status >> 16) {
			if (on_event(pid, s, status >> 16))
				return;
			sig = 0;
			continue;
		}
		at_stop(pid, s, &was, sig);
		sig = WSTOPSIG(status) == SIGTRAP   ? signal_to_send(s, i)
		      : WSTOPSIG(status) == SIGSTOP ? 0
						    : WSTOPSIG(status);
	}
	fail("not at its end after as many steps as a case may have", was.rip);
}

static uint64_t entry_of(pid_t pid)
{
	char path[32];
	Elf64_auxv_t v;

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	_cleanup_(closep)
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && read(fd, &v, sizeof(v)) == sizeof(v))
		if (v.a_type == AT_ENTRY)
			return v.a_un.a_val;
	return 0;
}

/* Past the dynamic linker: when all code is mapped. 0 or -1. */
static int run_to_entry(pid_t pid)
{
	uint64_t entry = entry_of(pid);
	struct user_regs_struct u;
	int status;
	long code;

	errno = 0;
	code = ptrace(PTRACE_PEEKTEXT, pid, entry, 0);
	if (errno || ptrace(PTRACE_POKETEXT, pid, entry, (code & ~0xffl) | 0xcc) ||
	    ptrace(PTRACE_CONT, pid, 0, 0) || waitpid(pid, &status, 0) != pid ||
	    !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
		return -1;
	ptrace(PTRACE_GETREGS, pid, 0, &u);
	u.rip = entry;
	return ptrace(PTRACE_POKETEXT, pid, entry, code) || ptrace(PTRACE_SETREGS, pid, 0, &u) ? -1
											       : 0;
}

/* One CPU for both: a step is two switches between them, and a third as dear without waking another CPU. */
static void share_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static pid_t start(char *const argv[])
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		/* Binding as it goes would be most of each case: that is one of its own. */
		if (argv[1] && strcmp(argv[1], "plt"))
			setenv("LD_BIND_NOW", "1", 1);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return -1;
	ptrace(PTRACE_SETOPTIONS, pid, 0,
	       PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
		       PTRACE_O_TRACEEXEC);
	return run_to_entry(pid) ? -1 : pid;
}

/* Stacks that have roots of their own; a program without coroutines has none. */
static void find_stacks(struct shadow *s)
{
	uint64_t at, size;

	if (!target_object(all.target, "step_stacks", &at, &size))
		return;
	for (uint32_t i = 1; i < SHADOW_STACKS; i++) {
		s->stacks[i].start = at + (i - 1) * size / (SHADOW_STACKS - 1);
		s->stacks[i].end = at + i * size / (SHADOW_STACKS - 1);
	}
}

static void report(const char *name, const struct shadow *s)
{
	printf("  %-16s %8lu steps, %8lu walks, %5.1f frames on average, deepest %4u, %3lu "
	       "handlers, %2u jumps, %lu known to differ, %lu wrong\n",
	       name, all.steps, all.walks, (double)all.frames / (double)all.walks, all.deepest,
	       all.handlers, s->jumps, all.known, all.differ);
	all.steps = all.walks = all.frames = all.known = all.deepest = all.handlers = 0;
	memset(all.visits, 0, sizeof(all.visits));
}

/* 0, or 1 when anything differs. */
static int run_case(char *program, const char *spec)
{
	_cleanup_(freep)
	struct shadow *s = calloc(1, sizeof(*s));
	_cleanup_(freep)
	char *words = strdup(spec);
	char *name = words ? strtok(words, " ") : NULL, *n = name ? strtok(NULL, " ") : NULL;
	char *const argv[] = { program, name, n, NULL };
	pid_t pid = s ? start(argv) : -1;
	int r = pid < 0 ? -1 : target_new(pid, &all.target);

	if (r < 0) {
		printf("  %s %s did not start: %s\n", program, spec, strerror(-r));
		return 1;
	}
	find_stacks(s);
	all.differ = 0;
	all.send_signals = !strncmp(spec, "signals", 7);
	trace(pid, s);
	report(spec, s);
	all.target = target_free(all.target);
	return all.differ > 0;
}

int main(int argc, char **argv)
{
	int failed = 0, i = 1;

	all.verbose = argc > 1 && !strcmp(argv[1], "-v");
	i += all.verbose;
	if (argc < i + 2) {
		fprintf(stderr, "usage: %s [-v] PROGRAM \"CASE [N]\"...\n", argv[0]);
		return 2;
	}
	share_cpu();
	for (char *program = argv[i++]; i < argc; i++)
		failed += run_case(program, argv[i]);
	failed += causes_report() > 0;
	return failed > 0;
}
