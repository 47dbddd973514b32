/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * symcache - names, lines and inlined frames of one image, in a mapped file made by symcache_build.
 *
 * Story: the helper process has turned DWARF and symbol tables into this file; from then on an address costs
 * three searches and a walk from the innermost inlined function to the physical one, and no memory of ours.
 * A file is trusted for its names only: whatever its bytes are, nothing outside of the mapping is read. It must
 * not shrink while mapped, which would be a SIGBUS: files lie in a directory that only we can write to, are complete
 * before they get a name there, and are replaced, never changed.
 * Memory: the mapping, file pages that the kernel can take back. Strings are borrowed from it until symcache_free().
 * Threads: any number of readers.
 */
#include <stddef.h>
#include <stdint.h>

struct build_id;
struct symcache;

/*
 * Strings are ids: one id for equal strings of a cache, so that what is made of a name (demangled) can be kept by id.
 * 0 is unknown.
 */
struct symcache_frame {
	uint32_t name;       /* as in the source, plain */
	uint32_t linkage;    /* as the linker sees it: mangled; of a physical frame the symbol's: foo.cold, a clone */
	uint32_t file, line; /* where this frame is: in the innermost one the pc, in others the call */
	uint32_t start_file, start_line; /* where the function is declared */
	uint16_t language;               /* DW_LANG_* */
	uint16_t reserved;
};

/*
 * The file is read once to compare its checksum; fd may be closed afterwards. 0; -EBADMSG: damaged, cut short, of another
 * version or image, owned by another user or writable by others; -ENOMEM; another errno of reading.
 */
int symcache_open(int fd, const struct build_id *id, struct symcache **ret);
struct symcache *symcache_free(struct symcache *c);
static inline void symcache_freep(struct symcache **c)
{
	symcache_free(*c);
}

/*
 * Frames at an address of the file, the innermost inlined one first, the physical one last; where there are more
 * than max (>= 1), the inlined ones next to the physical one are left out. Their number, or -ENOENT: nothing is known.
 */
int symcache_find(const struct symcache *c, uint64_t addr, struct symcache_frame *ret, size_t max);
const char *symcache_string(const struct symcache *c, uint32_t id);

size_t symcache_bytes(const struct symcache *c);
/* Lets go of the pages in memory; they come back from the file. For after a batch. */
void symcache_drop_pages(const struct symcache *c);
