/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * dwarf_scan - functions, inlined calls and lines of an image, from its DWARF into a symcache_build.
 *
 * Story: one pass forward over .debug_info. Each unit's entries are read once; names that lie elsewhere
 * (abstract_origin, specification, another unit, the dwz file) are looked up at their offset and kept. A
 * skeleton unit is followed into its .dwo, or its part of the .dwp. Each line program is run once.
 *
 *	sections -> units -> abbrevs -> die -> walk -> symcache_build
 *	                                 |-> entities (names), ranges, line_files, line_program
 *
 * All of it is hostile. It is meant for a sandboxed helper: files come as descriptors and are mapped, so that
 * one cut short under us is a SIGBUS. Inflated sections go to the scratch file: anonymous memory stays small
 * whatever the size of the debug information. What is followed more than once is paid from a budget that is
 * a multiple of the input (struct dwarf_budget), so that no file takes more than linear time.
 *
 * Read: DWARF 2 to 5, 32 and 64 bit, little-endian; GNU's extensions for split DWARF 4 and dwz.
 * Object files (x86-64, arm64) have the addresses that elf_image gives them.
 * Not read: .debug_types, ref_sig8. There is no fall-back to libdw: it costs 10 to 49 ms an address, tells of no damage, and knows nothing
 * that this does not. Of the 340 test files of elfutils 0.188 (DWARF 2 to 5, each form, GNU's and dwz's extensions) it reads units of no
 * file that this refuses, but of big-endian ones and of object files of other machines, neither of which runs here. At 60,000 random
 * addresses of those files, of 386 debug files of Debian 12 and of what compilers of C, C++, Objective-C, Fortran, Ada, D, OCaml, Pascal, Go
 * and Rust make, neither it nor llvm-symbolizer has a name or a line where this has none, but for the gaps between functions, for which
 * libdw gives the line before them.
 * Sources: DWARF 5 standard, February 2017; "DebugFission" and "DebugFissionDWP" of the GCC wiki.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "symbolize/build_id.h"

struct symcache_build;

/* Descriptors are borrowed; -1: there is none. */
struct dwarf_files {
	int image; /* its segments tell live code from dead; -1: the debug file's own */
	int debug; /* -1, or without DWARF: it is in the image */
	int alt;   /* the dwz file */
	int dwp;
	const int *dwos; /* in any order: found by their ids */
	uint32_t n_dwos;
	int scratch;            /* inflated sections go here, from offset 0; -1: to anonymous memory */
	uint64_t inflated_max;  /* bytes of inflated sections; 0: 4 GiB */
	bool exact;             /* tests: each section is copied to memory of its own, so that ASan sees its end */
};

struct dwarf_scan_stats {
	uint64_t units, dwo_units; /* read */
	uint64_t damaged_units;    /* given up at some entry; what came before is kept */
	uint64_t missing_dwos;     /* skeleton units without their .dwo */
	uint64_t dies, nodes;
	uint64_t ranges, dead_ranges; /* dead: in no executable segment */
	uint64_t sequences, dead_sequences, rows;
	uint64_t damaged_lines;  /* line programs given up */
	uint64_t unrelocated;    /* relocations of an object file that we do not know */
	bool budget_spent;       /* hostile: some names or ranges were left out */
};

/*
 * 0: all that could be read is in the builder; *ret tells what could not.
 * -ENODATA: there is no DWARF. -EBADMSG: no ELF we read, or no unit could be read. -EFBIG: sections larger than
 * the bounds. -ENOTSUP: big-endian, or an object file of another machine. -ENOMEM. -E2BIG: the builder is full. Or of the scratch file.
 */
int dwarf_scan(const struct dwarf_files *files, struct symcache_build *out, struct dwarf_scan_stats *ret);
