/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * otlp_dictionary - the tables that all profiles of a request of OTLP refer to, and the way of one profile into them.
 *
 * Every table is interned by the bytes of its entries: none is there twice. Index 0 is none: it is what a function
 * returns for nothing, and, its error being sticky (dictionary_error), when memory ran out.
 * Memory: the entries, encoded. Threads: one.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/strpool.h"

struct profile;

/* The dictionary's tables, by their field numbers in it. */
enum table { TABLE_MAPPINGS = 1, TABLE_LOCATIONS, TABLE_FUNCTIONS, TABLE_LINKS, TABLE_STRINGS, TABLE_ATTRIBUTES, TABLE_STACKS, TABLES };

struct dictionary {
	struct strpool tables[TABLES]; /* entry 0 of each is none, and of no bytes */
	struct buf scratch, value;     /* an entry being made, and a value in it */
	size_t bytes;                  /* of the entries, encoded */
	int error;                     /* of an entry that could not be made */
};

/* What the indices of one profile are in the dictionary; 0: not asked yet. */
struct dictionary_maps {
	uint32_t *strings, *mappings, *functions, *locations;
};

/* What was in it at some time. */
struct dictionary_mark {
	uint32_t entries[TABLES];
	size_t bytes;
};

/* One profile on its way in. */
struct dictionary_profile {
	struct dictionary *d;
	const struct profile *p;
	struct dictionary_maps maps;
	struct buf indices;       /* packed, of the message at hand */
	struct buf stack, location; /* being made */
};

/* 0 or -ENOMEM. */
int dictionary_begin(struct dictionary_profile *a, struct dictionary *d, const struct profile *p);
void dictionary_end(struct dictionary_profile *a);

/* A string of the profile's; any other. */
uint32_t dictionary_string(struct dictionary_profile *a, uint32_t id);
uint32_t dictionary_text(struct dictionary *d, const char *s);
/* {key, string} or, text NULL, {key, number, unit}; with a value that is encoded already. */
uint32_t dictionary_attribute(struct dictionary *d, uint32_t key, const char *text, int64_t number, uint32_t unit);
uint32_t dictionary_value(struct dictionary *d, uint32_t key, const struct buf *value);
/* Of hex digits, 32 and 16 of them; others are none. */
uint32_t dictionary_link(struct dictionary *d, const char *trace_id, const char *span_id);
/* The frames of a sample. */
uint32_t dictionary_stack(struct dictionary_profile *a, uint32_t first_frame, uint32_t n_frames);

struct dictionary_mark dictionary_mark(const struct dictionary *d);
/* What came since goes again; profiles that were on their way in then are to end. */
void dictionary_rewind(struct dictionary *d, const struct dictionary_mark *m);

/* Appends its tables: its bytes, and DICTIONARY_REST_BYTES at most. */
#define DICTIONARY_REST_BYTES 64
void dictionary_put(const struct dictionary *d, struct buf *out);
int dictionary_error(const struct dictionary *d);
void dictionary_reset(struct dictionary *d);
void dictionary_fini(struct dictionary *d);
