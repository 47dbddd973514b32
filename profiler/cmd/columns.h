/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * columns - names in a table that fits a terminal.
 *
 * Names come from files we did not write: control characters, which a terminal would obey, become
 * '?'. A column holds whole characters of UTF-8, each taken to be one column wide.
 */
struct buf;

enum { COLUMNS = 100 }; /* what a line of output for people fits in */

/* s in exactly so many columns: cut, or filled up with spaces. */
void columns_put(struct buf *b, const char *s, int width);
/* The last one of a line: no filling; "..." within the width where something was cut. */
void columns_put_last(struct buf *b, const char *s, int width);
