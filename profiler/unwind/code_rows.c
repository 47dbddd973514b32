/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/code_rows.h"

#include <errno.h>
#include <string.h>

#include "unwind/x86_insn.h"

enum { REG_FP = 6, REG_SP = 7 }; /* DWARF's numbers */

/* A CFA further away is no function's we believe in. */
#define HEIGHT_MAX (16 << 20)

struct walk {
	const uint8_t *code;
	uint32_t len;
	struct code_state *states;
	uint32_t *todo, n_todo;
	struct code_state away; /* of the jumps through registers; height 0: there is none, or they differ */
	uint32_t n_away;
	bool guessing, bad;
};

static bool equal(const struct code_state *a, const struct code_state *b)
{
	return a->height == b->height && a->frame == b->frame && a->saved == b->saved;
}

static bool knows_cfa(const struct code_state *s)
{
	return s->height != CODE_UNKNOWN || s->frame;
}

/* A path arrives at an offset. */
static void visit(struct walk *w, int64_t at, const struct code_state *s)
{
	struct code_state *there;

	if (at < 0 || at >= w->len)
		return;
	there = &w->states[at];
	if (there->height) {
		w->bad |= !equal(there, s);
		return;
	}
	*there = *s;
	there->guessed = w->guessing;
	w->todo[w->n_todo++] = (uint32_t)at;
}

/* May the function end here, with a return or a jump to another one? */
static bool is_as_at_entry(const struct code_state *s)
{
	return s->height == 8 && !s->saved && !s->frame;
}

/* rbp gets a value that is not the caller's and no frame. False: the caller's is lost. */
static bool drop_fp(struct code_state *s)
{
	s->frame = 0;
	return s->saved;
}

/* rbp is read from a place that many bytes below the CFA. */
static bool load_fp(struct code_state *s, int32_t below)
{
	if (s->saved && below == s->saved) {
		s->saved = s->frame = 0;
		return true;
	}
	return drop_fp(s);
}

static void move_sp(struct code_state *s, int64_t by)
{
	if (s->height != CODE_UNKNOWN)
		s->height = by > HEIGHT_MAX || by < -HEIGHT_MAX ? CODE_UNKNOWN : (int32_t)(s->height - by);
	/* At or above the return address there is no frame of ours; too far below it, none we know. */
	if (s->height != CODE_UNKNOWN && (s->height < 8 || s->height > HEIGHT_MAX))
		s->height = CODE_UNKNOWN;
}

static bool do_push(struct code_state *s, unsigned int reg)
{
	move_sp(s, -8);
	if (reg == X86_RBP && !s->saved && !s->frame && s->height != CODE_UNKNOWN)
		s->saved = s->height;
	return true;
}

static bool do_pop(struct code_state *s, unsigned int reg)
{
	bool ok = true;

	if (reg == X86_RBP)
		ok = load_fp(s, s->height);
	move_sp(s, 8);
	return ok;
}

/* rsp = rbp + value; without a frame in rbp it is anything. */
static void sp_from_fp(struct code_state *s, int32_t value)
{
	s->height = s->frame ? s->frame : CODE_UNKNOWN;
	move_sp(s, value);
}

static bool fp_from_sp(struct code_state *s, int32_t value)
{
	if (!s->saved)
		return false;
	s->frame = s->height == CODE_UNKNOWN ? 0 : s->height - value;
	return true;
}

static bool do_leave(struct code_state *s)
{
	sp_from_fp(s, 0);
	return do_pop(s, X86_RBP);
}

static void save_fp(struct code_state *s, int32_t value)
{
	if (!s->saved && !s->frame && s->height != CODE_UNKNOWN && s->height - value > 8)
		s->saved = s->height - value;
}

/* What an instruction makes of a state. False: the caller's rbp is lost. */
static bool apply(struct code_state *s, const struct x86_insn *in)
{
	bool ok = true;

	if (in->clobbers & 1 << X86_RSP)
		s->height = CODE_UNKNOWN;
	if (in->clobbers & 1 << X86_RBP)
		ok = drop_fp(s);
	switch (in->op) {
	case X86_PUSH:
		return do_push(s, in->reg) && ok;
	case X86_POP:
		return do_pop(s, in->reg) && ok;
	case X86_SP_ADD:
		move_sp(s, in->value);
		return ok;
	case X86_SP_FROM_FP:
		sp_from_fp(s, in->value);
		return ok;
	case X86_FP_FROM_SP:
		return fp_from_sp(s, in->value);
	case X86_LEAVE:
		return do_leave(s);
	case X86_SAVE_FP:
		save_fp(s, in->value);
		return ok;
	case X86_LOAD_FP:
		return s->height == CODE_UNKNOWN ? drop_fp(s) : load_fp(s, s->height - in->value);
	default:
		return ok;
	}
}

