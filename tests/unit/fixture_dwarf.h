/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fixture_dwarf - DWARF written by hand, byte by byte, and the ELF file around it: what no compiler would write. */
#include <dwarf.h>

#include "base/buf.h"
#include "symbolize/dwarf/sections.h"

/* Code of the fixture's one executable segment. */
#define FIX_TEXT     0x1000ull
#define FIX_TEXT_END 0x100000ull

struct fix {
	struct buf s[DWARF_SECTIONS];
	size_t unit; /* where the open unit's length lies in .debug_info */
	uint8_t version;
};

void fix_u16(struct buf *b, uint16_t v);
void fix_u32(struct buf *b, uint32_t v);
void fix_u64(struct buf *b, uint64_t v);
void fix_uleb(struct buf *b, uint64_t v);
void fix_text(struct buf *b, const char *s); /* with its NUL */

/* attribute, form, ... 0: an abbreviation; n pairs */
void fix_abbrev(struct fix *f, uint64_t code, uint64_t tag, bool children, const uint16_t *pairs, size_t n);

/* The abbreviations all tests share; codes below. */
enum fix_code {
	FIX_UNIT = 1,  /* name string, low_pc addr */
	FIX_FUNCTION,  /* name string, low_pc addr, high_pc data8, decl_line data1; children */
	FIX_INLINED,   /* abstract_origin ref4, low_pc addr, high_pc data8, call_line data1; children */
	FIX_ABSTRACT,  /* name string, linkage_name string, decl_line data1 */
	FIX_ORIGIN,    /* subprogram: abstract_origin ref4 */
	FIX_BLOCK,     /* lexical_block; children */
	FIX_FAR,       /* inlined: abstract_origin ref_addr, low_pc addr, high_pc data8 */
	FIX_NO_RANGES, /* inlined: abstract_origin ref4, call_line data1; children */
	FIX_RANGES,    /* subprogram: name string, ranges sec_offset */
	FIX_SPEC,      /* subprogram: specification ref4, low_pc addr, high_pc data8 */
	FIX_ENUM,      /* enumeration_type: sibling ref4; children */
	FIX_ODD,       /* for a test's own */
};
void fix_abbrevs(struct fix *f);

/* A unit of DWARF 4 (or f->version) with its first entry. */
void fix_unit(struct fix *f, const char *name, uint64_t low_pc);
void fix_unit_end(struct fix *f);
/* Offset of what comes next: in the unit, in the section. */
uint32_t fix_here(const struct fix *f);
uint32_t fix_far(const struct fix *f);
void fix_function(struct fix *f, const char *name, uint64_t start, uint64_t len);
uint32_t fix_inlined(struct fix *f, uint32_t origin, uint64_t start, uint64_t len, uint8_t call_line); /* where origin lies, to be patched */
uint32_t fix_abstract(struct fix *f, const char *name, uint8_t line); /* its offset in the unit */
void fix_patch32(struct buf *b, size_t at, uint32_t v);
void fix_null(struct fix *f);

/* An ELF file of these sections, in memory; dwo: named .debug_*.dwo. The descriptor is the caller's. */
int fix_file(const struct fix *f, bool dwo);
void fix_fini(struct fix *f);
