/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * symtab - addresses to names: a flat sorted table, whatever the source.
 *
 * Sources add symbols, symtab_finish() sorts them and settles aliases: of several names for one
 * address the same one always wins (loaded code over other, global over weak over local, longer size, fewer leading
 * underscores, then alphabet). A symbol without a size reaches to the next one.
 * Names are kept as the source has them; demangling is the symbolizer's.
 * Memory: 24 bytes a symbol plus its name. One owner.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/vec.h"

#define SYMBOL_NO_NAME 0u

/* SYMBOL_LOADED is added to another: code loaded at run time, which hides whatever name its place had before. */
enum symbol_rank { SYMBOL_LOCAL, SYMBOL_WEAK, SYMBOL_GLOBAL, SYMBOL_LOADED };

struct symbol {
	uint64_t addr;
	uint32_t size;   /* after symtab_finish(): bytes it covers */
	uint32_t name;   /* offset into names */
	uint32_t module; /* offset into names, 0: none */
	uint8_t rank;    /* enum symbol_rank */
	uint8_t sized;   /* the source knew the size */
	uint16_t reserved;
};

struct symtab {
	vec(struct symbol) v;
	struct buf names; /* NUL-terminated, offset 0 is "" */
};

/* 0 or -ENOMEM. Sizes above 4 GiB are cut. size 0: unknown, ends at the next symbol or at `limit` of
 * symtab_finish(). */
int symtab_add(struct symtab *t, uint64_t addr, uint64_t size, const char *name, size_t name_len,
	       uint32_t module, enum symbol_rank rank);
/* Stores a module name once and returns its offset; 0 when out of memory. */
uint32_t symtab_module(struct symtab *t, const char *name, size_t len);

/* max_gap: a symbol without a size covers at most so many bytes. */
void symtab_finish(struct symtab *t, uint64_t max_gap);

/* NULL when nothing covers addr. */
const struct symbol *symtab_find(const struct symtab *t, uint64_t addr);
const char *symtab_str(const struct symtab *t, uint32_t offset);
size_t symtab_bytes(const struct symtab *t);
void symtab_fini(struct symtab *t);
