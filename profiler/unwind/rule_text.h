/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * rule_text - a rule as `readelf --debug-dump=frames-interp` writes a row: rsp+16, c-16, u, exp.
 */
#include <stddef.h>

#include "bpf/rows.h"
#include "unwind/arch.h"

struct rule_text {
	char cfa[48], fp[32], ra[32];
};

struct rule_text rule_text(enum arch arch, const struct unwind_rule *rule);
