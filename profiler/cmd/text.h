/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * text - foreign names made fit for a terminal: nothing in them can act, none is wider than its column.
 *
 * Control characters, escape sequences, what reorders or hides text, and bytes that are no UTF-8
 * become '?' each; so does what the locale cannot show. Cut is at whole characters.
 */
#include <stddef.h>

struct buf;

/* Picks the user's character set; where none can show UTF-8, a file still gets it (to_file). */
void text_init(int to_file);

/* Appends s in at most width columns (one that is cut ends in an ellipsis). Returns the columns used. */
int text_fit(const char *s, int width, struct buf *out);
/* The same, and blanks up to the width. */
void text_pad(const char *s, int width, struct buf *out);
/* A number's worth of columns: at the right end of the width. */
void text_pad_left(const char *s, int width, struct buf *out);
