/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * sections - the debug sections of one ELF file, mapped, and inflated where they are compressed.
 *
 * Those of an object file are copied, and relocated (relocate.h).
 * Compressed: SHF_COMPRESSED by zlib or zstd, and the older .zdebug_* ("ZLIB", the size, a zlib stream).
 * Memory: of the store; sections are valid until dwarf_store_fini().
 * Sources: ELF gABI "Section Compression"; binutils' bfd/compress.c for the older shape.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolize/bytes.h"
#include "symbolize/dwarf/store.h"

enum dwarf_section_id {
	DWARF_INFO,
	DWARF_ABBREV,
	DWARF_STR,
	DWARF_LINE,
	DWARF_LINE_STR,
	DWARF_RANGES,
	DWARF_RNGLISTS,
	DWARF_ADDR,
	DWARF_STR_OFFSETS,
	DWARF_CU_INDEX,
	DWARF_SECTIONS,
};

enum dwarf_object_kind {
	DWARF_LINKED, /* the image or its debug file */
	DWARF_ALT,    /* dwz's: has the type of an object file, but is not relocated */
	DWARF_SPLIT,  /* .dwo, .dwp: likewise; its sections are those named .dwo */
};

struct dwarf_object {
	uint32_t id; /* of this file among those of a scan: offsets are told apart by it */
	enum dwarf_object_kind kind;
	const struct dwarf_object *alt; /* the file its GNU_ref_alt, strp_sup, ... refer to; NULL: none */
	struct dwarf_section s[DWARF_SECTIONS]; /* absent: len 0 */
};

/* Maps what `which` (bits 1 << id) asks for. 0 also when none is there; the errors of dwarf_scan(). */
int dwarf_object_open(struct dwarf_store *st, int fd, enum dwarf_object_kind kind, uint32_t which,
		      struct dwarf_object *ret);
#define DWARF_ALL ((1u << DWARF_SECTIONS) - 1)

static inline struct bytes dwarf_section_bytes(struct dwarf_section s)
{
	static const uint8_t none[1];

	/* NULL is no place to count from. */
	return s.len ? (struct bytes){ s.data, s.data + s.len } : (struct bytes){ none, none };
}

/* The section from an offset on; empty beyond its end. */
static inline struct dwarf_section dwarf_section_from(struct dwarf_section s, uint64_t offset)
{
	if (offset >= s.len)
		return (struct dwarf_section){ 0 };
	return (struct dwarf_section){ s.data + offset, s.len - offset };
}
