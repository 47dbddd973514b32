/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a function's code: every path ends, every instruction lies inside, every rule is one the walker knows. */
#include <stdlib.h>

#include "bpf/rows.h"
#include "unwind/code_rows.h"
#include "unwind/x86_bytes.h"
#include "unwind/x86_insn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct code_state states[CODE_FUNCTION_MAX];
	static uint32_t todo[CODE_FUNCTION_MAX];

	if (len > CODE_FUNCTION_MAX || code_rows_find(data, (uint32_t)len, states, todo) < 0)
		return 0;
	for (size_t at = 0; at < len; at++) {
		struct unwind_rule rule = code_rule(&states[at]);
		uint32_t how = unwind_cfa(&rule);

		if (!states[at].len)
			continue;
		if (at + states[at].len > len || states[at].len > X86_MAX_BYTES || (how == UNWIND_SP && rule.cfa < 8) ||
		    (how != UNWIND_SP && how != UNWIND_FP && how != UNWIND_INVALID))
			abort();
	}
	return 0;
}