/* A jump of a switch, or a call of another function as the last thing done: then the stack is as at the entry. */
static void note_away(struct walk *w, const struct code_state *s)
{
	if (is_as_at_entry(s))
		return;
	if (!w->n_away++)
		w->away = *s;
	else if (!equal(&w->away, s))
		w->away.height = 0;
}

/* One instruction: the state before it is known, those behind it follow. */
static void step(struct walk *w, uint32_t at)
{
	struct code_state s = w->states[at];
	struct x86_insn in;
	int64_t end;

	if (x86_decode(w->code + at, w->len - at, &in) < 0)
		return;
	w->states[at].len = in.len;
	end = (int64_t)at + in.len;
	if (in.op == X86_RETURN) {
		w->bad |= !is_as_at_entry(&s);
		return;
	}
	if (in.op == X86_JUMP_AWAY)
		note_away(w, &s);
	if (in.op == X86_TRAP || in.op == X86_JUMP_AWAY)
		return;
	if (!apply(&s, &in)) {
		w->bad = true;
		return;
	}
	if (!knows_cfa(&s))
		return;
	if (in.op == X86_JUMP || in.op == X86_BRANCH)
		visit(w, end + in.value, &s);
	if (in.op != X86_JUMP)
		visit(w, end, &s);
}

static void follow(struct walk *w)
{
	while (w->n_todo && !w->bad)
		step(w, w->todo[--w->n_todo]);
}

static void forget_guesses(struct walk *w)
{
	for (uint32_t i = 0; i < w->len; i++)
		if (w->states[i].guessed)
			w->states[i] = (struct code_state){ 0 };
	w->n_todo = 0;
	w->bad = false;
}

static uint32_t padding(const struct walk *w, uint32_t at)
{
	struct x86_insn in;

	return x86_decode(w->code + at, w->len - at, &in) == 0 && in.op == X86_NOP ? in.len : 0;
}

/* What no path reached begins behind an instruction that one did, or behind the padding there. */
static void guess(struct walk *w)
{
	struct code_state s = w->away;
	uint32_t at = 0;

	w->guessing = true;
	while (s.height && !w->bad && at < w->len) {
		uint32_t skip = w->states[at].len ? w->states[at].len : padding(w, at);

		if (skip) {
			at += skip;
			continue;
		}
		if (!w->states[at].height) {
			visit(w, at, &s);
			follow(w);
		}
		/* Not an instruction after all: the rest has to be found by paths. */
		if (!w->states[at].len)
			break;
	}
	if (w->bad || !equal(&s, &w->away))
		forget_guesses(w);
}

int code_rows_find(const uint8_t *code, uint32_t len, struct code_state *states, uint32_t *todo)
{
	struct walk w = { .code = code, .len = len, .states = states, .todo = todo };

	if (!len || len > CODE_FUNCTION_MAX)
		return -EBADMSG;
	memset(states, 0, len * sizeof(*states));
	visit(&w, 0, &(struct code_state){ .height = 8 });
	follow(&w);
	if (w.bad)
		return -EBADMSG;
	guess(&w);
	return 0;
}

struct unwind_rule code_rule(const struct code_state *s)
{
	struct unwind_rule rule = { .fp = (int16_t)-s->saved, .how = s->saved ? UNWIND_FP_AT_CFA : UNWIND_FP_SAME };

	if (!s->len || s->saved > INT16_MAX)
		return (struct unwind_rule){ 0 };
	if (s->height != CODE_UNKNOWN) {
		rule.cfa = s->height;
		rule.how_cfa = UNWIND_SP | REG_SP << 4;
	} else {
		rule.cfa = s->frame;
		rule.how_cfa = UNWIND_FP | REG_FP << 4;
	}
	return rule;
}
