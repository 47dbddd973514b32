/* SPDX-License-Identifier: Apache-2.0 */
#include "base/distance.h"

static unsigned int smallest(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* The usual table, one row at a time. */
unsigned int distance(const char *a, size_t n, const char *b, size_t m)
{
	unsigned int row[DISTANCE_MAX_LEN + 1], diagonal, above;

	if (n > DISTANCE_MAX_LEN || m > DISTANCE_MAX_LEN)
		return DISTANCE_FAR;
	for (size_t j = 0; j <= m; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; i <= n; i++) {
		diagonal = row[0];
		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= m; j++) {
			above = row[j];
			row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[m];
}
