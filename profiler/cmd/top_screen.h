/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * top_screen - the terminal of `hotspan top`, by ncurses.
 *
 * From top_screen_new() to top_screen_free() the terminal is ours; SIGWINCH is read by the caller, who
 * says top_screen_resize(). Nothing a profile holds reaches the terminal but through text.h.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct top_facts;
struct top_rows;
struct top_screen;
struct top_view;

struct top_picture {
	const struct top_view *view;
	const struct top_rows *rows;
	const struct top_facts *facts; /* NULL: nothing came yet */
	bool by_thread;
	const char *notice; /* NULL or "": none */
};

/* Input and output are terminals. 0 or negative errno with err in one line. */
int top_screen_new(struct top_screen **ret, char *err, size_t err_len);
/* The terminal is as it was. */
struct top_screen *top_screen_free(struct top_screen *s);

/* The next key that was pressed (top_view.h), TOP_KEY_NONE: none waits. */
uint32_t top_screen_key(struct top_screen *s);
void top_screen_resize(struct top_screen *s);
/* How many rows of a table fit. */
uint32_t top_screen_page(const struct top_screen *s);

/* Paints, but does not write: the rows are not needed any more when it returns. */
void top_screen_paint(struct top_screen *s, const struct top_picture *p);
void top_screen_show(struct top_screen *s);
