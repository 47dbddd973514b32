/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * maps - the executable mappings of one process: sorted, disjoint, shared after fork.
 *
 * A fork shares its parent's maps until either side changes (copy on write): a forking build server
 * costs a reference, not a copy. The kernel never tells of munmap, so a new mapping replaces what it
 * overlaps and a stale one stays harmlessly until then: no pc can lie in it.
 * Memory: reference counted. Each mapping holds a reference to its image.
 */
#include <stdint.h>

struct images;

struct mapping {
	uint64_t start, end; /* addresses in the process */
	uint64_t pgoff;      /* file offset of start; for JIT regions the address itself */
	uint64_t vma_start,
		vma_end; /* as the kernel announced it: the name of its map_files link */
	uint32_t image;
	uint32_t reserved;
};

struct maps;

struct maps *maps_ref(struct maps *m);
struct maps *maps_unref(struct maps *m, struct images *images);

/*
 * Adds a mapping, cutting away what it overlaps; adjacent pieces of one JIT region join. *m may be
 * NULL (no mappings yet) and may move: a shared one is copied first. Takes over the caller's
 * reference to the mapping's image, also on failure. 0 or -ENOMEM.
 */
int maps_insert(struct maps **m, struct images *images, const struct mapping *add);

/* NULL when no mapping covers addr. Borrowed until the next insert. */
const struct mapping *maps_find(const struct maps *m, uint64_t addr);
uint32_t maps_count(const struct maps *m);
/* The i-th mapping in order of address, i < maps_count(). */
const struct mapping *maps_at(const struct maps *m, uint32_t i);
