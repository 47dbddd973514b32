/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * line_files - the header of a line program: its constants, directories and files.
 *
 * A file's path is made when it is first asked for, and joined as LLVM prints it: a file's name behind its
 * directory, and behind the unit's when that is not absolute; "." and ".." stay.
 * Memory: one owner, the unit. Names point into the sections.
 * Source: DWARF 5, 6.2.4; DWARF 4, 6.2.4.
 */
#include <stdint.h>

#include "base/buf.h"
#include "base/vec.h"
#include "symbolize/dwarf/units.h"

struct symcache_build;

struct dwarf_line_file {
	struct dwarf_text name;
	uint32_t dir;
	uint32_t id; /* of the builder; SYMCACHE_NONE: not asked for yet */
};

struct dwarf_line_files {
	struct dwarf_format format;
	uint8_t min_inst_length, max_ops, line_range, opcode_base;
	int8_t line_base;
	uint8_t opcode_lengths[256];
	struct dwarf_section program; /* what follows the header */
	struct dwarf_text comp_dir;
	struct dwarf_budget *budget; /* texts may overlap, and each path is a copy */
	vec(struct dwarf_text) dirs;
	vec(struct dwarf_line_file) files;
};

/* 0; -ENODATA: the unit has no line program; -EBADMSG; -ENOMEM; -E2BIG: not in the budget. */
int dwarf_line_files_read(const struct dwarf_unit *u, struct dwarf_budget *budget, struct dwarf_line_files **ret);
struct dwarf_line_files *dwarf_line_files_free(struct dwarf_line_files *lf);

/* The builder's id of a file by its number in the program; SYMCACHE_NONE when there is none. 0, -ENOMEM, -E2BIG. */
int dwarf_line_files_id(struct dwarf_line_files *lf, uint64_t number, struct symcache_build *out, struct buf *path,
			uint32_t *ret);
