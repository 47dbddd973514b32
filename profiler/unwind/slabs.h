/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * slabs - chunks of the memory that the kernel's program reads (bpf/slab.h).
 *
 * A chunk lies in one slab, begins at a multiple of 64 and is never moved. What the program may still be
 * reading is retired first: the bytes are used again only after a grace that no run of it outlasts. Slabs
 * come one at a time and an empty one goes back, so memory follows use.
 * Threads: one. Memory: owns the slabs; chunks belong to whoever asked for them.
 */
#include <stddef.h>
#include <stdint.h>

struct slabs;

/* map_fd: an array of maps for the slabs, borrowed; -1: ordinary memory, for tests. 0 or -ENOMEM. */
int slabs_new(int map_fd, struct slabs **ret);
struct slabs *slabs_free(struct slabs *s);

/* A zeroed chunk of less than SLAB_BYTES. 0; -ENOSPC: larger, empty, or no more slabs; -ENOMEM; what making a map may say. */
int slabs_alloc(struct slabs *s, uint32_t bytes, uint32_t *ret_at);
/* Given back once the grace is over; bytes as asked for. Address 0 is fine. */
void slabs_retire(struct slabs *s, uint32_t at, uint32_t bytes, uint64_t now_ns);
/* Takes back what was retired long enough ago; empty slabs go, and those not looked at since the last call
 * leave our address space. */
void slabs_reap(struct slabs *s, uint64_t now_ns);

/* Good until the next slabs_reap(). NULL: no such slab. */
void *slabs_at(const struct slabs *s, uint32_t at);
/* Bytes in chunks, retired ones among them; kernel memory held. */
size_t slabs_used_bytes(const struct slabs *s);
size_t slabs_kernel_bytes(const struct slabs *s);
