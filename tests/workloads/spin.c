/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spin SECONDS: three functions share the CPU time 50 : 30 : 20, in turns of 10 ms.
 * Prints what each burnt by its thread's own clock: "spin_half 5003000000".
 */
#include <stdio.h>
#include <stdlib.h>

#include "burn.h"

BURN(spin_half)
BURN(spin_third)
BURN(spin_fifth)

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 1;
	uint64_t half = 0, third = 0, fifth = 0;

	while ((double)(half + third + fifth) < seconds * 1e9) {
		half += spin_half(10000000);
		third += spin_third(6000000);
		fifth += spin_fifth(4000000);
	}
	printf("spin_half %llu\nspin_third %llu\nspin_fifth %llu\n", (unsigned long long)half,
	       (unsigned long long)third, (unsigned long long)fifth);
	return 0;
}
