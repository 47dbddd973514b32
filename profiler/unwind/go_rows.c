/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/go_rows.h"

#include <string.h>

#include "base/cleanup.h"

enum { REG_FP = 6, REG_SP = 7 };
/* Where rsp lies in the ucontext that rt_sigreturn finds at sp (asm/sigcontext.h). */
enum { UCONTEXT_SP = 160 };
/* Functions begin at multiples of 32: what lies behind a function's last pc is padding, not code. */
enum { PADDING_MAX = 31 };

/*
 * What the flags of a record do not say, or say in new versions only; each as it stands in the runtime's
 * asm_amd64.s, sys_linux_amd64.s and time_linux_amd64.s.
 */
static const struct {
	const char *name;
	enum go_kind kind;
} specials[] = {
	/* The process's entry: no return address, argc lies there. rt0_go aligns sp: what it was is gone. */
	{ "_rt0_amd64_linux", GO_STOP },
	{ "_rt0_amd64", GO_STOP },
	{ "runtime.rt0_go", GO_STOP },
	/* A goroutine's first return address; a thread's first function, below which clone has no caller. */
	{ "runtime.goexit", GO_STOP },
	{ "runtime.mstart", GO_STOP },
	/* Leave a goroutine for the scheduler or to grow its stack: rbp is 0 there, nobody called them. */
	{ "runtime.mcall", GO_STOP },
	{ "runtime.morestack", GO_STOP },
	/* Go over to a goroutine: between two stacks for five instructions. One function before Go 1.17. */
	{ "runtime.gogo", GO_STOP },
	{ "gogo", GO_STOP },
	/* Run a Go function on g0's stack, or the crash's, and come back; rbp stays that of their own frame. */
	{ "runtime.systemstack", GO_SWITCH },
	{ "runtime.switchToCrashStack0", GO_SWITCH },
	/* Run C on g0's stack, which is aligned for it; C keeps rbp. */
	{ "runtime.asmcgocall", GO_SWITCH },
	{ "runtime.asmcgocall_no_g", GO_SWITCH },
	/* From C on g0's stack to the goroutine's: rbp leads back to C. Its old name is from before Go 1.16. */
	{ "runtime.cgocallback", GO_SWITCH },
	{ "runtime.cgocallback_gofunc", GO_SWITCH },
	/* Call the vDSO on g0's stack. */
	{ "runtime.nanotime1", GO_SWITCH },
	{ "runtime.walltime", GO_SWITCH },
	{ "runtime.walltime1", GO_SWITCH },
	{ "runtime.vgetrandom1", GO_SWITCH },
	{ "time.now", GO_SWITCH },
	/* Where a handler returns to. sigtramp is marked as a stack's top, but goes on there. */
	{ "runtime.sigreturn__sigaction", GO_SIGNAL },
	{ "runtime.sigreturn", GO_SIGNAL }, /* before Go 1.19 */
	{ "runtime.sigtramp", GO_PLAIN },
};

enum go_kind go_kind(const struct go_func *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(specials); i++)
		if (!strcmp(f->name, specials[i].name))
			return specials[i].kind;
	if (f->flags & GO_TOP_FRAME)
		return GO_STOP;
	return f->flags & GO_WRITES_SP ? GO_SWITCH : GO_PLAIN;
}

uint64_t go_func_start(const struct go_func *f, enum go_kind kind)
{
	return f->entry - (kind == GO_SIGNAL);
}

static struct unwind_rule whole_rule(enum go_kind kind)
{
	switch (kind) {
	case GO_STOP:
		return (struct unwind_rule){ .how_cfa = UNWIND_STOP };
	case GO_SIGNAL:
		return (struct unwind_rule){ .cfa = UCONTEXT_SP,
					     .how_cfa = UNWIND_SIGNAL | REG_SP << 4 };
	default:
		return (struct unwind_rule){ 0 };
	}
}

/*
 * Before Go 1.21 the functions that switch stacks have no frame of their own: rbp is their caller's, and
 * leads past it. One frame is lost there, which is better than all that follow.
 */
static bool is_frameless(struct go_pclntab *t, const struct go_func *f)
{
	struct go_sp_run run;
	struct go_sp sp;

	go_sp_begin(&run, t, f);
	while (go_sp_next(&run, &sp) > 0)
		if (sp.value >= 8)
			return false;
	return true;
}

static struct unwind_rule rule_at(const struct go_rows_run *run, int64_t moved)
{
	enum go_kind kind = run->kind;

	if (moved < 0 || moved > INT32_MAX - 8)
		return (struct unwind_rule){ 0 };
	if (moved < 8 && !run->frameless)
		return (struct unwind_rule){ .cfa = (int32_t)moved + 8,
					     .how_cfa = UNWIND_SP | REG_SP << 4 };
	if (kind == GO_SWITCH)
		return (struct unwind_rule){ .cfa = 16,
					     .fp = -16,
					     .how_cfa = UNWIND_FRAME | REG_FP << 4,
					     .how = UNWIND_FP_AT_CFA };
	return (struct unwind_rule){ .cfa = (int32_t)moved + 8,
				     .fp = -16,
				     .how_cfa = UNWIND_SP | REG_SP << 4,
				     .how = UNWIND_FP_AT_CFA };
}

void go_rows_begin(struct go_rows_run *run, struct go_pclntab *t, const struct go_func *f,
		   enum go_kind kind)
{
	*run = (struct go_rows_run){ .kind = kind, .done = go_func_start(f, kind), .end = f->end };
	run->rule = whole_rule(kind);
	/* Code that is not Go's (of C, linked by Go) has no table. */
	run->whole = kind == GO_STOP || kind == GO_SIGNAL || !f->pcsp;
	run->frameless = kind == GO_SWITCH && !run->whole && is_frameless(t, f);
	go_sp_begin(&run->sp, t, f);
}

static int give(struct go_rows_run *run, uint64_t end, struct go_row *ret)
{
	*ret = (struct go_row){ .start = run->done,
				.end = end < run->end ? end : run->end,
				.rule = run->rule };
	run->done = ret->end;
	return 1;
}

int go_rows_next(struct go_rows_run *run, struct go_row *ret)
{
	struct go_sp sp;
	int r;

	if (run->done >= run->end)
		return 0;
	if (run->whole)
		return give(run, run->end, ret);
	while ((r = go_sp_next(&run->sp, &sp)) > 0) {
		if (sp.end <= run->done)
			continue;
		run->rule = rule_at(run, sp.value);
		give(run, sp.end, ret);
		ret->lost = unwind_cfa(&run->rule) == UNWIND_INVALID;
		return 1;
	}
	if (r < 0)
		return r;
	if (run->end - run->done > PADDING_MAX)
		run->rule = whole_rule(GO_PLAIN);
	return give(run, run->end, ret);
}
