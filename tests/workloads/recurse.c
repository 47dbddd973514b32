/* SPDX-License-Identifier: Apache-2.0 */
/* recurse DEPTH SECONDS: burns at the bottom of a recursion DEPTH calls deep. */
#include <stdio.h>
#include <stdlib.h>

#include "burn.h"

BURN(recurse_leaf)

__attribute__((noinline)) uint64_t recurse_down(int depth, uint64_t ns);
__attribute__((noinline)) uint64_t recurse_down(int depth, uint64_t ns)
{
	uint64_t got = depth > 1 ? recurse_down(depth - 1, ns) : recurse_leaf(ns);

	return got + (burn_sink == 1); /* not a tail call */
}

int main(int argc, char **argv)
{
	int depth = argc > 1 ? atoi(argv[1]) : 100;
	double seconds = argc > 2 ? atof(argv[2]) : 1;

	printf("recurse_leaf %llu\n", (unsigned long long)recurse_down(depth, (uint64_t)(seconds * 1e9)));
	return 0;
}
