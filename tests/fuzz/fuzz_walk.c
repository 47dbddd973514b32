/* SPDX-License-Identifier: Apache-2.0 */
/* Random registers over a random stack and random tables: the walk ends, within bounds, and says why. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/bpf_host.h"

#include "bpf/walk.h"

/* What the input begins with; then a third of the rest is the stack and the others the slab. */
struct input {
	uint64_t pc, sp, fp;
	uint32_t flags, maps, n_maps;
	uint32_t code; /* 0: found by the tables; else how all code is unwound */
	uint64_t regs[EV_REGS];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t slab[SLAB_BYTES + 8];
	static struct walk_cache cache;
	const struct host_slabs slabs = { { slab } };
	struct walk w = { .status = EV_CUT_DEPTH, .slabs = &slabs };
	struct input in;
	size_t stack, rest;

	if (len < sizeof(in))
		return 0;
	memcpy(&in, data, sizeof(in));
	data += sizeof(in);
	rest = len - sizeof(in);
	stack = rest / 3 & ~(size_t)7;
	host_stack(in.sp, data, stack);
	memset(slab, 0, sizeof(slab));
	memcpy(slab, data + stack, rest - stack < SLAB_BYTES ? rest - stack : SLAB_BYTES);
	memset(&cache, 0, sizeof(cache));
	host_cache = &cache;
	w.space.id = in.code >> 28;
	w.pc = in.pc;
	w.sp = in.sp;
	w.fp = in.fp;
	w.flags = in.flags & (WALK_RETURN | WALK_REGS | WALK_CHAIN);
	w.space.maps = in.maps & ~7u;
	w.space.n_maps = in.n_maps % (SPACE_MAX_MAPPINGS + 1);
	memcpy(w.regs, in.regs, sizeof(w.regs));
	if (in.code)
		w.here = (struct space_code){ .end = UINT64_MAX,
					      .how = in.code % 3,
					      .image = in.code & 0xffff8,
					      .id = in.code >> 24 };
	for (w.n = 0; w.n < EV_USER_FRAMES && walk_locate(&w) == WALK_ON;) {
		w.n++;
		if (walk_step(&w) != WALK_ON)
			break;
	}
	if (w.status >= EV_CUT_MAX || host_memory.faults > 2 * EV_USER_FRAMES)
		abort();
	return 0;
}
