/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * fdes - every FDE of an image's sections in order of address, 8 bytes each.
 *
 * Our own index and not .eh_frame_hdr: that one is missing in static files, names no .debug_frame, and
 * would have to be checked entry by entry. A radix sort of what a linker left nearly sorted is cheap.
 * A Go binary's functions stand among them: their offset is their number << FDES_KIND_BITS | enum go_kind.
 */
#include <stdint.h>

#include "unwind/cfi.h"

#define FDES_MAX (2u << 20)
#define FDES_KIND_BITS 2
#define FDES_SECTIONS 3 /* .eh_frame, .debug_frame, that of the MiniDebugInfo */
#define FDES_GO 3       /* no section: the pclntab's functions */

struct fde_ref {
	uint32_t start; /* from the base */
	uint32_t place; /* offset in the section << 2 | which section: never 1 GiB long */
};

static inline uint32_t fde_section(const struct fde_ref *f)
{
	return f->place & 3;
}

static inline uint32_t fde_offset(const struct fde_ref *f)
{
	return f->place >> 2;
}

struct fdes {
	struct fde_ref *v;
	uint32_t n, cap;
};

/* CIEs read so far: FDEs sorted by address alternate between a few. */
enum { CIES_SLOTS = 16 };
struct cies {
	struct cie_slot {
		const struct cfi_section *section; /* NULL: empty */
		struct cfi_cie cie;
	} slots[CIES_SLOTS];
};

/* The CIE at an offset, valid until the next call; NULL: none we can read. */
const struct cfi_cie *cies_get(struct cies *c, const struct cfi_section *s, size_t offset);

struct rows_source;
struct rows_stats;

/* 0, -E2BIG or -ENOMEM. FDEs that lie outside the code or are damaged are counted in stats. */
int fdes_collect(const struct rows_source *src, uint64_t base, struct cies *cies, struct rows_stats *stats, struct fdes *ret);
void fdes_fini(struct fdes *f);
