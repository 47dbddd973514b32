/* SPDX-License-Identifier: Apache-2.0 */
/* C among C++: nested blocks with variables, static inline functions, a function with several parts. */
#include <stdio.h>
#include <stdlib.h>

static inline long step(long x)
{
	return x * 6364136223846793005l + 1442695040888963407l;
}

static inline long twice(long x)
{
	return step(step(x)) >> 7;
}

long helper_unused(long x)
{
	return twice(x) + 1;
}

long helper_mix(long a, long b)
{
	long sum = 0;

	for (long i = 0; i < (b & 15); i++) {
		long inner = twice(a + i);

		if (inner == 42) {
			fprintf(stderr, "never %ld\n", inner);
			abort();
		}
		{
			long deeper = step(inner) ^ a;

			sum += deeper & 0xff;
		}
	}
	return sum + a;
}
