/* SPDX-License-Identifier: Apache-2.0 */
/* Random registers over a random stack: the walk ends, within bounds, and says why. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/bpf_host.h"

#include "bpf/walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct walk w = { .status = EV_CUT_DEPTH };
	uint64_t regs[3];

	if (len < sizeof(regs))
		return 0;
	memcpy(regs, data, sizeof(regs));
	w.pc = regs[0];
	w.sp = regs[1];
	w.fp = regs[2];
	host_stack(regs[1], data + sizeof(regs), len - sizeof(regs));
	for (w.n = 0; w.n < EV_USER_FRAMES;) {
		uint64_t sp = w.sp;

		w.n++;
		if (walk_step(&w) == WALK_END)
			break;
		if (w.sp <= sp)
			abort(); /* it must climb */
	}
	if (w.status >= EV_CUT_MAX || host_memory.faults > 1)
		abort();
	return 0;
}
