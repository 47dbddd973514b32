/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * top_view - what the keys have chosen: the table, its order, filter, selection. Knows no terminal.
 */
#include <stdbool.h>
#include <stdint.h>

#include "cmd/top_rows.h"

/* Keys that are no character; characters are themselves, as Unicode. */
enum top_key {
	TOP_KEY_NONE = 0,
	TOP_KEY_TAB = '\t',
	TOP_KEY_ENTER = '\n',
	TOP_KEY_ESCAPE = 27,
	TOP_KEY_BACKSPACE = 127,
	TOP_KEY_UP = 0x110000,
	TOP_KEY_DOWN,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
};

enum top_action { TOP_REDRAW, TOP_QUIT, TOP_PAUSE, TOP_FASTER, TOP_SLOWER };

enum top_table { TOP_FUNCTIONS, TOP_PROCESSES, TOP_TABLES };

struct top_place {
	uint32_t selected, first; /* row under the cursor, row at the top of the screen */
};

struct top_view {
	enum top_table table;
	enum top_sort sort[TOP_TABLES];
	struct top_place place[TOP_TABLES];
	uint32_t n_rows, page; /* of the table last drawn, and how many fit: set by who draws */
	char filter[128];
	bool typing; /* a filter */
	bool help, paused, hide_kernel, hide_user;
	bool in_process; /* functions of one process: */
	uint32_t pid, tid;
	char comm[16];
	struct top_process under; /* the cursor; set by who draws, its strings are not looked at */
	bool has_under;
};

enum top_action top_view_key(struct top_view *v, uint32_t key);
void top_view_query(const struct top_view *v, struct top_query *ret);
/* So many rows there are, so many fit: keeps the selection among them and on the screen. */
void top_view_fit(struct top_view *v, uint32_t n_rows, uint32_t page);
