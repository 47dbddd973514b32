/* SPDX-License-Identifier: Apache-2.0 */
/* libc_calls SECONDS: computes inside libc: sorting with a callback, the allocator, formatting, copying, searching. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { N = 3000 };

static int values[N];
static char text[N * 12];

__attribute__((noinline)) int compare(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

__attribute__((noinline)) static void sort(void)
{
	for (int i = 0; i < N; i++)
		values[i] = i * 7919 % 10007;
	qsort(values, N, sizeof(*values), compare);
}

__attribute__((noinline)) static void allocate(void)
{
	void *kept[64] = { 0 };

	for (int i = 0; i < N; i++) {
		free(kept[i % 64]);
		kept[i % 64] = malloc((size_t)(i * 37 % 3000));
	}
	for (int i = 0; i < 64; i++)
		free(kept[i]);
}

__attribute__((noinline)) static size_t format(void)
{
	size_t at = 0;

	for (int i = 0; i < N / 4; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%d:%.3f,", values[i], values[i] / 7.0);
	return at;
}

__attribute__((noinline)) static long search(void)
{
	long sum = 0;

	for (const char *s = text; (s = strstr(s, "77")); s++)
		sum += strtol(s, NULL, 10);
	return sum;
}

int main(int argc, char **argv)
{
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 1);
	long sum = 0;

	while (time(NULL) < end) {
		sort();
		allocate();
		sum += (long)format() + search();
	}
	printf("%ld\n", sum);
	return 0;
}
