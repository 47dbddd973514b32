/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * spaces - the mappings of sampled processes where the kernel's program finds them (bpf/space.h).
 *
 * A process is published by its first sample, not by its birth: what is never sampled costs nothing. A
 * published one holds on to its maps, so that a change is a new copy (proc/maps.h) and seen by its address.
 * Threads: one.
 */
#include <stdint.h>

#include "bpf/space.h"

struct slabs;
struct spaces;
struct tables;
struct process;
struct processes;

/* map_fd: the hash map of struct space, borrowed; -1: none, for tests. */
int spaces_new(int map_fd, struct slabs *slabs, struct tables *tables, struct processes *processes, struct spaces **ret);
struct spaces *spaces_free(struct spaces *s);

/*
 * The process's mappings as they are now, with mm and exec_pages as the sample saw them; published unless
 * the process is gone. ret->maps may be used until the next call. 0, -ENOSPC or -ENOMEM.
 */
int spaces_get(struct spaces *s, const struct process *p, uint64_t mm, uint64_t exec_pages, uint64_t now_ns, struct space *ret);

/* Forgets processes that are gone. */
void spaces_sweep(struct spaces *s, uint64_t now_ns);
uint32_t spaces_count(const struct spaces *s);
