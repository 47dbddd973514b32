/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * fixture_walk - a walk's world made by hand: one process of two mappings and their tables, in a slab as the program
 * reads them, and a stack whose words are all return addresses.
 */
#include "unit.h"

#include "bpf/bpf_host.h"

#include "bpf/walk.h"

enum {
	STACK = 0x7000,
	CODE = 0x400000,
	CODE_BYTES = 0x30000,
	OTHER = 0x500000,
	OTHER_BYTES = 0x1000
};
/* The slab: one process of three mappings, two images. */
enum { MAPS = 64, IMAGE = 512, BARE = 640, PAGES = 768, RULES = 896, ROWS = 4096 };

static struct {
	union {
		uint8_t bytes[SLAB_BYTES];
		uint64_t aligned;
	};
	struct host_slabs slabs;
	uint64_t stack[64];
} all = { .slabs = { { all.bytes } } };

static inline void put(uint32_t at, const void *p, size_t len)
{
	memcpy(all.bytes + at, p, len);
}

/* Page 0 of the code has one rule for all of it; page 1 only from its second half on; page 2 none. */
static inline void make_tables(struct unwind_rule rule)
{
	const uint64_t starts[] = { CODE, OTHER };
	const struct space_mapping maps[] = { { CODE + CODE_BYTES, CODE, IMAGE, 0 },
					      { OTHER + OTHER_BYTES, OTHER, BARE, 0 } };
	const struct space_image images[] = {
		{ .how = SPACE_ROWS, .pages = PAGES, .n_pages = 3, .rules = RULES, .n_rules = 2 },
		{ .how = SPACE_NO_ROWS }
	};
	const struct rows_page pages[] = { { 0, 0, 1 }, { ROWS, 2, 0 }, { 0, 0, 0 } };
	const struct unwind_rule rules[] = { { 0 }, rule };
	const uint16_t lows[] = { 0, 0x8000 };
	const uint8_t numbers[] = { 0, 1 };

	memset(all.bytes, 0, sizeof(all.bytes));
	put(MAPS, starts, sizeof(starts));
	put(MAPS + sizeof(starts), maps, sizeof(maps));
	put(IMAGE, &images[0], sizeof(images[0]));
	put(BARE, &images[1], sizeof(images[1]));
	put(PAGES, pages, sizeof(pages));
	put(RULES, rules, sizeof(rules));
	put(ROWS, lows, sizeof(lows));
	put(ROWS + sizeof(lows), numbers, sizeof(numbers));
}

/* A leaf at pc; word i of the stack is WORD + i unless a test writes it. */
#define WORD (CODE + 0x100u)

static inline struct walk leaf(struct unwind_rule rule, uint64_t pc)
{
	struct walk w = { .pc = pc,
			  .sp = STACK,
			  .fp = STACK + 256,
			  .flags = WALK_REGS,
			  .space = { .maps = MAPS, .n_maps = 2 },
			  .slabs = &all.slabs };

	make_tables(rule);
	for (uint32_t i = 0; i < ARRAY_SIZE(all.stack); i++)
		all.stack[i] = WORD + i;
	for (uint32_t i = 0; i < EV_REGS; i++)
		w.regs[i] = STACK + 8 * i;
	host_stack(STACK, all.stack, sizeof(all.stack));
	return w;
}

static inline enum walk_verdict step(struct walk *w)
{
	enum walk_verdict v = walk_locate(w);

	return v == WALK_ON ? walk_step(w) : v;
}

static inline struct unwind_rule rule(uint32_t how_cfa, int32_t cfa, uint32_t how, int16_t fp)
{
	return (struct unwind_rule){
		.cfa = cfa, .fp = fp, .how_cfa = (uint8_t)how_cfa, .how = (uint8_t)how
	};
}

static inline int32_t deref(int16_t a, int16_t b)
{
	return (int32_t)((uint32_t)(uint16_t)a | (uint32_t)(uint16_t)b << 16);
}

/* The caller begins at this word of the stack: its return address is the word before. */
static inline void expect_caller(struct walk *w, uint32_t words)
{
	assert_int_equal(step(w), WALK_ON);
	assert_int_equal(w->sp, STACK + 8 * words);
	assert_int_equal(w->pc, WORD + words - 1);
	assert_int_equal(w->flags, WALK_RETURN);
}

static inline void expect_end(struct walk *w, uint32_t status)
{
	assert_int_equal(step(w), status == EV_CUT_NO_TABLES ? WALK_MISS : WALK_END);
	assert_int_equal(w->status, status);
}
