/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * symcache_build - what is read from an image's DWARF and symbol tables becomes a symcache file.
 *
 *	function   one entity of the source: its names, where it is declared
 *	node       a function where it stands in the code: on its own, or inlined into a parent node at a call
 *	range      addresses of a node; a child's lie in its parent's, the deepest node wins
 *	line       address -> file and line, until the next one of its sequence
 *	symbol     a name from a symbol table: names what no function covers, and every function's part that has
 *	           its own symbol (foo.cold, a clone)
 *
 * Addresses are the file's virtual addresses. Ids are dense, from 0, in order of adding.
 * Memory: all in the builder, 16 bytes a range and a node, 2 to 4 a line, while writing 24 a range. Threads: one owner.
 * Errors: -ENOMEM; -E2BIG past the bounds below: what is in the builder is still good.
 */
#include <stddef.h>
#include <stdint.h>

struct build_id;
struct symcache_build;
struct symtab;

#define SYMCACHE_NONE UINT32_MAX
#define SYMCACHE_ITEMS_MAX   (1u << 28)   /* of each kind */
#define SYMCACHE_STRING_MAX  (64u << 10)  /* bytes of one string; longer ones are cut */
#define SYMCACHE_STRINGS_MAX (1u << 30)   /* bytes of all of them */
#define SYMCACHE_DEPTH_MAX   255          /* of nodes; deeper ones are left out: they are their parent */

struct symcache_function {
	uint32_t name;   /* string: plain, as in the source (DW_AT_name) */
	uint32_t linkage; /* string: mangled; 0: none */
	uint32_t file;   /* a file, SYMCACHE_NONE: unknown */
	uint32_t line;   /* declared at; 0: unknown */
	uint16_t language; /* DW_LANG_*, 0: unknown */
};

int symcache_build_new(struct symcache_build **ret);
struct symcache_build *symcache_build_free(struct symcache_build *b);
static inline void symcache_build_freep(struct symcache_build **b)
{
	symcache_build_free(*b);
}

/* Interned: the same bytes give the same id; "" is 0. */
int symcache_build_string(struct symcache_build *b, const char *s, size_t len, uint32_t *ret);
/* Interned; path is a string: absolute, or as the compiler left it. */
int symcache_build_file(struct symcache_build *b, uint32_t path, uint32_t *ret);
/* Interned. */
int symcache_build_function(struct symcache_build *b, const struct symcache_function *f, uint32_t *ret);
/* parent: SYMCACHE_NONE for a function on its own; call_file, call_line: where the parent calls it. */
int symcache_build_node(struct symcache_build *b, uint32_t function, uint32_t parent, uint32_t call_file,
			uint32_t call_line, uint32_t *ret);
/*
 * [start, end); empty ones are passed over. Several nodes for one address: the one of the function added first, of that the deepest,
 * of those the one added first.
 */
int symcache_build_range(struct symcache_build *b, uint32_t node, uint64_t start, uint64_t end);
/*
 * A sequence of lines, addresses ascending, its last row marks the end (line and file are not looked at).
 * Where two sequences overlap, the one added first wins.
 */
struct symcache_line {
	uint64_t address;
	uint32_t file, line; /* line 0: no line */
};
int symcache_build_lines(struct symcache_build *b, const struct symcache_line *rows, size_t n);
/* A finished table (symtab_finish()); addresses as above. */
int symcache_build_symbols(struct symcache_build *b, const struct symtab *t);

/*
 * Writes the file to fd, which is empty and can be written at any place. Addresses more than 4 GiB above the
 * lowest are left out. Once: the builder is used up by it, whatever it answers, and can only be freed.
 * 0, -ENOMEM, -EFBIG (no file of this layout holds it), or another errno of writing.
 */
int symcache_build_write(struct symcache_build *b, int fd, const struct build_id *key);
