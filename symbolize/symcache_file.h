/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * symcache_file - the layout of a symcache: what the writer and the reader agree on.
 *
 *	header                        what it is of, where the sections lie, two checksums
 *	three tables, each            pieces: address, ascending, from the header's base; value, good until the next
 *	                              top, addresses by their upper bits: where to begin searching
 *	   code                       value: a node, SYMCACHE_NONE between functions
 *	   symbols                    value: a string, 0 between symbols
 *	   lines                      value: where a block of rows begins; up to SYMCACHE_BLOCK of them
 *	rows                          line_code, each block from its table's address, no file and line 0
 *	nodes, functions, files       records by number; a parent stands before its children
 *	strings                       NUL-terminated, by offset; the first is ""
 *
 * Numbers have the host's byte order: a file is read where it was written. Sections begin at multiples of 8.
 */
#include <stddef.h>
#include <stdint.h>

#include "symbolize/build_id.h"

#define SYMCACHE_MAGIC   0x65686361636d7973ull /* "symcache"; not on a host of the other byte order */
#define SYMCACHE_VERSION 2
#define SYMCACHE_BLOCK 16 /* rows: 64 save a tenth of the file, and cost 60 ns more a search */

enum symcache_table { SYMCACHE_CODE, SYMCACHE_SYMBOLS, SYMCACHE_LINES, SYMCACHE_TABLES };

enum symcache_section {
	/* of table t: 2 * t and the one after it */
	SYMCACHE_PIECES,
	SYMCACHE_TOP,
	SYMCACHE_ROWS = 2 * SYMCACHE_TABLES,
	SYMCACHE_NODES,
	SYMCACHE_FUNCTIONS,
	SYMCACHE_FILES,
	SYMCACHE_STRINGS,
	SYMCACHE_SECTIONS,
};

struct symcache_place {
	uint64_t offset;
	uint32_t n;     /* elements; bytes of rows and strings */
	uint32_t shift; /* of a top: entry i is the first address at or above i << shift, the last one all of them */
};

struct symcache_header {
	uint64_t magic;
	uint32_t version, header_bytes;
	uint64_t bytes; /* of the file */
	uint64_t base;
	struct build_id key;
	uint8_t reserved[2];
	struct symcache_place places[SYMCACHE_SECTIONS];
	uint64_t body_sum;   /* of everything after the header */
	uint64_t header_sum; /* of the header up to here */
};
_Static_assert(sizeof(struct build_id) == 22 && sizeof(struct symcache_header) == 56 + 16 * SYMCACHE_SECTIONS + 16,
	       "no holes: the header's bytes are summed");

/* Side by side, because whoever has found the one reads the other: eight of them share a cache line. */
struct symcache_piece {
	uint32_t address, value;
};

struct symcache_node {
	uint32_t function, parent; /* parent: SYMCACHE_NONE, or below the node's own number */
	uint32_t call_file;        /* SYMCACHE_NONE: unknown */
	uint32_t call_line;
};

struct symcache_record {
	uint32_t name, linkage; /* strings */
	uint32_t file, line;    /* a file or SYMCACHE_NONE */
	uint32_t language;
};

static inline size_t symcache_element(enum symcache_section s)
{
	switch (s) {
	case SYMCACHE_ROWS:
	case SYMCACHE_STRINGS:
		return 1;
	case SYMCACHE_NODES:
		return sizeof(struct symcache_node);
	case SYMCACHE_FUNCTIONS:
		return sizeof(struct symcache_record);
	case SYMCACHE_FILES:
		return sizeof(uint32_t);
	default:
		return s % 2 == SYMCACHE_PIECES ? sizeof(struct symcache_piece) : sizeof(uint32_t);
	}
}
