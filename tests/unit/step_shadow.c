/* SPDX-License-Identifier: Apache-2.0 */
#include "step_shadow.h"

#include <stddef.h>

static struct shadow_stack *here(struct shadow *s)
{
	return &s->stacks[s->here];
}

static void push(struct shadow_stack *k, struct shadow_entry e)
{
	if (k->n < SHADOW_DEPTH)
		k->v[k->n] = e;
	k->n++; /* deeper than it holds: shadow_callers() says so */
}

static void go_to_stack(struct shadow *s, uint64_t sp)
{
	s->here = 0;
	for (uint32_t i = 1; i < SHADOW_STACKS; i++)
		if (sp >= s->stacks[i].start && sp < s->stacks[i].end)
			s->here = i;
}

/* Whoever was called from below sp is gone; what a signal interrupted may lie on another stack, and stays. */
static uint32_t pop_below(struct shadow_stack *k, uint64_t sp)
{
	uint32_t n = 0;

	for (; k->n && !k->v[k->n - 1].interrupted && k->v[k->n - 1].slot < sp; k->n--)
		n++;
	return n;
}

void shadow_call(struct shadow *s, uint64_t slot, uint64_t ret)
{
	push(here(s), (struct shadow_entry){ .slot = slot, .pc = ret });
}

void shadow_return(struct shadow *s, uint64_t slot, uint64_t to, uint64_t beyond)
{
	uint32_t before = s->here;
	struct shadow_stack *k;
	bool called;

	go_to_stack(s, slot);
	k = here(s);
	if (s->here != before &&
	    !k->n) { /* makecontext() left the address of its own return there */
		push(k, (struct shadow_entry){ .slot = slot + 8, .pc = beyond });
		s->jumps++;
		return;
	}
	called = k->n && k->v[k->n - 1].slot == slot && k->v[k->n - 1].pc == to;
	s->jumps += !called || s->here != before;
	pop_below(k, slot + 8);
}

void shadow_jump(struct shadow *s, uint64_t sp)
{
	s->jumps += pop_below(here(s), sp) > 0;
}

void shadow_signal(struct shadow *s, uint64_t slot, uint64_t interrupted, uint64_t trampoline)
{
	push(here(s),
	     (struct shadow_entry){ .slot = slot, .pc = interrupted, .interrupted = true });
	push(here(s), (struct shadow_entry){ .slot = slot, .pc = trampoline });
}

bool shadow_sigreturn(struct shadow *s, uint64_t to)
{
	struct shadow_stack *k = here(s);

	if (!k->n || !k->v[k->n - 1].interrupted || k->v[k->n - 1].pc != to)
		return false;
	k->n--;
	return true;
}

uint32_t shadow_callers(const struct shadow *s, const struct shadow_entry **ret_last)
{
	const struct shadow_stack *k = &s->stacks[s->here];

	*ret_last = k->n && k->n <= SHADOW_DEPTH ? &k->v[k->n - 1] : NULL;
	return k->n;
}

uint32_t shadow_signals(const struct shadow *s)
{
	const struct shadow_stack *k = &s->stacks[s->here];
	uint32_t n = 0;

	for (uint32_t i = 0; i < k->n && i < SHADOW_DEPTH; i++)
		n += k->v[i].interrupted;
	return n;
}
