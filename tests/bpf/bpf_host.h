/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * bpf_host - what our pure walkers call, for a test on the host: user memory is one drawn stack,
 * anything else faults; tables lie in slabs that the test makes.
 */
#include <linux/types.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

static struct {
	uint64_t at;
	const void *bytes;
	size_t len;
	unsigned int reads, faults;
} host_memory;

/* The only readable user memory: len bytes at address `at`. */
static inline void host_stack(uint64_t at, const void *bytes, size_t len)
{
	host_memory.at = at;
	host_memory.bytes = bytes;
	host_memory.len = len;
	host_memory.reads = host_memory.faults = 0;
}

struct walk;
struct walk_cache;

/* What walks remember; a test sets it. */
static struct walk_cache *host_cache;

static inline struct walk_cache *walk_cache(struct walk *w)
{
	return host_cache;
}

static inline long walk_read(struct walk *w, void *to, __u32 len, __u64 from)
{
	host_memory.reads++;
	if (from < host_memory.at || len > host_memory.len ||
	    from - host_memory.at > host_memory.len - len) {
		host_memory.faults++;
		memset(to, 0, len);
		return -14;
	}
	memcpy(to, (const char *)host_memory.bytes + (from - host_memory.at), len);
	return 0;
}

/* The slabs a test makes up: numbers from 0 on. */
struct host_slabs {
	const uint8_t *v[4];
};

static inline const __u8 *slab_of(const void *slabs, __u32 at)
{
	const struct host_slabs *s = slabs;

	return s && at >> 20 < 4 ? s->v[at >> 20] : NULL;
}
