/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spin SECONDS [SHARE]: three functions share the CPU time 50 : 30 : 20, in turns of 20 ms. With SHARE it is busy for that part
 * of the seconds and sleeps between its turns.
 * Prints what each burnt by its thread's own clock: "spin_half 5003000000".
 */
#include <stdio.h>
#include <stdlib.h>

#include "burn.h"

BURN(spin_half)
BURN(spin_third)
BURN(spin_fifth)

static void rest(double turn_ns, double share)
{
	struct timespec t = { .tv_nsec = (long)(turn_ns / share - turn_ns) };

	if (t.tv_nsec > 0)
		nanosleep(&t, NULL);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 1, share = argc > 2 ? atof(argv[2]) : 1;
	uint64_t half = 0, third = 0, fifth = 0;

	while ((double)(half + third + fifth) < seconds * share * 1e9) {
		half += spin_half(10000000);
		third += spin_third(6000000);
		fifth += spin_fifth(4000000);
		rest(20e6, share);
	}
	printf("spin_half %llu\nspin_third %llu\nspin_fifth %llu\n", (unsigned long long)half,
	       (unsigned long long)third, (unsigned long long)fifth);
	return 0;
}
