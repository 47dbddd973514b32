/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * go_pclntab - the table a Go binary carries for its own tracebacks, stripped or not: its functions, and for
 * each how far it has moved sp, its file and its line at each pc.
 *
 *	header    magic, 0, 0, unit of pcs, size of a pointer; counts; where the parts begin
 *	functab   {entry, place of its record} in order of address; then where the code ends
 *	record    entry, name, ..., places of its tables (pcsp, file, line), ..., flags; then of its pcdata
 *	          tables, and of its funcdata, which lie outside of the pclntab
 *	tables    varints: value += zigzag, pc += unit * n; a 0 ends it
 *
 * Four layouts: Go 1.2; 1.16 (parts of their own); 1.18 (entries count from the code's start, 4 bytes each);
 * 1.20 (a record has one more field). Where the code starts stands in the runtime's moduledata (go_text.h).
 * Lines and inlined calls are go_lines.h's, rules for the unwinder go_rows.h's.
 * The table is as large as the code and hostile: it is read piecewise, each place checked against its end.
 * Memory: borrows the image. Sources: Go's runtime/symtab.go, internal/abi/symtab.go, debug/gosym/pclntab.go.
 */
#include <stdbool.h>
#include <stdint.h>

#include "symbolize/elf_image.h"
#include "symbolize/elf_peek.h"

#define GO_FUNCS_MAX (2u << 20)
/* Of all tables: a hostile file can name one table two million times. */
#define GO_STEPS_MAX (32u << 20)
#define GO_NAME_MAX 64

enum go_layout { GO_1_2, GO_1_16, GO_1_18, GO_1_20 };
enum { GO_TOP_FRAME = 1, GO_WRITES_SP = 2 }; /* a record's flags, since Go 1.17 */

struct go_pclntab {
	struct elf_peek *file;
	enum go_layout layout;
	uint32_t unit;                /* of pcs, in bytes */
	uint32_t n_funcs, steps;      /* steps: left */
	uint64_t at, end;             /* of the table in the file */
	uint64_t names, pcs, functab; /* in the file */
	uint64_t units, files;        /* in the file; units: files by number, since Go 1.16 */
	uint64_t vaddr;
	uint64_t text;   /* what entries count from */
	uint64_t gofunc; /* an address: what funcdata counts from, since Go 1.18; 0: unknown */
};

struct go_func {
	uint64_t entry, end;
	uint32_t pcsp; /* 0: none, code that is not Go's */
	uint32_t file, line; /* tables of them */
	uint32_t unit, start_line; /* of its files; 0: unknown */
	uint32_t n_pcdata;
	uint64_t pcdata; /* in the file: places of tables; those of funcdata follow */
	uint32_t name_at; /* in names */
	uint8_t n_funcdata;
	uint8_t flags;
	char name[GO_NAME_MAX]; /* its beginning */
};

/* One step of a table. Of a pcsp: sp is `value` below where it was at the function's entry. */
struct go_sp {
	uint64_t start, end;
	int64_t value;
};

struct go_sp_run {
	struct go_pclntab *t;
	uint64_t at, pc;
	int64_t value;
	bool begun;
};

/* Whether to try: a Go binary, or one without section headers, which may be Go. */
bool go_pclntab_likely(const struct elf_image *img);
/*
 * 0: to be let go by go_pclntab_free(). -ENODATA: no Go binary of 64 bits and little endian. -EBADMSG: its
 * table is damaged, or where its code starts is not to be found. -ENOMEM.
 */
int go_pclntab_open(const struct elf_image *img, struct go_pclntab **ret);
struct go_pclntab *go_pclntab_free(struct go_pclntab *t);
static inline void go_pclntab_freep(struct go_pclntab **t)
{
	go_pclntab_free(*t);
}

/* Where the first function begins and the last one ends. */
int go_pclntab_range(struct go_pclntab *t, uint64_t *ret_start, uint64_t *ret_end);

/* At most len bytes of the table from a place in the file, as elf_peek(): never more than it has. */
struct bytes go_peek(struct go_pclntab *t, uint64_t at, size_t len);

/* 0, or -EBADMSG: its place or its record is damaged. */
int go_func_read(struct go_pclntab *t, uint32_t i, struct go_func *ret);
/* The function whose code, or padding behind it, holds an address. -ENOENT: none; -EBADMSG. */
int go_func_find(struct go_pclntab *t, uint64_t pc, struct go_func *ret);

/* The value of one of a function's tables at a pc. -ENOENT: none; -EBADMSG, -E2BIG: as go_sp_next(). */
int go_value_find(struct go_pclntab *t, const struct go_func *f, uint32_t table, uint64_t pc, int64_t *ret);

/* All steps of a table, and of the pcsp. */
void go_values_begin(struct go_sp_run *run, struct go_pclntab *t, const struct go_func *f, uint32_t table);
void go_sp_begin(struct go_sp_run *run, struct go_pclntab *t, const struct go_func *f);
/* 1; 0 at the table's end; -EBADMSG; -E2BIG: more than GO_STEPS_MAX so far. */
int go_sp_next(struct go_sp_run *run, struct go_sp *ret);
