/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * alloc_fail - every allocation of a scenario made to fail once.
 *
 * Link with -Wl,--wrap=malloc and so on (tests/unit/alloc.cmake): malloc and its family go through here, in our
 * code only; libraries keep theirs. ASan still sees leaks and double frees on the error paths.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static long alloc_left = -1; /* allocations until one fails; -1: never */

static bool alloc_refuses(void)
{
	if (alloc_left < 0)
		return false;
	return alloc_left-- == 0;
}

#define ALLOC_WRAP(ret, name, params, args)                                                        \
	ret __real_##name params;                                                                  \
	ret __wrap_##name params;                                                                  \
	ret __wrap_##name params                                                                   \
	{                                                                                          \
		if (alloc_refuses()) {                                                             \
			errno = ENOMEM;                                                            \
			return NULL;                                                               \
		}                                                                                  \
		return __real_##name args;                                                         \
	}

ALLOC_WRAP(void *, malloc, (size_t n), (n))
ALLOC_WRAP(void *, calloc, (size_t n, size_t size), (n, size))
ALLOC_WRAP(void *, realloc, (void *p, size_t n), (p, n))
ALLOC_WRAP(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
ALLOC_WRAP(char *, strdup, (const char *s), (s))

/*
 * Runs scenario() with the first allocation refused, then the second, until one run needs none
 * refused. The scenario returns 0 or -ENOMEM; anything else is the answer. Returns how many runs
 * met a refusal, or -1 when a run without any refusal failed.
 */
static int alloc_fail_each(int (*scenario)(void *ctx), void *ctx, int *ret_odd)
{
	for (int n = 0;; n++) {
		int r;

		alloc_left = n;
		r = scenario(ctx);
		if (alloc_left >= 0) { /* nothing was refused: the whole scenario has been covered */
			alloc_left = -1;
			*ret_odd = r;
			return r ? -1 : n;
		}
		if (r && r != -ENOMEM) {
			alloc_left = -1;
			*ret_odd = r;
			return -1;
		}
	}
}
