/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * reasons - the rows of bpf/drops.def by number: why samples are lost, how stacks end and whose request they belong to.
 */
#include <stdbool.h>
#include <stdint.h>

/* "" for a number that is none. */
const char *reason_drop_name(uint32_t drop); /* enum ev_drop */
const char *reason_cut_name(uint32_t cut);   /* enum ev_cut */
const char *reason_join_name(uint32_t join); /* enum ev_join */
const char *reason_join_help(uint32_t join);
bool reason_cut_is_complete(uint32_t cut);
