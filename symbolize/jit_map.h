/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * jit_map - one process's JIT code: names, and perhaps lines, by address; what was loaded last wins.
 *
 * Story: perf_map.h and jitdump.h read what a JIT wrote since they last looked, and add it in the order it was
 * written; jit_map_settle() then makes it searchable. JITs use addresses again, so loads overlap: each
 * address belongs to the latest load that covers it. A question carries no time, so code that was
 * replaced since a sample was taken gives the sample the newer name.
 *
 *	pieces    sorted, disjoint: [start, start + size) belongs to a code
 *	pending   codes added since
 *
 * Settling sorts and sweeps what is pending (n log n) and merges it into the pieces: linear in both, so the
 * reader settles once a round, or when as much is pending as there is.
 * Memory: owns all of it: 40 bytes a code and its name, files of lines once each. Codes of which nothing is
 * left are let go; past JIT_MAP_MAX_BYTES the older half goes too. Threads: one owner.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/strpool.h"
#include "base/vec.h"

#define JIT_MAP_MAX_BYTES (32u << 20)
#define JIT_NO_CODE UINT32_MAX

struct jit_line {
	uint32_t offset; /* from its code's start; up to the next one */
	uint32_t file;   /* in files */
	uint32_t line;
};

struct jit_code {
	uint64_t start;
	uint32_t size;
	uint32_t name; /* in names */
	uint32_t first_line, n_lines;
};

struct jit_piece {
	uint64_t start;
	uint32_t size;
	uint32_t code;
};

struct jit_map {
	struct buf names; /* NUL-terminated */
	struct strpool files;
	vec(struct jit_code) codes;
	vec(struct jit_line) lines; /* by code, ascending */
	vec(struct jit_piece) pieces;
	uint32_t settled; /* codes before this one are in pieces */
	uint32_t forgotten; /* codes let go for want of room */
};

/*
 * Adds code at [start, start + size), which does not wrap; sizes above 4 GiB are cut. Its lines, if any, are
 * those added since with jit_map_add_line(), in any order. 0 or -ENOMEM.
 */
int jit_map_add(struct jit_map *m, uint64_t start, uint64_t size, const char *name, size_t len);
/* To the code added last. */
int jit_map_add_line(struct jit_map *m, uint32_t offset, const char *file, size_t len, uint32_t line);
/* The same code, lines and all, at another address. -ENOENT: nothing is known at `from`. */
int jit_map_move(struct jit_map *m, uint64_t from, uint64_t to, uint64_t size);

/* Whether enough is pending for jit_map_settle() to be worth its price before the end of a round. */
bool jit_map_is_full(const struct jit_map *m);
/* 0 or -ENOMEM: what was pending may be lost, what was settled is not. */
int jit_map_settle(struct jit_map *m);

/* The code at an address, of what was settled; JIT_NO_CODE. */
uint32_t jit_map_find(const struct jit_map *m, uint64_t addr);
/* The line at an address of it; NULL: none is known. */
const struct jit_line *jit_map_line(const struct jit_map *m, uint32_t code, uint64_t addr);

/* Both borrowed until something is added or settled. */
static inline const char *jit_map_name(const struct jit_map *m, uint32_t code)
{
	return (const char *)m->names.data + m->codes.v[code].name;
}

static inline const char *jit_map_file(const struct jit_map *m, const struct jit_line *l)
{
	return strpool_str(&m->files, l->file);
}

size_t jit_map_bytes(const struct jit_map *m);
void jit_map_fini(struct jit_map *m); /* empty, to be used again */
