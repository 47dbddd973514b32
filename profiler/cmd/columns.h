/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * columns - names in a table that fits a terminal.
 *
 * Names come from files we did not write: control characters, which a terminal would obey, become
 * '?'. A column holds whole characters of UTF-8, each taken to be one column wide.
 */
#include <stdint.h>

struct buf;

enum { COLUMNS = 100 }; /* what a line of output for people fits in */

/* s in exactly so many columns: cut, or filled up with spaces. */
void columns_put(struct buf *b, const char *s, int width);
/* The last one of a line: no filling; "..." within the width where something was cut. */
void columns_put_last(struct buf *b, const char *s, int width);
/*
 * A function as the last one: "name list.c:120 (inlined)". The name is cut, not what follows it.
 * file: NULL or "": none; line 0: none; mark: as it is, may be "".
 */
void columns_put_function(struct buf *b, const char *name, const char *file, int64_t line, const char *mark, int width);
