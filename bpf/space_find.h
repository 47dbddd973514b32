/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * space_find - from a pc to its mapping, its image and its rule, all in slabs.
 *
 * Whoever includes this defines slab_of(): the program by its map, the host by its mapping of the same
 * bytes. Offsets are masked, so that the verifier, and a host reading damaged tables, sees every access
 * inside.
 */
#include "bpf/slab.h"
#include "bpf/space.h"

/* The start of an address's slab; NULL when there is none. The program has but one set of slabs and ignores the first. */
static const __u8 *slab_of(const void *slabs, __u32 at);

/* In BPF by assembler: the compiler may not move the mask away from the access. */
#if defined(__bpf__)
#define SLAB_MASK(at, mask)                                                                        \
	({                                                                                         \
		__u64 slab_offset = (at);                                                          \
		asm volatile("%0 &= %1" : "+r"(slab_offset) : "i"(mask));                          \
		slab_offset;                                                                       \
	})
#else
#define SLAB_MASK(at, mask) ((at) & (mask))
#endif

/* An aligned value of 2, 4 or 8 bytes. */
#define SLAB_AT(slab, at, type) (*(const type *)((slab) + SLAB_MASK((at), SLAB_BYTES - sizeof(type))))

#define ROWS_BOUND(offset) SLAB_MASK((offset), SLAB_BYTES - 2)
#include "bpf/rows.h"

/* A mapping ready to be used: what a walk keeps of the last one, since most frames are in the same. */
struct space_code {
	__u64 start, end;
	__u64 bias;  /* address - place in the table */
	__u32 how;
	__u32 image; /* slab address of its struct space_image */
	__u32 id;    /* of its rows */
	__u32 reserved;
};

/* Index of the last mapping that starts at or below pc; n when none does. */
static __always_inline __u32 space_search(const __u8 *slab, __u32 maps, __u32 n, __u64 pc)
{
	__u32 lo = 0, left = n;

	if (!n || SLAB_AT(slab, maps, __u64) > pc)
		return n;
	for (int i = 0; i < 14 && left > 1; i++) {
		__u32 half = left / 2;

		if (SLAB_AT(slab, maps + 8 * (lo + half), __u64) <= pc)
			lo += half;
		left -= half;
	}
	return lo;
}

static __always_inline void space_load_image(const void *slabs, __u64 pc, struct space_code *c)
{
	const __u8 *slab = slab_of(slabs, c->image);
	__u32 segments = c->image + __builtin_offsetof(struct space_image, segments);
	__u64 offset = pc - c->bias;

	c->how = SPACE_UNKNOWN;
	if (!slab)
		return;
	c->how = SLAB_AT(slab, c->image, volatile __u32); /* before the others: it is written last */
	c->id = SLAB_AT(slab, c->image + __builtin_offsetof(struct space_image, id), __u32);
	for (int i = 1; i < SPACE_SEGMENTS; i++)
		if (SLAB_AT(slab, segments + 16, __u64) <= offset)
			segments += 16;
	c->bias += SLAB_AT(slab, segments + 8, __u64);
}

/* The long way: out of line in the program, whose hot path is cold code at each sample, too. */
#if defined(__bpf__)
#define SPACE_LONG_WAY __noinline
#else
#define SPACE_LONG_WAY __always_inline
#endif

/* 1 with the mapping of pc; 0 when none covers it. */
static SPACE_LONG_WAY int space_find(const void *slabs, __u32 maps, __u32 n, __u64 pc, struct space_code *ret)
{
	const __u8 *slab = slab_of(slabs, maps);
	__u32 i, at;

	if (!slab)
		return 0;
	i = space_search(slab, maps, n, pc);
	if (i >= n)
		return 0;
	at = maps + 8 * n + i * sizeof(struct space_mapping);
	if (SLAB_AT(slab, at, __u64) <= pc)
		return 0;
	ret->start = SLAB_AT(slab, maps + 8 * i, __u64);
	ret->end = SLAB_AT(slab, at, __u64);
	ret->bias = SLAB_AT(slab, at + 8, __u64);
	ret->image = SLAB_AT(slab, at + 16, __u32);
	space_load_image(slabs, pc, ret);
	return 1;
}

/* 1 with the rule for a pc of this code, INVALID where the table has none; 0: these rows are gone. */
static SPACE_LONG_WAY int space_rule(const void *slabs, const struct space_code *c, __u64 pc, struct unwind_rule *ret)
{
	const __u8 *slab = slab_of(slabs, c->image);
	__u64 at = pc - c->bias, raw;
	__u32 page, rules, n_rules, rule;
	struct rows_page p;

	*ret = (struct unwind_rule){ 0 };
	if (!slab || SLAB_AT(slab, c->image, volatile __u32) != SPACE_ROWS ||
	    SLAB_AT(slab, c->image + __builtin_offsetof(struct space_image, id), __u32) != c->id)
		return 0;
	if (at >> ROWS_PAGE_BITS >= SLAB_AT(slab, c->image + __builtin_offsetof(struct space_image, n_pages), __u32))
		return 1;
	page = SLAB_AT(slab, c->image + __builtin_offsetof(struct space_image, pages), __u32) + 8 * (__u32)(at >> ROWS_PAGE_BITS);
	rules = SLAB_AT(slab, c->image + __builtin_offsetof(struct space_image, rules), __u32);
	n_rules = SLAB_AT(slab, c->image + __builtin_offsetof(struct space_image, n_rules), __u32);
	slab = slab_of(slabs, page);
	if (!slab)
		return 1;
	raw = SLAB_AT(slab, page, __u64);
	__builtin_memcpy(&p, &raw, sizeof(p));
	if (p.n) {
		slab = slab_of(slabs, p.at);
		if (!slab)
			return 1;
	}
	rule = rows_find_in_page(&p, slab, at & 0xffff);
	if (rule >= n_rules)
		return 1;
	slab = slab_of(slabs, rules);
	if (!slab)
		return 1;
	raw = SLAB_AT(slab, rules + 8 * rule, __u64);
	__builtin_memcpy(ret, &raw, sizeof(*ret));
	return 1;
}
