/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * units - where the units of .debug_info lie, and what the rest of one needs to know of it.
 *
 * dwarf_unit_open() reads the header and the first entry. A split unit takes from its skeleton what it does
 * not have itself (addresses, lines, directory); in a .dwp its sections begin at its contributions.
 * Memory: a unit owns nothing but its table of files.
 * Source: DWARF 5, 7.5.1, 3.1.1 to 3.1.3; 7.3.5 for packages.
 */
#include <stdbool.h>
#include <stdint.h>

#include "symbolize/dwarf/abbrevs.h"

struct dwarf_line_files;

/* Where a unit's part of each section of a .dwp lies; all of it, otherwise. */
struct dwarf_parts {
	struct dwarf_section s[DWARF_SECTIONS];
};

/*
 * Longer ones are none: a builder cuts them at this, too. A text that never ends must not cost its
 * section's length.
 */
#define DWARF_TEXT_MAX (64u << 10)

struct dwarf_text {
	const char *s; /* not NUL-terminated in general; NULL: none */
	size_t len;
};

struct dwarf_unit {
	const struct dwarf_object *obj; /* of its .debug_info */
	struct dwarf_unit *skeleton;    /* of a split unit */
	struct dwarf_parts parts;
	uint64_t offset, entries, end; /* in .debug_info: header, first entry, what follows */
	struct dwarf_format format;
	uint8_t type; /* DW_UT_*; DW_UT_compile before DWARF 5 */
	bool has_stmt_list, has_dwo_id, has_low_pc;
	uint16_t language;
	uint64_t abbrev_offset, stmt_list;
	uint64_t low_pc; /* base of its range lists */
	uint64_t str_offsets_base, addr_base, rnglists_base, ranges_base;
	uint64_t dwo_id;
	struct dwarf_text comp_dir, dwo_name;
	const struct dwarf_abbrevs *abbrevs;
	struct dwarf_line_files *files; /* read when first asked for */
	bool no_files;                  /* could not be read */
};

/* An entry: its place and the values of the attributes somebody wants. */
struct dwarf_die {
	uint64_t offset;
	const struct dwarf_abbrev *abbrev; /* NULL: the entry that ends a list of children */
	uint32_t has; /* bits 1 << enum dwarf_attr */
	uint16_t form[ATTR_COUNT];
	uint64_t value[ATTR_COUNT];
};

static inline bool dwarf_die_has(const struct dwarf_die *d, enum dwarf_attr a)
{
	return d->has & (1u << a);
}

/*
 * The header at an offset, without the first entry. ret->obj and ret->parts stay as they are.
 * 0; -EBADMSG: not believable, nor is what follows it; -ENOTSUP: of a version or address size we do not
 * read, ret->end tells where the next one begins.
 */
int dwarf_unit_header(const struct dwarf_object *o, uint64_t offset, struct dwarf_unit *ret);
/* Its abbreviations and first entry too. skeleton: NULL, or that of a split unit. And -ENOMEM, -E2BIG. */
int dwarf_unit_open(struct dwarf_unit *u, struct dwarf_unit *skeleton, struct dwarf_abbrev_cache *cache,
		    struct dwarf_budget *budget);

/* The entry at b->at; false when it is damaged (b->bad). */
bool dwarf_die_read(const struct dwarf_unit *u, struct bytes *b, struct dwarf_die *ret);

/* A text value. False when its form is none of text's, or it leads nowhere. */
bool dwarf_unit_text(const struct dwarf_unit *u, uint16_t form, uint64_t value, struct dwarf_text *ret);
/* An address value: itself, or from .debug_addr. */
bool dwarf_unit_address(const struct dwarf_unit *u, uint16_t form, uint64_t value, uint64_t *ret);
bool dwarf_unit_indexed_address(const struct dwarf_unit *u, uint64_t index, uint64_t *ret);

static inline struct bytes dwarf_unit_bytes(const struct dwarf_unit *u, uint64_t offset)
{
	const uint8_t *info = u->obj->s[DWARF_INFO].data;

	return (struct bytes){ info + offset, info + u->end };
}
