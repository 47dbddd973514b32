/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * fixture_alloc - every allocation of a scenario made to fail once: the answer is -ENOMEM or a result, never a crash or a leak.
 *
 * A test with it is listed in alloc.cmake, which links it as alloc_fail.h says.
 */
#include "unit.h"

#include "alloc_fail.h"

/* at_least: fewer allocations, and the scenario is not what it was. */
static void every_failure_is_survived(int (*scenario)(void *), void *ctx, int at_least)
{
	int odd = 0, met = alloc_fail_each(scenario, ctx, &odd);

	if (met < 0)
		fail_msg("a run answered %d", odd);
	if (met < at_least)
		fail_msg("only %d allocations were met", met);
}
