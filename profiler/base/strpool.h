/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * strpool - each distinct string once, named by a 32-bit id.
 *
 * Id 0 is always "". Strings may hold any byte but NUL is kept only inside `len`; each is followed
 * by a NUL. strpool_str() pointers stay valid until truncate, reset or fini. Out of memory is sticky: ids
 * become 0 and strpool_error() tells.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/vec.h"

struct strpool_entry {
	const char *s;
	uint32_t len;
	uint32_t reserved;
};

struct strpool {
	struct arena arena;
	struct htable index;
	vec(struct strpool_entry) entries; /* [0] is made by the first add */
	int error;
};

uint32_t strpool_add(struct strpool *p, const char *s);
uint32_t strpool_add_len(struct strpool *p, const char *s, size_t len);

/*
 * The same for any bytes that are a key, at least one; tells whether they were new. Ids are handed
 * out from 1 in order: record id - 1 of a table beside the pool belongs to it, without another index.
 */
uint32_t strpool_intern(struct strpool *p, const void *key, size_t len, bool *ret_new);

/* "" for an id that does not exist. */
static inline const char *strpool_str(const struct strpool *p, uint32_t id)
{
	return id < p->entries.n ? p->entries.v[id].s : "";
}

static inline uint32_t strpool_len(const struct strpool *p, uint32_t id)
{
	return id < p->entries.n ? p->entries.v[id].len : 0;
}

static inline int strpool_error(const struct strpool *p)
{
	return p->error;
}

/* Only the first n entries stay, as if the others had never been added; their memory comes back at the reset. */
void strpool_truncate(struct strpool *p, uint32_t n);
void strpool_reset(struct strpool *p);
void strpool_fini(struct strpool *p);
