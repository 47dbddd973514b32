/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * walk_cache - what walks of this CPU found before: code by place in a process, rules by place in an image.
 *
 * Samples come ten milliseconds apart, and by then the tables are cold memory: to find a mapping is a chain of
 * six misses, to find a rule one of four or five. Most stacks share most frames with one not long ago;
 * those cost a miss each here.
 * Nothing in it can be wrong: an id of a process's mappings or of an image's rows is never used again, and what has
 * one does not change. Code whose rows have gone is taken out when a place in it is asked for that is not here.
 */
#include "bpf/space_find.h"

#define WALK_RULES_BITS 11
#define WALK_CODES_BITS 7
#define WALK_CODE_BITS  16 /* of a pc: places this near each other share an entry */

struct walk_cache {
	struct {
		__u64 key; /* id of the rows, place in the table */
		struct unwind_rule rule;
	} rules[1 << WALK_RULES_BITS];
	struct {
		struct space_code code;
		__u32 space; /* id */
		__u32 reserved;
	} codes[1 << WALK_CODES_BITS];
};

static __always_inline __u32 walk_slot(__u64 key, __u32 bits)
{
	return key * 0x9e3779b97f4a7c15ull >> (64 - bits);
}

static __always_inline __u32 walk_code_slot(__u32 space, __u64 pc)
{
	return walk_slot((__u64)space << 32 ^ pc >> WALK_CODE_BITS, WALK_CODES_BITS);
}

/* space_find() through the cache; c: NULL without one. */
static __always_inline int walk_find_code(struct walk_cache *c, const void *slabs, const struct space *s, __u64 pc,
					  struct space_code *ret)
{
	__u32 i = walk_code_slot(s->id, pc);

	if (c && s->id && c->codes[i].space == s->id && pc - c->codes[i].code.start < c->codes[i].code.end - c->codes[i].code.start) {
		*ret = c->codes[i].code;
		return 1;
	}
	if (!space_find(slabs, s->maps, s->n_maps, pc, ret))
		return 0;
	if (c && s->id && ret->how != SPACE_UNKNOWN) {
		c->codes[i].code = *ret;
		c->codes[i].space = s->id;
	}
	return 1;
}

/* space_rule() through the cache. */
static __always_inline int walk_find_rule(struct walk_cache *c, const void *slabs, const struct space *s,
					  const struct space_code *code, __u64 pc, struct unwind_rule *ret)
{
	__u64 at = pc - code->bias, key = (__u64)code->id << 32 | at;
	__u32 i = walk_slot(key, WALK_RULES_BITS);

	if (!c || !code->id || at >> 32)
		return space_rule(slabs, code, pc, ret);
	if (c->rules[i].key != key) {
		if (!space_rule(slabs, code, pc, ret)) {
			c->codes[walk_code_slot(s->id, pc)].space = 0;
			return 0;
		}
		c->rules[i].rule = *ret;
		c->rules[i].key = key;
		return 1;
	}
	*ret = c->rules[i].rule;
	return 1;
}
