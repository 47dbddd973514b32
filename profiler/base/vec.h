/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * vec - a growing array of one type, written where it is used.
 *
 *	struct { struct row *v; uint32_t n, cap; } rows = {0};
 *	struct row *r = vec_push(&rows);   NULL when out of memory; the new slot is zeroed
 *
 * Pointers into v move on the next push: keep indices.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define vec(type)                                                                                  \
	struct {                                                                                   \
		type *v;                                                                           \
		uint32_t n, cap;                                                                   \
	}

/* Makes room for `more` elements behind n. 0 or -ENOMEM. */
#define vec_reserve(p, more) vec_grow_((void **)&(p)->v, &(p)->cap, (p)->n, (more), sizeof(*(p)->v))

#define vec_push(p)                                                                                \
	(vec_reserve((p), 1) < 0 ? NULL                                                            \
				 : (memset(&(p)->v[(p)->n], 0, sizeof(*(p)->v)), &(p)->v[(p)->n++]))

#define vec_fini(p) (free((p)->v), (p)->v = NULL, (p)->n = (p)->cap = 0)

#define vec_foreach(it, p) for (__typeof__((p)->v + 0) it = (p)->v; it && it < (p)->v + (p)->n; it++)

static inline int vec_grow_(void **v, uint32_t *cap, uint32_t n, size_t more, size_t size)
{
	size_t want = n + more, c = *cap ? *cap : 8;
	void *bigger;

	if (want <= *cap)
		return 0;
	while (c < want)
		c += c / 2;
	if (c > UINT32_MAX)
		return -ENOMEM;
	bigger = reallocarray(*v, c, size);
	if (!bigger)
		return -ENOMEM;
	*v = bigger;
	*cap = c;
	return 0;
}
